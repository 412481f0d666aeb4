"""Whether a folder takes writes."""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path


class Disk:
    """One probe at a time: a disk that hangs must not use up the threads, probe by probe."""

    def __init__(self) -> None:
        self._running: asyncio.Task[None] | None = None

    async def probe(self, folder: Path) -> None:
        """Return once a write reached the disk; raises the `OSError` it met instead."""
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(asyncio.to_thread(_write, folder), name="disk")
        await asyncio.shield(self._running)


def _write(folder: Path) -> None:
    # A real write: a full or read-only disk says so only then.
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(b"ready?")
        file.flush()
        os.fsync(file.fileno())
