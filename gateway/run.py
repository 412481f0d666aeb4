"""One live request as the route that serves it sees it: a mailbox and one terminal event."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol

from kronk.shared.errors import CallerError, Internal, KronkError
from kronk.shared.wire.to_gateway import Delta, Done

from .job import Job

# Deltas a worker may be ahead of the client. The mailbox never holds more.
WINDOW = 64


class ClientGone(CallerError):
    """The client closed its connection before the answer was complete; nobody reads this.

    The status is nginx's word for it, and appears in the access log only.
    """

    status = 499
    code = "client_gone"


class Timer(Protocol):
    """What `call_later` returns."""

    def cancel(self) -> None: ...


class Run:
    """Filled by the `Exchange`, emptied by a route; at most one task may wait on it.

    Ends once: after `end`, `ended` is set and never changes.
    """

    def __init__(self, run_id: int, name: str, job: Job) -> None:
        self.id = run_id
        self.name = name
        self.job = job
        # The generation of the worker that holds the lease's grant; None until granted.
        self.worker: int | None = None
        self.submitted = False
        self.accepted = False
        self.ended: Done | KronkError | None = None
        self.timers: list[Timer] = []
        # len(_mailbox) + _taken <= WINDOW: what the worker sent and we gave no credit for.
        self._mailbox: deque[Delta] = deque()
        self._taken = 0
        self._wake: asyncio.Future[None] | None = None

    # The exchange's side.

    def accept(self) -> None:
        """The worker has found the request good."""
        self.accepted = True
        self._notify()

    def deliver(self, delta: Delta) -> bool:
        """Put a delta into the mailbox; false when the worker had no credit for it."""
        if len(self._mailbox) + self._taken >= WINDOW:
            return False
        self._mailbox.append(delta)
        self._notify()
        return True

    def end(self, result: Done | KronkError) -> None:
        """The terminal event; what the mailbox holds is still read first."""
        assert self.ended is None, "a request ends once"
        self.ended = result
        self._notify()

    def credit(self) -> int:
        """How many deltas the worker may be told were taken: half a window at a time."""
        if self._taken < WINDOW // 2:
            return 0
        taken, self._taken = self._taken, 0
        return taken

    def _notify(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    # The route's side.

    async def until_accepted(self) -> None:
        """Return once the request is known to be good; raises what it was refused with."""
        while not self.accepted and self.ended is None:
            await self._sleep()
        if isinstance(self.ended, KronkError) and not self.accepted:
            raise self.ended

    async def take(self) -> list[Delta]:
        """All deltas that wait, at least one; empty when the request has ended."""
        while not self._mailbox and self.ended is None:
            await self._sleep()
        deltas = list(self._mailbox)
        self._mailbox.clear()
        self._taken += len(deltas)
        return deltas

    def result(self) -> Done:
        """How an ended request ended; raises its error."""
        if isinstance(self.ended, KronkError):
            raise self.ended
        if self.ended is None:
            raise Internal("the result of a request that still runs was asked for")
        return self.ended

    async def _sleep(self) -> None:
        self._wake = asyncio.get_running_loop().create_future()
        try:
            await self._wake
        finally:
            self._wake = None
