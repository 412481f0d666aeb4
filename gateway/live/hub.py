"""One snapshot a second for all who watch, made and encoded once; nothing while nobody does.

Nobody has a queue. Whoever comes back from a slow client gets the newest snapshot and what happened
since the last one, as far as that is kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import structlog

from kronk.shared.errors import KronkError, Overloaded, Unauthenticated
from kronk.shared.model_config import Configs

from .facts import Facts, state_of
from .happenings import Happening, between, drain_begun
from .viewer import Viewer

EVERY = 1.0
# Each has a connection, and a second's snapshot is copied for each.
MOST_WATCHING = 256
# That somebody slow may still be told of.
MOST_KEPT = 200

Why = Literal["draining", "unauthenticated"]
Check = Callable[[], Awaitable[None]]
log = structlog.get_logger()


class Source(Protocol):
    """Where facts are from."""

    async def collect(self) -> Facts:
        """As of now; a `KronkError` where they cannot be had."""
        ...

    def forget(self) -> None:
        """Nobody watches any more: what comes later is no news since now."""
        ...


class Message:
    """What is told, encoded once in each of the forms it is sent in."""

    __slots__ = ("_event", "kind", "text")

    def __init__(self, told: Mapping[str, Any]) -> None:
        self.kind = str(told["type"])
        # ASCII only: some clients take U+2028 for the end of a line.
        self.text = json.dumps(told, separators=(",", ":"))
        self._event: bytes | None = None

    @property
    def event(self) -> bytes:
        """As a server-sent event, named by its kind."""
        if self._event is None:
            self._event = f"event: {self.kind}\ndata: {self.text}\n\n".encode()
        return self._event


@dataclass(frozen=True, slots=True)
class End:
    """Why somebody is told no more."""

    why: Why
    message: str

    def told(self, now: float) -> Message:
        """The last message."""
        return Message(
            {
                "object": "kronk.live",
                "type": "end",
                "time": round(now, 3),
                "reason": self.why,
                "message": self.message,
            }
        )


class _Snapshot:
    def __init__(self, sequence: int, facts: Facts) -> None:
        self.sequence = sequence
        self._state = state_of(facts, sequence)
        self._messages: dict[Viewer, Message] = {}

    def message(self, viewer: Viewer, configs: Configs) -> Message:
        found = self._messages.get(viewer)
        if found is None:
            found = self._messages[viewer] = Message(viewer.view(self._state, configs))
        return found


class _Told:
    """Something that happened, with its place in the order of all that did."""

    def __init__(self, number: int, happening: Happening) -> None:
        self.number = number
        self.model = happening.model
        self.message = Message(happening.told(number))


class Hub:
    """Of one gateway. To be used on its loop."""

    def __init__(
        self,
        source: Source,
        configs: Callable[[], Configs],
        *,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.wall = wall
        self._source = source
        self._configs = configs
        self._pause = pause
        self._clock = clock
        self._watching = 0
        self._ticker: asyncio.Task[None] | None = None
        # That one and others, which were cancelled and have not noticed yet.
        self._tickers: set[asyncio.Task[None]] = set()
        # Counts over all who ever watched, so that a number is never used twice.
        self._sequence = 0
        self._number = 0
        self._facts: Facts | None = None
        self._latest: _Snapshot | None = None
        self._happened: deque[_Told] = deque(maxlen=MOST_KEPT)
        self._end: End | None = None
        self._news = asyncio.Event()
        self._is_failing = False

    @property
    def watching(self) -> int:
        """How many watch."""
        return self._watching

    @contextlib.contextmanager
    def join(self, viewer: Viewer) -> Iterator[Subscription]:
        """Watch while the block runs; `Overloaded` where that cannot be."""
        if self._end is not None:
            raise Overloaded("the server is stopping", retry_after=EVERY)
        if self._watching >= MOST_WATCHING:
            raise Overloaded(f"{MOST_WATCHING} clients are watching already")
        self._watching += 1
        if self._ticker is None:
            self._ticker = asyncio.create_task(self._tick(), name="live")
            self._tickers.add(self._ticker)
            self._ticker.add_done_callback(self._tickers.discard)
        try:
            yield Subscription(self, viewer, self._number)
        finally:
            self._watching -= 1
            if not self._watching:
                self._rest()

    def drain(self) -> None:
        """The gateway ends: all are told so, and nobody may come. Idempotent."""
        if self._end is None:
            self._happen(drain_begun(self.wall()))
            self._end = End("draining", "the server is stopping")
            self._ring()

    async def close(self) -> None:
        """Nothing is done any more."""
        self._rest()
        await asyncio.gather(*self._tickers, return_exceptions=True)

    # For subscriptions.

    @property
    def end(self) -> End | None:
        """Set once all are to end."""
        return self._end

    def happened_since(self, number: int) -> list[_Told]:
        """What is newer, as far as it is kept."""
        return [one for one in self._happened if one.number > number]

    def newest(self, viewer: Viewer, seen: int) -> tuple[int, Message] | None:
        """The newest snapshot with its number, if it is not the one that was seen."""
        latest = self._latest
        if latest is None or latest.sequence == seen:
            return None
        return latest.sequence, latest.message(viewer, self._configs())

    def may_see(self, viewer: Viewer, one: _Told) -> bool:
        """Whether this viewer is told of it."""
        return one.model is None or viewer.may_see(one.model, self._configs())

    def news(self) -> asyncio.Event:
        """Set at the next change."""
        return self._news

    # The clock.

    async def _tick(self) -> None:
        while True:
            began = self._clock()
            await self._take()
            await self._pause(max(EVERY - (self._clock() - began), 0.0))

    async def _take(self) -> None:
        try:
            self._turn(await self._source.collect())
            self._is_failing = False
        except Exception as error:
            # A supervisor that does not answer now does so later, and those who watch wait.
            if not self._is_failing:
                known = isinstance(error, KronkError)
                write = log.warning if known else log.exception
                write("the live state cannot be told", reason=str(error))
            self._is_failing = True

    def _turn(self, facts: Facts) -> None:
        """A new second begins with these."""
        if self._facts is not None:
            for happening in between(self._facts, facts):
                self._happen(happening)
        self._facts = facts
        self._sequence += 1
        self._latest = _Snapshot(self._sequence, facts)
        self._ring()

    def _happen(self, happening: Happening) -> None:
        self._number += 1
        self._happened.append(_Told(self._number, happening))

    def _ring(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    def _rest(self) -> None:
        if self._ticker is not None:
            self._ticker.cancel()
            self._ticker = None
        self._facts = self._latest = None
        self._happened.clear()
        self._source.forget()


class Subscription:
    """One who watches: how far he is told, and nothing else."""

    def __init__(self, hub: Hub, viewer: Viewer, number: int) -> None:
        self._hub = hub
        self._viewer = viewer
        # Of the last snapshot, and of the last that happened.
        self._seen = 0
        self._number = number

    async def messages(
        self, check: Check, expires: float | None, quiet: float
    ) -> AsyncIterator[Message | None]:
        """All that is told, the newest state first; ends after a message that says why. None after
        so many seconds without any (0 is never). `check` raises `Unauthenticated` for who may not
        watch any more, who may until `expires` at most (Unix seconds)."""
        hub = self._hub
        while True:
            news = hub.news()
            ended = hub.end or await _not_any_more(check, expires, hub.wall())
            for one in hub.happened_since(self._number):
                self._number = one.number
                if hub.may_see(self._viewer, one):
                    yield one.message
            if ended is not None:
                yield ended.told(hub.wall())
                return
            newest = hub.newest(self._viewer, self._seen)
            if newest is not None:
                self._seen, message = newest
                yield message
            elif not await _is_set(news, quiet):
                yield None


async def _not_any_more(check: Check, expires: float | None, now: float) -> End | None:
    """Why somebody who was let in may not watch any more."""
    if expires is not None and now >= expires:
        return End("unauthenticated", "the token has expired")
    try:
        await check()
    except Unauthenticated as error:
        return End("unauthenticated", error.message)
    return None


async def _is_set(event: asyncio.Event, seconds: float) -> bool:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds or None):
            await event.wait()
    return event.is_set()
