"""How late a process's loop is, and what Python's garbage costs it."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import Callable
from typing import Any

from kronk.shared.wire.status import Runtime

# For so long the worst delay is told, and for as long again at most.
_WINDOW_SECONDS = 2.0
_TURN_SECONDS = 1.0


class Meter:
    """One per process. Measuring costs about a microsecond for each collection of garbage, and a
    turn of the loop a second; what is told may be asked for from any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._worst = [0.0, 0.0]
        self._window = clock()
        # When the loop should have had its next turn; None where nobody waits for that.
        self._due: float | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._collections = 0
        self._gc_seconds = 0.0
        self._gc_began = 0.0

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Watch collections of garbage, and know whose tasks to count."""
        self._loop = loop
        gc.callbacks.append(self._collected)

    async def keep_turning(self) -> None:
        """Measure the running loop by a timer of its own, for ever."""
        while True:
            self._due = self._clock() + _TURN_SECONDS
            await asyncio.sleep(_TURN_SECONDS)
            self.late(self._clock() - self._due)

    def asked(self) -> None:
        """Another thread has asked the loop for a turn."""
        if self._due is None:
            self._due = self._clock()

    def turned(self) -> None:
        """The loop has had it."""
        due, self._due = self._due, None
        if due is not None:
            self.late(self._clock() - due)

    def late(self, seconds: float) -> None:
        """The loop had its turn so much later than it should."""
        self._turn_over()
        self._worst[0] = max(self._worst[0], seconds)

    def read(self) -> Runtime:
        """As it is now. A loop that hangs is late already."""
        self._turn_over()
        worst = max(self._worst)
        # Once: the loop may have its turn meanwhile.
        due = self._due
        if due is not None:
            worst = max(worst, self._clock() - due)
        return Runtime(
            loop_lag=worst,
            tasks=_tasks(self._loop),
            threads=threading.active_count(),
            gc_collections=self._collections,
            gc_seconds=self._gc_seconds,
        )

    def _turn_over(self) -> None:
        now = self._clock()
        if now - self._window >= _WINDOW_SECONDS:
            is_recent = now - self._window < 2 * _WINDOW_SECONDS
            self._worst = [0.0, self._worst[0] if is_recent else 0.0]
            self._window = now

    def _collected(self, phase: str, _: dict[str, Any]) -> None:
        if phase == "start":
            self._gc_began = time.perf_counter()
        else:
            self._collections += 1
            self._gc_seconds += time.perf_counter() - self._gc_began


def _tasks(loop: asyncio.AbstractEventLoop | None) -> int:
    try:
        return len(asyncio.all_tasks(loop)) if loop is not None else 0
    except RuntimeError:
        # They came and went faster than a set can be copied.
        return 0
