"""What every way of fetching a file shares: its progress, its errors, its look at the disk."""

from __future__ import annotations

import errno
import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kronk.shared.errors import ServerError
from kronk.shared.units import format_bytes

# Phase (`download`, `extract`, `verify`), bytes done, bytes in all where known.
Progress = Callable[[str, int, int | None], None]

CHUNK = 2**20
# Left free whatever is fetched: a full disk stops logs and the index too.
_HEADROOM = 64 * 2**20
_FULL = (errno.ENOSPC, errno.EDQUOT)


class FetchFailed(ServerError):
    """The file could not be had from where it is; the message says why."""

    code = "fetch_failed"
    status = 502


class Refused(FetchFailed):
    """Whoever has it does not give it to us: asking again changes nothing."""

    code = "fetch_refused"


class WrongContent(FetchFailed):
    """What came, or would come, is not the file that was asked for. What came was deleted."""

    code = "wrong_content"


class NoRoom(FetchFailed):
    """The disk cannot hold what is to be fetched. What is there of it stays."""

    code = "disk_full"
    status = 507


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is known of a file before its bytes come."""

    # In messages.
    name: str
    size_bytes: int | None = None
    sha256: str | None = None
    # Of a model the first bytes tell whether it is one.
    kind: Literal["model", "archive"] = "model"

    @property
    def identity(self) -> str:
        """Whose bytes these are: two of the same identity can be gone on from one another."""
        if self.sha256 is not None:
            return f"sha256:{self.sha256}"
        return f"from:{hashlib.sha256(self.name.encode()).hexdigest()}"

    def refuse_size(self, size: int | None) -> None:
        """What the other side says the size is; `WrongContent` if it is another file's."""
        if None not in (size, self.size_bytes) and size != self.size_bytes:
            raise WrongContent(f"{self.name}: has {size} bytes, expected {self.size_bytes}")


def require_room(folder: Path, needed: int) -> None:
    """Refuse before the first byte what the disk cannot hold."""
    free = shutil.disk_usage(folder).free
    if free < needed + _HEADROOM:
        raise NoRoom(
            f"not enough space at {folder}: {format_bytes(needed)} are needed, "
            f"{format_bytes(free)} are free, of which {format_bytes(_HEADROOM)} stay so"
        )


def disk_error(error: OSError, path: Path) -> FetchFailed:
    """What a failed write means to a user."""
    if error.errno in _FULL:
        return NoRoom(
            f"the disk is full: {path.parent} has no room for the rest of {path.name}; "
            "what came is kept, free some space and pull again"
        )
    if error.errno == errno.EFBIG:
        return NoRoom(f"the file system of {path.parent} holds no files as large as {path.name}")
    return FetchFailed(f"{error.filename or path} cannot be written: {error.strerror}")


def digest(path: Path, progress: Progress) -> str:
    """The file's SHA-256, in hex."""
    total, done = path.stat().st_size, 0
    sha256 = hashlib.sha256()
    progress("verify", 0, total)
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            sha256.update(chunk)
            done += len(chunk)
            progress("verify", done, total)
    return sha256.hexdigest()
