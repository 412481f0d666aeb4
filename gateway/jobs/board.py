"""The latest word of each job that is not over, and those who wait for the next one."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Callable

from kronk.gateway.dialects.sse import sse

from .records import Job, job_object

# Between two events of one job: more cannot be seen.
_LEAST_GAP = 0.25
# Jobs that were shown to be over: those who watch all of them come by each second.
_MOST_ENDED = 100


class News:
    """A job as it is told; the bytes are made once for all who watch."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self._event: bytes | None = None

    @property
    def event(self) -> bytes:
        """As a server-sent event."""
        if self._event is None:
            self._event = sse(job_object(self.job))
        return self._event


class _Seat:
    def __init__(self, job: Job) -> None:
        self.news = News(job)
        self.changed = asyncio.Event()

    def tell(self, job: Job) -> None:
        self.news = News(job)
        self.changed.set()
        self.changed = asyncio.Event()


class Board:
    """Of one gateway. To be used on its loop."""

    def __init__(self) -> None:
        self._seats: dict[str, _Seat] = {}
        self._closed = asyncio.Event()
        self._observers: list[Callable[[Job], None]] = []
        self._ended: deque[Job] = deque(maxlen=_MOST_ENDED)
        # How many there ever were.
        self.ended_count = 0

    @property
    def live(self) -> list[Job]:
        """Those that are known here and not over, each as it is now."""
        return [seat.news.job for seat in self._seats.values()]

    def ended_since(self, count: int) -> tuple[Job, ...]:
        """Those that ended since so many had, the oldest first, as far as they are kept."""
        return tuple(self._ended)[max(len(self._ended) - (self.ended_count - count), 0) :]

    def observe(self, tell: Callable[[Job], None]) -> None:
        """Have each change told as it comes."""
        self._observers.append(tell)

    def show(self, job: Job) -> None:
        """It is so now."""
        for tell in self._observers:
            tell(job)
        seat = self._seats.get(job.id)
        if seat is not None:
            seat.tell(job)
        elif not job.is_over:
            self._seats[job.id] = _Seat(job)
        if job.is_over:
            self._seats.pop(job.id, None)
            # Told so twice, by who cancels it and by who looks again, it still ended once.
            if all(job.id != one.id for one in self._ended):
                self._ended.append(job)
                self.ended_count += 1

    def move(self, job: Job) -> None:
        """It has got on, unless its state is another one by now."""
        seat = self._seats.get(job.id)
        if seat is not None and seat.news.job.state is job.state:
            for tell in self._observers:
                tell(job)
            seat.tell(job)

    def latest(self, job: Job) -> Job:
        """With how far it is, where that is known here: of what is stored, `job` is newer."""
        seat = self._seats.get(job.id)
        same = seat is not None and seat.news.job.state is job.state
        return seat.news.job if seat is not None and same else job

    def close(self) -> None:
        """The gateway ends: nobody is told any more, and those who watch come again."""
        self._closed.set()
        for seat in self._seats.values():
            seat.changed.set()

    async def changes(self, job: Job, quiet: float) -> AsyncIterator[News | None]:
        """What it is now, then each change, to its end or the gateway's; None after so many
        seconds without any."""
        seat = _Seat(job) if job.is_over else self._seats.setdefault(job.id, _Seat(job))
        told = None
        while not self._closed.is_set():
            news, changed = seat.news, seat.changed
            if news is told:
                if not await _is_set(changed, quiet):
                    yield None
                continue
            told = news
            yield news
            if news.job.is_over:
                return
            await asyncio.sleep(_LEAST_GAP)


async def _is_set(event: asyncio.Event, seconds: float) -> bool:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds or None):
            await event.wait()
    return event.is_set()
