"""What only one gateway at a time does; the next one may start while another still drains."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

# A predecessor that drains still has the lock.
_LOCK_SECONDS = 0.25


@asynccontextmanager
async def only_one(path: Path) -> AsyncIterator[None]:
    """While no other process has the lock of that file, which is made where there is none."""
    handle = await asyncio.to_thread(_open, path)
    try:
        while not _lock(handle):  # noqa: ASYNC110 (another process sets no event)
            await asyncio.sleep(_LOCK_SECONDS)
        yield
    finally:
        os.close(handle)


def _lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _open(path: Path) -> int:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
