"""Who may go on, and who has to wait: batches among each other, and requests of all batches."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Protocol, TypeVar

# Batches of one subject whose lines run at the same time. A second one keeps a short batch from
# waiting for a long one.
BATCHES_AT_ONCE = 2
# Subjects whose batches run at the same time: nobody waits for days behind those of another, and
# who shares a model with whom is the supervisor's to say.
SUBJECTS_AT_ONCE = 8


class Closeable(Protocol):
    """What was opened."""

    def close(self) -> None: ...


C = TypeVar("C", bound=Closeable)


@asynccontextmanager
async def opened(open_it: Callable[[], C]) -> AsyncIterator[C]:
    """What `open_it` opens in a thread; closed in the end, also when nobody waits for it."""
    opening = asyncio.ensure_future(asyncio.to_thread(open_it))
    try:
        thing = await asyncio.shield(opening)
    except asyncio.CancelledError:
        await asyncio.wait([opening])
        if opening.exception() is None:
            opening.result().close()
        raise
    try:
        yield thing
    finally:
        thing.close()


class Waiters:
    """Tasks that wait for something to be true; one loop's."""

    def __init__(self) -> None:
        self._waiting: list[asyncio.Future[None]] = []

    async def until(self, is_true: Callable[[], bool]) -> None:
        """Return at once when it is true, else as soon as it is after a `wake`."""
        while not is_true():
            waiter = asyncio.get_running_loop().create_future()
            self._waiting.append(waiter)
            try:
                await waiter
            finally:
                self._waiting.remove(waiter)

    def wake(self) -> None:
        """Something has changed: let them look."""
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(None)


class Turns:
    """Batches take turns, first come first served, those of each subject in a line of their own."""

    def __init__(self) -> None:
        # Reading hundreds of megabytes is felt by others.
        self.validate = asyncio.Semaphore(1)
        self.ward = Ward()
        # Each with its owner.
        self._line: dict[str, str | None] = {}
        self._waiters = Waiters()

    def stand_in_line(self, batch: str, owner: str | None) -> None:
        """Behind those that came before."""
        self._line[batch] = owner

    def leave(self, batch: str) -> None:
        """It is over, or this life is. Idempotent."""
        if batch in self._line:
            del self._line[batch]
            self._waiters.wake()

    async def come(self, batch: str) -> None:
        """Wait until it is among the first."""
        await self._waiters.until(lambda: self._is_first(batch))

    def _is_first(self, batch: str) -> bool:
        owner, lines = self._line[batch], dict[str | None, list[str]]()
        for name, whose in self._line.items():
            lines.setdefault(whose, []).append(name)
        is_owners_turn = owner in list(lines)[:SUBJECTS_AT_ONCE]
        return is_owners_turn and batch in lines[owner][:BATCHES_AT_ONCE]


class Ward:
    """Requests run beside one another, or one of them alone; who wants to be alone goes first.

    A worker that dies takes all it was doing with it. Those requests run again one by one: the one
    it dies of then has no company that would be given up with it.
    """

    def __init__(self) -> None:
        self._inside = 0
        self._want_alone = 0
        # While it is true, `_inside` is 1.
        self._is_closed = False
        self._waiters = Waiters()

    @asynccontextmanager
    async def beside_others(self) -> AsyncIterator[None]:
        """While nobody is alone, or wants to be."""
        await self._waiters.until(lambda: not self._is_closed and not self._want_alone)
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1
            self._waiters.wake()

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """While nobody else is inside."""
        self._want_alone += 1
        try:
            await self._waiters.until(lambda: not self._inside)
            self._inside, self._is_closed = 1, True
            try:
                yield
            finally:
                self._inside, self._is_closed = 0, False
        finally:
            self._want_alone -= 1
            self._waiters.wake()
