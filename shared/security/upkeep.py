"""Looks after a process's counters: to the disk each second, a copy now and then, old rows out.

There is no thread before anything is counted, and it sleeps for as long as nothing is.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import structlog

from kronk.shared.errors import ServerError

from .counters import Counters

FLUSH_SECONDS = 1.0
SAVE_SECONDS = 600.0
# The wall clock of a machine that was just started may be wrong by years until the network has set
# it; what is swept by it is gone.
FIRST_SWEEP_SECONDS = 3600.0
SWEEP_SECONDS = 6 * 3600.0
# A copy of more than this is made more seldom.
_LARGE_BYTES = 64 * 1024**2

log = structlog.get_logger()


class Upkeep:
    """A thread of its own, since it waits for the disk."""

    def __init__(
        self,
        counters: Counters,
        *,
        flush_seconds: float = FLUSH_SECONDS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._counters = counters
        self._flush_seconds = flush_seconds
        self._clock = clock
        self._wake = threading.Event()
        self._stop = threading.Event()
        now = time.monotonic()
        self._save_at, self._sweep_at = now + SAVE_SECONDS, now + FIRST_SWEEP_SECONDS
        # Whether the last attempt failed: a full disk is said once.
        self._complained = False
        self._thread: threading.Thread | None = None

    def wake(self) -> None:
        """Something was counted, by the one thread that calls this. Costs next to nothing."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="counters", daemon=True)
            self._thread.start()
        if not self._wake.is_set():
            self._wake.set()

    def stop(self) -> None:
        """Bring the last of it to the disk, and end the thread."""
        self._stop.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.wait()
            self._stop.wait(self._flush_seconds)
            self._wake.clear()
            self._look(time.monotonic())
        # What was counted while the last look was at it.
        self._look(time.monotonic())

    def _look(self, now: float) -> None:
        try:
            self._once(now)
        except ServerError as error:
            if not self._complained:
                log.error("counted calls do not get to the disk", reason=error.message)
            self._complained = True
        else:
            self._complained = False

    def _once(self, now: float) -> None:
        if not self._counters.is_dirty:
            return
        self._counters.flush()
        if now >= self._save_at:
            self._save_at = now + SAVE_SECONDS * max(1.0, self._counters.size / _LARGE_BYTES)
            self._counters.save()
        if now >= self._sweep_at and self._counters.sweep(self._clock()) is None:
            self._sweep_at = now + SWEEP_SECONDS
