"""The requests of one engine: who is not over yet, who waits for a slot, and what goes out."""

from __future__ import annotations

import time
from collections import deque
from typing import Any

from kronk.shared.errors import KronkError, Overloaded
from kronk.shared.fair_share import FairShare
from kronk.shared.wire.to_gateway import Accepted, Failed

from .job import Job
from .request import Request


class Desk:
    """Of each subject `queue` requests may wait behind those that a free slot will take at once."""

    def __init__(self, queue: int) -> None:
        self._queue = queue
        # Running, waiting, or with events that wait for credit.
        self._requests: dict[int, Request] = {}
        # Choices that wait for a slot, by their number; subjects take turns. No queue is empty.
        self._waiting: dict[str, deque[tuple[Request, int]]] = {}
        self._share = FairShare()
        # Requests hold its `append`: it stays the same list.
        self._events: list[Any] = []

    def __len__(self) -> int:
        """Choices that wait."""
        return sum(map(len, self._waiting.values()))

    @property
    def has_waiting(self) -> bool:
        """Some choice waits."""
        return bool(self._waiting)

    @property
    def numbers(self) -> list[int]:
        """All requests that are not over."""
        return list(self._requests)

    def admit(self, job: Job, free: int) -> None:
        """Let a job wait for a slot, of which `free` are; or refuse it."""
        # Leases keep the gateway below this; a gateway that does not count is refused here.
        queue = self._waiting.get(job.subject, ())
        new = sum(1 for request, _ in queue if not request.is_started)
        if new >= self._queue + free:
            self.fail(job, Overloaded("the model's queue is full"))
            return
        self._events.append(Accepted(job.request, job.prompt_rows))
        request = self._requests[job.request] = Request(job, self._events.append)
        if request.first is not None:
            self._share.arrive(job.subject, time.monotonic())
            self._waiting.setdefault(job.subject, deque()).append((request, request.first))
            return
        request.conclude(time.monotonic())
        self.forget_if_over(request)

    def next(self) -> tuple[Request, int]:
        """The choice whose turn it is; there is one."""
        subject = next(iter(self._waiting))
        if len(self._waiting) > 1:
            subject = self._share.first(self._waiting, time.monotonic())
        choice = self._waiting[subject].popleft()
        self._share.depart(subject)
        if not self._waiting[subject]:
            del self._waiting[subject]
        return choice

    def took_slot(self, request: Request) -> None:
        """One of its choices has a slot."""
        self._share.take(request.job.subject, time.monotonic())

    def left_slot(self, request: Request) -> None:
        """The choice has it no more."""
        self._share.free(request.job.subject, time.monotonic())

    def put_first(self, choices: list[tuple[Request, int]]) -> None:
        """These were begun with one that has a slot: they come before all others of its subject."""
        for request, number in reversed(choices):
            subject = request.job.subject
            self._share.arrive(subject, time.monotonic())
            self._waiting.setdefault(subject, deque()).appendleft((request, number))

    def pay(self, number: int, events: int) -> bool:
        """Credit from a client; whether a request goes on that had waited for it. It may belong to
        one that is over."""
        request = self._requests.get(number)
        if request is None:
            return False
        has_waited = not request.may_generate
        request.pay(events)
        self.forget_if_over(request)
        return has_waited

    def forget_if_over(self, request: Request) -> None:
        """Called where a request may have sent its last event."""
        if request.is_over:
            self._requests.pop(request.job.request, None)

    def drop(self, number: int) -> Request | None:
        """Forget a request, wherever it is; None when it is over."""
        request = self._requests.pop(number, None)
        if request is not None:
            self._leave(request)
        return request

    def _leave(self, request: Request) -> None:
        """None of its choices waits any more."""
        subject = request.job.subject
        queue = self._waiting.pop(subject, deque())
        rest = deque(item for item in queue if item[0] is not request)
        for _ in range(len(queue) - len(rest)):
            self._share.depart(subject)
        if rest:
            self._waiting[subject] = rest

    def fail(self, job: Job, error: KronkError) -> None:
        """The end of a request that is not, or no longer, here."""
        self._events.append(Failed(job.request, error.code, error.message, error.param))

    def take_events(self) -> list[Any]:
        """What is to be sent now."""
        events = self._events.copy()
        self._events.clear()
        return events
