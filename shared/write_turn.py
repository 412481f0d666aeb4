"""Whose turn it is to write to an LMDB environment: one thread of one process.

LMDB has a mutex of its own for that, which a dead owner gives back. But who is killed just as he is
woken takes the wake-up with him when somebody else has got the mutex in between (the kernel passes
it on only while the mutex is free), and those who wait on sleep for ever. So nobody waits for that
mutex: a file lock, which ends with its process and wakes all, is taken before.
"""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path
from types import TracebackType

from .files import hand_over

_FILE = "turn.lock"


class WriteTurn:
    """A context manager; not for a second time in the same thread. Costs about 2 µs when nobody
    else writes."""

    def __init__(self, folder: Path) -> None:
        """`OSError` when the folder of the environment does not take the file."""
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        # None once it is closed: then the environment is, and says so.
        self._handle: int | None = os.open(folder / _FILE, flags, 0o600)
        hand_over(self._handle, folder)
        # A file lock is the process's: its threads need one of their own.
        self._threads = threading.Lock()

    def __enter__(self) -> None:
        self._threads.acquire()
        try:
            if self._handle is not None:
                fcntl.flock(self._handle, fcntl.LOCK_EX)
        except BaseException:
            self._threads.release()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if self._handle is not None:
                fcntl.flock(self._handle, fcntl.LOCK_UN)
        finally:
            self._threads.release()

    def close(self) -> None:
        """Nobody writes any more. Idempotent."""
        handle, self._handle = self._handle, None
        if handle is not None:
            os.close(handle)
