"""Digests of files that may be changed, or grow, while they are read."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from kronk.shared.errors import Conflict
from kronk.shared.jobs.kinds import Progress

_CHUNK = 2**20


@dataclass(frozen=True, slots=True)
class Digested:
    """A file's digest, and the state in which it has it."""

    sha256: str
    size_bytes: int
    modified_ns: int


class Tally:
    """Progress over several files, told as one."""

    def __init__(self, phase: str, total: int, progress: Progress) -> None:
        self._phase, self._total, self._progress = phase, total, progress
        self._done = 0
        progress(phase, 0, total)

    def add(self, count: int) -> None:
        """So many bytes more are done."""
        self._done += count
        self._progress(self._phase, min(self._done, self._total), self._total)


def digest(path: Path, tally: Tally) -> Digested:
    """The file's SHA-256 in hex; `Conflict` when somebody writes to it meanwhile."""
    sha256 = hashlib.sha256()
    before = path.stat()
    # One that grows as fast as it is read has no end.
    left = before.st_size + 1
    with path.open("rb") as file:
        while left > 0 and (chunk := file.read(min(left, _CHUNK))):
            sha256.update(chunk)
            left -= len(chunk)
            tally.add(len(chunk))
    after = path.stat()
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise Conflict(f"{path} was changed while it was read; is it still being written?")
    return Digested(sha256.hexdigest(), after.st_size, after.st_mtime_ns)


def now() -> str:
    """The time as the index writes it: UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
