"""What the engine's thread does with its time: it decodes, does all else, or waits for work.

By the wall: to ask the kernel for a thread's processor time at each step costs as much as to choose
a token. Where others want the cores, all of it is longer.
"""

from __future__ import annotations

import time
from collections.abc import Callable


class EngineTime:
    """Written on the engine's thread, read on any. Seconds since `wakes` was first called."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        # In native code that computes: decodes, and the encoding of images and recordings.
        self.computing = 0.0
        # Before, between and after those, while there was work.
        self.between = 0.0
        self._clock = clock
        # When the present stretch began; None while it waits for work, and during the load.
        self._since: float | None = None

    def wakes(self) -> None:
        """There is work again."""
        self._since = self._clock()

    def rests(self) -> None:
        """There is none."""
        self.begins()
        self._since = None

    def begins(self) -> None:
        """Native code is about to compute."""
        if self._since is not None:
            now = self._clock()
            self.between += now - self._since
            self._since = now

    def ends(self) -> None:
        """It has."""
        if self._since is not None:
            now = self._clock()
            self.computing += now - self._since
            self._since = now


# A process has one engine in its life.
ENGINE_TIME = EngineTime()
