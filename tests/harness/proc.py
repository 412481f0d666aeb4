"""What /proc knows of processes: whose they are, whether they live, what they hold and use."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Process:
    """One line of /proc."""

    pid: int
    parent: int
    state: str
    name: str
    cpu_seconds: float


def find(pid: int) -> Process | None:
    """The process of this id; None when there is none, not even a zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    head, _, tail = text.rpartition(")")
    fields = tail.split()
    ticks = int(fields[11]) + int(fields[12])
    return Process(pid, int(fields[1]), fields[0], head.partition("(")[2], ticks / _TICKS)


def every() -> Iterator[Process]:
    """All processes, as they are while we look."""
    for entry in os.listdir("/proc"):
        if entry.isdecimal() and (process := find(int(entry))):
            yield process


def children(pid: int) -> list[Process]:
    """Its children, zombies among them."""
    return [process for process in every() if process.parent == pid]


def descendants(pid: int) -> list[Process]:
    """Its children, theirs, and so on."""
    of: dict[int, list[Process]] = {}
    for process in every():
        of.setdefault(process.parent, []).append(process)
    found: list[Process] = []
    parents = [pid]
    while parents:
        next_ones = of.get(parents.pop(), [])
        found += next_ones
        parents += [process.pid for process in next_ones]
    return found


def zombies(pid: int) -> list[Process]:
    """Children it has not reaped."""
    return [process for process in children(pid) if process.state == "Z"]


def is_gone(pid: int) -> bool:
    """Ended, reaped or not: a zombie runs nothing and holds nothing."""
    process = find(pid)
    return process is None or process.state in "ZX"


def is_still(pid: int) -> bool:
    """Stopped by a signal, or ended."""
    process = find(pid)
    return process is None or process.state in "TZX"


def marked(name: str, value: str) -> list[Process]:
    """Every process with this variable in its environment, whoever its parent is by now."""
    wanted = f"{name}={value}".encode()
    found = []
    for process in every():
        try:
            variables = Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        if wanted in variables:
            found.append(process)
    return found


def open_files(pid: int) -> int:
    """How many descriptors it holds."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def threads(pid: int) -> int:
    """How many threads it has."""
    return len(os.listdir(f"/proc/{pid}/task"))


def connections(path: str) -> int:
    """Connections that the listener of this Unix socket has accepted."""
    rows = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()]
    # The fields are address, references, protocol, flags, type, state, inode and path; the
    # listener itself is the row whose flags are set.
    return sum(1 for row in rows if row[-1] == path and int(row[3], 16) == 0)


def cpu_share(pids: list[int], seconds: float) -> dict[int, float]:
    """The share of one core each process used over a window of that many seconds."""

    def used() -> dict[int, int]:
        return {pid: _nanoseconds(pid) for pid in pids}

    before, started = used(), time.monotonic()
    # The window that is measured, not a wait for something.
    time.sleep(seconds)
    spent = time.monotonic() - started
    return {pid: (after - before[pid]) / 1e9 / spent for pid, after in used().items()}


def _nanoseconds(pid: int) -> int:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks)
