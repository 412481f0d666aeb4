"""Whose request an engine serves next, and for whom its queue is full."""

from __future__ import annotations

from typing import Any

import pytest

from kronk.shared.wire.to_gateway import Accepted, Failed
from kronk.worker.engine.desk import Desk
from kronk.worker.engine.job import Job
from kronk.worker.engine.request import Request
from kronk.worker.engine.sampling import Resolved

QUEUE = 2


def job(number: int, subject: str, choices: int = 1) -> Job:
    # Nothing here looks at how tokens are chosen.
    sampling: Resolved = None  # type: ignore[assignment]
    return Job(number, "x", [1, 2], sampling, 5, (), 64, 0.0, choices=choices, subject=subject)


class Slots:
    """A desk and as many slots."""

    def __init__(self, slots: int) -> None:
        self.desk = Desk(QUEUE)
        self.free = slots
        self.running: dict[int, list[Request]] = {}
        self.events: list[Any] = []

    def ask(self, number: int, subject: str, choices: int = 1) -> None:
        self.desk.admit(job(number, subject, choices), self.free)
        self.events += self.desk.take_events()

    def assign(self) -> list[int]:
        """Fill the free slots."""
        begun = []
        while self.free and len(self.desk):
            request, _ = self.desk.next()
            if not request.is_started:
                request.start(0.0)
                others, request.others = request.others, []
                self.desk.put_first([(request, other) for other in others])
            self.desk.took_slot(request)
            self.running.setdefault(request.job.request, []).append(request)
            self.free -= 1
            begun.append(request.job.request)
        return begun

    def end(self, number: int) -> None:
        self.desk.left_slot(self.running[number].pop())
        self.free += 1

    def refused(self) -> list[int]:
        return [event.request for event in self.events if isinstance(event, Failed)]


def test_one_subjects_requests_are_served_in_order_of_arrival() -> None:
    slots = Slots(1)
    for number in (1, 2, 3):
        slots.ask(number, "")
    for number in (1, 2, 3):
        assert slots.assign() == [number]
        slots.end(number)
    assert len(slots.desk) == 0


def test_who_holds_no_slot_is_next_whoever_came_before() -> None:
    slots = Slots(2)
    for number in (1, 2, 3, 4):
        slots.ask(number, "A")
    assert slots.assign() == [1, 2]
    slots.ask(5, "B")
    slots.end(1)
    assert slots.assign() == [5]
    slots.end(2)
    # Each holds a place or none; of those that wait only A is left.
    assert slots.assign() == [3]


def test_the_choices_of_one_request_come_first_of_their_subjects_only() -> None:
    slots = Slots(1)
    slots.ask(1, "A", choices=3)
    slots.ask(2, "A")
    slots.ask(3, "B")
    order = []
    for _ in range(5):
        (number,) = slots.assign()
        order.append(number)
        slots.end(number)
    assert [number for number in order if number != 3] == [1, 1, 1, 2]
    assert order.index(3) == 1


@pytest.mark.parametrize("leaves_first", [False, True])
def test_the_queue_is_full_for_each_subject_by_itself(leaves_first: bool) -> None:
    slots = Slots(0)
    for number in (1, 2, 3):
        slots.ask(number, "A")
    slots.ask(4, "B")
    assert slots.refused() == [3]
    if leaves_first:
        slots.desk.drop(1)
        slots.ask(5, "A")
        assert slots.refused() == [3]
        assert len(slots.desk) == 3


def test_who_leaves_the_queue_takes_all_its_choices_along() -> None:
    slots = Slots(1)
    slots.ask(1, "A", choices=3)
    slots.ask(2, "A")
    assert slots.assign() == [1]
    assert len(slots.desk) == 3
    slots.desk.drop(1)
    assert len(slots.desk) == 1
    slots.end(1)
    assert slots.assign() == [2]
    slots.desk.drop(2)
    assert len(slots.desk) == 0
    assert [event.request for event in slots.events if isinstance(event, Accepted)] == [1, 2]
