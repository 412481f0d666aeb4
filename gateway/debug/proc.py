"""What the kernel knows of a process, from /proc; never anything of its memory's contents."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_STATES = {
    "R": "running",
    "S": "sleeping",
    "D": "in uninterruptible sleep",
    "T": "stopped by a signal",
    "t": "stopped by a debugger",
    "Z": "a zombie",
    "I": "idle",
}


@dataclass(frozen=True, slots=True)
class Figures:
    """A process at one moment."""

    rss_bytes: int
    # Of all its threads since its start.
    cpu_seconds: float
    threads: int
    fds: int | None


@dataclass(frozen=True, slots=True)
class Thread:
    """One thread, as the kernel sees it."""

    tid: int
    name: str
    state: str
    # The function of the kernel it waits in; "" where it waits for none or that is kept from us.
    wchan: str
    cpu_seconds: float


def figures(pid: int) -> Figures | None:
    """None for a process that is gone."""
    fields = _stat(Path(f"/proc/{pid}"))
    if fields is None:
        return None
    try:
        fds = len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        fds = None
    cpu = (int(fields[11]) + int(fields[12])) / _TICKS
    return Figures(int(fields[21]) * _PAGE, cpu, int(fields[17]), fds)


def threads(pid: int) -> list[Thread]:
    """All of them, the first one first."""
    found = []
    for folder in sorted(Path(f"/proc/{pid}/task").glob("*"), key=lambda one: int(one.name)):
        fields = _stat(folder)
        if fields is None:
            continue
        name, wchan = _text(folder / "comm"), _text(folder / "wchan")
        cpu = (int(fields[11]) + int(fields[12])) / _TICKS
        waits = "" if wchan == "0" else wchan
        found.append(Thread(int(folder.name), name, state(fields[0]), waits, cpu))
    return found


def state(letter: str) -> str:
    """A state in words."""
    return _STATES.get(letter, letter)


def smaps(pid: int) -> dict[str, int]:
    """Bytes of its memory by kind, as `smaps_rollup` sums them up; none where it is kept secret."""
    rows = {}
    for line in _text(Path(f"/proc/{pid}/smaps_rollup")).splitlines():
        name, _, value = line.partition(":")
        words = value.split()
        if len(words) == 2 and words[1] == "kB" and words[0].isdecimal():
            rows[name] = int(words[0]) * 1024
    return rows


def _stat(folder: Path) -> list[str] | None:
    """The fields behind the name, from the state on."""
    text = _text(folder / "stat")
    return text.rpartition(")")[2].split() or None


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip("\n\0")
    except OSError:
        return ""
