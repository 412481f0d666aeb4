"""When the supervisor looks at the clock: once a second, and when something is due before that."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

TICK_SECONDS = 1.0
# Not again within the same turn of the loop, whatever the deadlines say.
_LEAST = 0.001


class Pace:
    """The one timer; it calls `tick`, which begins with `begun` and ends with `arm`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, tick: Callable[[], None]) -> None:
        self._loop = loop
        self._tick = tick
        self._timer: asyncio.TimerHandle | None = None
        self._last: float | None = None

    def begun(self, now: float) -> float | None:
        """A tick has begun: when the one before it did, None for the first.

        The next is arranged for first of all, so that no bug in this one can stop the clock.
        """
        self._set(now + TICK_SECONDS)
        last, self._last = self._last, now
        return last

    def arm(self, *deadlines: float | None) -> None:
        """Look at the clock at the first of these, or a second after the last tick."""
        now = self._loop.time()
        # From the last tick, not from now: events come oftener than ticks and would put it off
        # for ever.
        last = now if self._last is None else self._last
        due = min(time for time in (last + TICK_SECONDS, *deadlines) if time is not None)
        self._set(max(due, now + _LEAST))

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _set(self, at: float) -> None:
        self.close()
        self._timer = self._loop.call_at(at, self._tick)
