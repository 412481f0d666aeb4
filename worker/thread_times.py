"""Processor time of this process's own threads, as opposed to those that llama.cpp computes in."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

_TASKS = Path("/proc/self/task")
# How Linux numbers the processor clock of a thread: time.h's CLOCK_THREAD_CPUTIME_ID, of any.
_PER_THREAD = 0b110


class ThreadTimes:
    """Of those of Python's threads whose names are `wanted`, and of `others`, which are not
    Python's."""

    def __init__(self, wanted: Callable[[str], bool], others: Iterable[int] = ()) -> None:
        self._others = frozenset(others)
        self._wanted = wanted
        # The latest of each, so that what a thread took is not forgotten with it.
        self._seconds: dict[int, float] = {}
        self._gone = 0.0

    def total(self) -> float:
        """Seconds so far. Asks the kernel once for each thread."""
        for thread in set(self._living()):
            seconds = _seconds(thread)
            if seconds is not None:
                before = self._seconds.get(thread, 0.0)
                # Another one has the number now.
                self._gone += before if seconds < before else 0.0
                self._seconds[thread] = seconds
        return self._gone + sum(self._seconds.values())

    def _living(self) -> Iterable[int]:
        yield from self._others
        for thread in threading.enumerate():
            if thread.native_id is not None and self._wanted(thread.name):
                yield thread.native_id


def thread_ids() -> frozenset[int]:
    """All threads of this process; none where that cannot be seen."""
    try:
        return frozenset(int(name) for name in os.listdir(_TASKS))
    except OSError:
        return frozenset()


def _seconds(thread: int) -> float | None:
    try:
        return time.clock_gettime(~thread << 3 | _PER_THREAD)
    except OSError:
        # It has ended.
        return None
