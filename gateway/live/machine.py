"""What this machine and our processes are taking now. For a thread: all of it is read from files.

Nothing that costs more the more memory a process has, such as `smaps`, is read.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from kronk.shared.gpus import gpus

# What changes slowly is looked at so often, in seconds.
_SLOW_EVERY = 10.0
# Of the times of a processor, what is none of its work, or is in the others already.
_NOT_WORK = frozenset({"idle", "iowait", "guest", "guest_nice"})
_IN_OTHERS = frozenset({"guest", "guest_nice"})
_HAS_PROC = Path("/proc/self/stat").exists()
_TICKS, _PAGE_BYTES = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class ProcessReading:
    """One process. None is what this system, or its rights, do not tell."""

    rss_bytes: int | None
    # Of one core, since the last reading; None at the first.
    cpu_percent: float | None
    threads: int | None
    fds: int | None
    # Seconds of the Unix epoch.
    started: float | None


@dataclass(frozen=True, slots=True)
class Reading:
    """All that is read at a time."""

    # As it is told.
    system: Mapping[str, Any]
    # By pid.
    processes: Mapping[int, ProcessReading]


class Machine:
    """Remembers the reading before, as shares of processors are differences."""

    def __init__(self, base: Path, clock: Callable[[], float] = time.monotonic) -> None:
        """`base` is the folder of which the disk's free space is told."""
        self._base = base
        self._clock = clock
        self._processes: dict[int, psutil.Process] = {}
        # When it was, and processor seconds by then.
        self._used: dict[int, tuple[float, float]] = {}
        self._cores: list[tuple[float, float]] = []
        self._slow: dict[str, Any] = {}
        self._slow_until = 0.0
        # Whoever asked may have left while a thread reads, and somebody else have come.
        self._reading = threading.Lock()

    def read(self, pids: Iterable[int]) -> Reading:
        """As of now."""
        with self._reading:
            return self._read(set(pids))

    def _read(self, wanted: set[int]) -> Reading:
        now = self._clock()
        for pid in self._processes.keys() - wanted:
            self._forget(pid)
        found = {pid: self._process(pid, now) for pid in wanted}
        return Reading(self._system(now), {pid: one for pid, one in found.items() if one})

    # Processes.

    def _process(self, pid: int, now: float) -> ProcessReading | None:
        try:
            process = self._processes.get(pid)
            if process is None:
                process = self._processes[pid] = psutil.Process(pid)
            usage = _usage(process)
            return ProcessReading(
                rss_bytes=usage.rss_bytes,
                cpu_percent=self._share(pid, now, usage.cpu_seconds),
                threads=usage.threads,
                fds=_fds(process),
                # Looked up once.
                started=process.create_time(),
            )
        except (psutil.Error, OSError):
            # It has ended, or is not ours to look at.
            self._forget(pid)
            return None

    def _share(self, pid: int, now: float, used: float) -> float | None:
        then, before = self._used.get(pid, (now, used))
        self._used[pid] = (now, used)
        return round(100.0 * (used - before) / (now - then), 1) if now > then else None

    def _forget(self, pid: int) -> None:
        self._processes.pop(pid, None)
        self._used.pop(pid, None)

    # The machine.

    def _system(self, now: float) -> dict[str, Any]:
        if now >= self._slow_until:
            self._slow_until = now + _SLOW_EVERY
            self._slow = self._read_slowly()
        memory = psutil.virtual_memory()
        cores = self._core_shares()
        return {
            "cpu_percent": None if cores is None else round(sum(cores) / len(cores), 1),
            "cores": cores,
            "core_count": len(self._cores),
            "load": [round(load, 2) for load in os.getloadavg()],
            "memory": {
                "total_bytes": memory.total,
                "used_bytes": memory.used,
                "available_bytes": memory.available,
            },
            "gpus": [asdict(gpu) for gpu in gpus()],
            **self._slow,
        }

    def _read_slowly(self) -> dict[str, Any]:
        swap = psutil.swap_memory()
        try:
            disk = shutil.disk_usage(self._base)
        except OSError:
            disk = None
        return {
            "swap": {"total_bytes": swap.total, "used_bytes": swap.used},
            "disk": disk and {"total_bytes": disk.total, "free_bytes": disk.free},
        }

    def _core_shares(self) -> list[float] | None:
        """Of each core, how much of the time since the last reading it worked, in percent."""
        cores = [_worked(times._asdict()) for times in psutil.cpu_times(percpu=True)]
        before, self._cores = self._cores, cores
        if len(before) != len(cores):
            return None
        return [
            round(100.0 * max(work - then_work, 0.0) / (whole - then_whole), 1)
            if whole > then_whole
            else 0.0
            for (work, whole), (then_work, then_whole) in zip(cores, before, strict=True)
        ]


def _worked(times: Mapping[str, float]) -> tuple[float, float]:
    """Seconds at work, and seconds in all."""
    whole = sum(seconds for name, seconds in times.items() if name not in _IN_OTHERS)
    work = sum(seconds for name, seconds in times.items() if name not in _NOT_WORK)
    return work, whole


class _Usage(NamedTuple):
    cpu_seconds: float
    rss_bytes: int
    threads: int


def _usage(process: psutil.Process) -> _Usage:
    """From one small file where there is one: psutil reads three for it."""
    if not _HAS_PROC:
        with process.oneshot():
            times = process.cpu_times()
            return _Usage(
                times.user + times.system, process.memory_info().rss, process.num_threads()
            )
    with open(f"/proc/{process.pid}/stat", "rb") as file:
        stat = file.read()
    # The name in parentheses may have anything in it; after it there are numbers (proc(5)).
    facts = stat[stat.rindex(b")") + 2 :].split()
    ticks = int(facts[11]) + int(facts[12])
    return _Usage(ticks / _TICKS, int(facts[21]) * _PAGE_BYTES, int(facts[17]))


def _fds(process: psutil.Process) -> int | None:
    try:
        if _HAS_PROC:
            return len(os.listdir(f"/proc/{process.pid}/fd"))
        return int(process.num_fds())
    except (PermissionError, psutil.AccessDenied, AttributeError):
        # One that may not be looked into; a system that calls them otherwise.
        return None
