"""What every way of fetching a file shares: its progress, its errors, its look at the disk."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from kronk.shared.errors import ServerError
from kronk.shared.units import format_bytes

# Phase (`download`, `extract`, `verify`), bytes done, bytes in all where known.
Progress = Callable[[str, int, int | None], None]

CHUNK = 2**20
# Left free whatever is fetched: a full disk stops logs and the index too.
_HEADROOM = 64 * 2**20


class FetchFailed(ServerError):
    """The file could not be had from where it is; the message says why."""

    code = "fetch_failed"
    status = 502


class WrongContent(FetchFailed):
    """What came is not the file that was asked for; it was deleted."""


def require_room(folder: Path, needed: int) -> None:
    """Refuse before the first byte what the disk cannot hold."""
    free = shutil.disk_usage(folder).free
    if free < needed + _HEADROOM:
        raise FetchFailed(
            f"not enough space at {folder}: {format_bytes(needed)} are needed, "
            f"{format_bytes(max(free - _HEADROOM, 0))} are free"
        )


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


def sync_file(path: Path) -> None:
    """Have the file's bytes on the disk before its name says it is complete."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
