"""What the kernel knows of our threads: their names, which `top -H` shows, and priorities."""

from __future__ import annotations

import ctypes
import os
import threading

_PR_SET_NAME = 15
_LIBC = ctypes.CDLL(None)


def name_thread(name: str) -> None:
    """Name the calling thread; the kernel keeps 15 bytes."""
    # Not by its file in /proc, where a worker writes nothing.
    _LIBC.prctl(_PR_SET_NAME, name.encode(), 0, 0, 0)


def step_back(nice: int) -> None:
    """Let others go first from now on: the calling thread, and all that it will start."""
    # On Linux a thread has a priority of its own, whatever POSIX says of its process.
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), nice)
