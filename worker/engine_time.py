"""What the engine's thread does with its time: it decodes, does all else, or waits for work.

By the wall: to ask the kernel for a thread's processor time at each step costs as much as to choose
a token. `processor_time.py` makes that of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal


class EngineTime:
    """Written on the engine's thread, read on any; `wakes` is called first when the load is over,
    and nothing counts before."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._phase: Literal["waiting", "computing", "between"] = "waiting"
        # When that began.
        self._since = 0.0
        self._computing = 0.0
        self._between = 0.0

    def wakes(self) -> None:
        """There is work."""
        self._since, self._phase = self._clock(), "between"

    def rests(self) -> None:
        """There is none any more."""
        self.begins()
        self._phase = "waiting"

    def begins(self) -> None:
        """Native code is about to compute."""
        if self._phase == "between":
            now = self._clock()
            self._between += now - self._since
            self._since, self._phase = now, "computing"

    def ends(self) -> None:
        """It has."""
        if self._phase == "computing":
            now = self._clock()
            self._computing += now - self._since
            self._since, self._phase = now, "between"

    def read(self) -> tuple[float, float]:
        """Seconds in native code that computes, decodes and the encoding of images and recordings;
        and those between, while there was work. Up to now."""
        phase, lasts = self._phase, self._clock() - self._since
        return (
            self._computing + (lasts if phase == "computing" else 0.0),
            self._between + (lasts if phase == "between" else 0.0),
        )


# A process has one engine in its life.
ENGINE_TIME = EngineTime()
