"""Subjects at one model: who is let in where a queue is full, and whose turn it is."""

from __future__ import annotations

import itertools
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kronk.shared.errors import KronkError
from kronk.shared.fair_share import MOST_TIMES
from kronk.shared.load_spec import load_spec
from kronk.shared.model_config import ModelConfig
from kronk.shared.wire.loading import Fitted
from kronk.shared.wire.to_supervisor import LeaseRequest
from kronk.shared.wire.values import Priority, Purpose
from kronk.supervisor import waiting
from kronk.supervisor.actions import Action, Grant, Refuse
from kronk.supervisor.events import apply
from kronk.supervisor.fleet import Fleet, Policy
from kronk.supervisor.leases import Claim
from kronk.supervisor.lifecycle import Event
from kronk.supervisor.lookups import MOST_WAITING as MOST_LOOKUPS
from kronk.supervisor.model import MOST_BATCH, MOST_WAITING, Model
from kronk.supervisor.workers import newborn

SLOTS, QUEUE = 2, 4
PLACES = SLOTS + QUEUE


class House:
    """A fleet with one model, `a`, and what became of each lease."""

    def __init__(self, *, timeout: float | None = None, queue: int = QUEUE) -> None:
        self.fleet = Fleet(Policy(1, 300.0, spare=False), itertools.count(1).__next__)
        self.now = 0.0
        self.granted: list[int] = []
        self.refused: dict[int, KronkError] = {}
        self._lease = itertools.count(1)
        self._fitted = Fitted(8192, SLOTS, queue, 2, 100, 1000, "llama", "model")
        self._spec = load_spec("a", Path("/models/a.gguf"), ModelConfig(queue_timeout=timeout))

    def note(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Grant(lease):
                    self.granted.append(lease)
                case Refuse(lease, error):
                    self.refused[lease] = error
        counts = asdict(self.fleet.view.leases)
        assert counts.pop("asked") == sum(counts.values()), self.fleet.view.leases

    def ask(
        self,
        subject: str,
        count: int = 1,
        priority: Priority = "interactive",
        purpose: Purpose = "answer",
        *,
        again: bool = False,
        name: str = "a",
    ) -> list[int]:
        leases = list(itertools.islice(self._lease, count))
        for lease in leases:
            claim = Claim(lease, None, priority, purpose, again=again, subject=subject)
            self.note(self.fleet.lease_requested(self.now, claim, name))
        return leases

    def find(self) -> None:
        self.note(self.fleet.resolved(self.now, "a", self._spec))

    def make_ready(self) -> None:
        self.note(self.fleet.hello(self.now, 1))
        self.note(self.fleet.ready(self.now, 1, self._fitted))

    def end(self, lease: int) -> list[int]:
        """Returns what is granted because of it."""
        before = len(self.granted)
        self.note(self.fleet.lease_returned(self.now, lease))
        return self.granted[before:]


def ready(*, timeout: float | None = None, queue: int = QUEUE) -> House:
    """Its model is loaded, and nobody uses it."""
    house = House(timeout=timeout, queue=queue)
    (first,) = house.ask("", 1)
    house.find()
    house.make_ready()
    house.end(first)
    house.granted.clear()
    return house


def test_one_subject_has_the_whole_queue_and_no_more() -> None:
    house = ready()
    leases = house.ask("A", PLACES + 1)
    assert house.granted == leases[:PLACES]
    assert list(house.refused) == leases[PLACES:]
    assert "the queue of a is full: 2 running, 4 waiting" in house.refused[leases[-1]].message


def test_who_comes_to_a_queue_full_of_anothers_is_next_at_the_worker() -> None:
    house = ready()
    crowd = house.ask("A", PLACES)
    (single,) = house.ask("B")
    assert house.granted == [*crowd, single]
    assert not house.refused


def test_each_has_its_share_of_a_full_queue() -> None:
    house = ready()
    house.ask("A", PLACES)
    mine = house.ask("B", PLACES)
    assert set(house.refused) == set(mine[PLACES // 2 :])
    # Who has more than its share gets no more, until it has less.
    (again,) = house.ask("A")
    assert again in house.refused


def test_what_waits_beyond_the_places_takes_turns() -> None:
    house = ready()
    crowd = house.ask("A", PLACES)
    mine = house.ask("B", 3)
    assert house.granted == [*crowd, mine[0]]
    assert house.end(crowd[0]) == []
    assert house.end(crowd[1]) == mine[1:2]
    assert house.end(crowd[2]) == mine[2:]


def test_there_is_a_bound_however_many_subjects_come() -> None:
    house = ready()
    house.ask("A", PLACES)
    leases = [house.ask(f"subject {number}")[0] for number in range(100)]
    let_in = [lease for lease in leases if lease not in house.refused]
    assert len(let_in) == (MOST_TIMES - 1) * PLACES
    # Beyond its places the worker is sent no more than one for each slot.
    assert len(house.granted) == PLACES + SLOTS


def test_where_nobody_may_wait_nobody_does() -> None:
    house = ready(queue=0)
    house.ask("A", SLOTS)
    (other,) = house.ask("B")
    assert other in house.refused


def test_with_a_time_limit_turns_are_taken_here_and_slots_shared_out() -> None:
    house = ready(timeout=60.0)
    crowd = house.ask("A", PLACES)
    mine = house.ask("B", 2)
    assert house.granted == crowd[:SLOTS]
    assert house.end(crowd[0]) == mine[:1]
    # Each has a slot now, and A had its for longer.
    house.now += 1.0
    assert house.end(crowd[1]) == [crowd[2]]
    house.now += 1.0
    assert house.end(crowd[2]) == [crowd[3]]
    assert house.end(mine[0]) == mine[1:]


def test_those_that_waited_for_a_load_are_granted_in_turns() -> None:
    house = House()
    crowd = house.ask("A", 10)
    house.find()
    mine = house.ask("B", 2)
    house.make_ready()
    assert house.granted == [crowd[0], mine[0], crowd[1], mine[1], crowd[2], crowd[3]]


def test_a_load_that_one_subject_waits_for_a_thousand_times_is_waited_for_by_others() -> None:
    house = House()
    house.ask("A")
    house.find()
    house.ask("A", MOST_WAITING - 1)
    assert not house.refused
    mine = house.ask("B", MOST_WAITING // 2 + 1)
    assert list(house.refused) == mine[-1:]


def test_a_thousand_waiting_before_the_load_keep_nobody_out_after_it() -> None:
    house = House()
    house.ask("A")
    house.find()
    house.ask("A", 500)
    house.make_ready()
    (single,) = house.ask("B")
    assert house.granted[-1] == single


def test_look_ups_are_shared_too() -> None:
    house = House()
    house.ask("A", MOST_LOOKUPS, name="slow")
    (other,) = house.ask("A", name="slow")
    assert list(house.refused) == [other]
    house.ask("B", name="slow")
    assert list(house.refused) == [other]


def test_batches_take_turns_among_themselves_and_after_all_others() -> None:
    house = ready()
    (running,) = house.ask("A", priority="batch")
    crowd = house.ask("A", 3, "batch")
    mine = house.ask("B", 1, "batch")
    assert house.granted == [running]
    assert house.end(running) == mine
    (asked,) = house.ask("B")
    assert house.granted[-1] == asked
    assert house.end(asked) == []
    assert house.end(mine[0]) == crowd[:1]


def test_a_batch_queue_that_one_subject_fills_is_open_to_others() -> None:
    house = House()
    house.ask("A", 1, "batch")
    house.find()
    house.ask("A", MOST_BATCH - 1, "batch")
    (late,) = house.ask("A", 1, "batch")
    house.ask("B", 1, "batch")
    assert list(house.refused) == [late]


def test_who_lost_its_process_is_let_in_whatever_its_subject_has() -> None:
    house = ready()
    house.ask("A", PLACES)
    house.ask("A", 2, again=True)
    assert not house.refused


def test_what_needs_no_slot_takes_no_turn_from_its_subject() -> None:
    house = ready()
    crowd = house.ask("A", PLACES)
    looks = house.ask("B", 3, purpose="inspect")
    (single,) = house.ask("B")
    assert house.granted == [*crowd, *looks, single]


def test_nobody_in_particular_is_a_subject_like_any_other() -> None:
    house = ready()
    crowd = house.ask("", PLACES)
    (single,) = house.ask("A")
    assert house.granted == [*crowd, single]


def test_who_waits_is_told_its_place_in_the_order_of_turns() -> None:
    model = Model(load_spec("a", Path("/models/a.gguf"), ModelConfig()), 0.0, 300.0)
    model.enter(Event.LOAD, 0.0)
    model.worker = newborn(1, 0.0)
    for lease, subject in enumerate("AAAB"):
        model.attach(lease, 0.0, None, "interactive", "answer", subject=subject)
    assert waiting.waiting(model, None, 0.0).leases == (0, 3, 1, 2)


def test_a_lease_that_is_to_be_alone_keeps_its_place_in_the_order_of_arrival() -> None:
    model = Model(load_spec("a", Path("/models/a.gguf"), ModelConfig()), 0.0, 300.0)
    model.worker = newborn(1, 0.0)
    model.worker.fitted = Fitted(8192, SLOTS, QUEUE, 2, 100, 1000, "llama", "model")
    model.enter(Event.LOAD, 0.0)
    model.enter(Event.READY, 0.0)
    for lease in (1, 2, 3):
        model.attach(lease, 0.0, None, "interactive", "answer", subject="A")
    model.attach(4, 0.0, None, "interactive", "answer", subject="A", alone=True)
    model.attach(5, 0.0, None, "interactive", "answer", subject="B")
    assert model.grantable(0.0) == [1, 2, 3]
    for lease in (1, 2):
        model.forget(lease, 0.0)
        assert model.grantable(0.0) == []
    model.forget(3, 0.0)
    assert model.grantable(0.0) == [4]
    model.forget(4, 0.0)
    assert model.grantable(0.0) == [5]


def test_the_gateways_word_for_the_subject_reaches_the_model() -> None:
    house = ready()
    house.ask("A", PLACES)

    class Child:
        generation = 1

    request = LeaseRequest(900, "a", subject="B")
    house.note(apply(house.fleet, house.now, Child(), request))  # type: ignore[arg-type]
    assert house.granted[-1] == 900


@given(
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("ask"), st.sampled_from("ABC")),
            st.tuples(st.just("end"), st.integers(0, 50)),
            st.tuples(st.just("later"), st.integers(1, 9)),
        ),
        max_size=120,
    ),
    timeout=st.sampled_from([None, 1e9]),
)
@pytest.mark.parametrize("queue", [1, QUEUE])
def test_whatever_comes_all_that_are_let_in_are_served_in_order_and_within_bounds(
    queue: int, steps: list[tuple[str, str | int]], timeout: float | None
) -> None:
    house = ready(timeout=timeout, queue=queue)
    subjects: dict[int, str] = {}
    ended = set[int]()
    places = SLOTS + queue

    def running() -> list[int]:
        return [lease for lease in house.granted if lease not in ended]

    def check() -> None:
        most = SLOTS if timeout else places + SLOTS
        assert len(running()) <= most
        waits = [s for s in subjects if s not in house.granted and s not in house.refused]
        # Nobody waits while there is a place.
        assert not waits or len(running()) >= (SLOTS if timeout else places)
        assert len(waits) + len(running()) <= MOST_TIMES * places

    for what, value in steps:
        if what == "ask":
            (lease,) = house.ask(str(value))
            subjects[lease] = str(value)
        elif what == "later":
            house.now += float(value)
        elif running():
            lease = running()[int(value) % len(running())]
            ended.add(lease)
            house.end(lease)
        check()
    while running():
        lease = running()[0]
        ended.add(lease)
        house.end(lease)
    assert sorted([*house.granted, *house.refused]) == sorted(subjects)
    for subject in "ABC":
        mine = [lease for lease in house.granted if subjects[lease] == subject]
        assert mine == sorted(mine)
