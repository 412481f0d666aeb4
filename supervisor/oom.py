"""Did the kernel kill a process to get memory back? Nothing but its counters says so.

A process that was killed for memory dies of SIGKILL, as one that somebody killed does. Cgroups
count such kills of their processes, whoever's limit it was; where ours cannot be read, the whole
machine's count is left, which may speak of another process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

# Whose counter has moved: our own cgroup's is as good as certain, the machine's is a guess.
Evidence = Literal["cgroup", "machine"]


@dataclass(frozen=True, slots=True)
class Count:
    """Kills for memory so far."""

    kills: int
    of: Evidence


def read(root: Path = Path("/")) -> Count | None:
    """The best counter there is; None where there is none. `root` is where /proc and /sys are."""
    for path in _counters(root):
        kills = _field(path, "oom_kill")
        if kills is not None:
            return Count(kills, "cgroup")
    kills = _field(root / "proc/vmstat", "oom_kill")
    return None if kills is None else Count(kills, "machine")


class Kills:
    """Tells which of our processes a kill was of: of those that died of SIGKILL since the counter
    moved, each kill explains one."""

    def __init__(self, read: Callable[[], Count | None] = read) -> None:
        self._read = read
        self._explained = 0

    def mark(self) -> int:
        """Kills so far that explain no death of ours: to be noted when a process starts."""
        count = self._read()
        return 0 if count is None else count.kills - self._explained

    def explain(self, mark: int) -> Evidence | None:
        """For a process with this mark that died of a SIGKILL that was not ours."""
        count = self._read()
        if count is None or count.kills - self._explained <= mark:
            return None
        self._explained += 1
        return count.of


def _counters(root: Path) -> Iterator[Path]:
    """Files of our own cgroup that may have the count, version 2 first."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    cgroups = root / "sys/fs/cgroup"
    for line in lines:
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        own = path.lstrip("/")
        if number == "0" and not controllers:
            yield cgroups / own / "memory.events"
            yield cgroups / "unified" / own / "memory.events"
        elif "memory" in controllers.split(","):
            yield cgroups / "memory" / own / "memory.oom_control"
            # In a container the path is the host's, and what we see is our own.
            yield cgroups / "memory" / "memory.oom_control"


def _field(path: Path, name: str) -> int | None:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        key, _, value = line.partition(" ")
        if key == name and value.strip().isdecimal():
            return int(value)
    return None
