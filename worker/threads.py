"""What the kernel knows of our threads: their names, which `top -H` shows, and priorities."""

from __future__ import annotations

import os
import threading
from pathlib import Path


def name_thread(name: str) -> None:
    """Name the calling thread; the kernel keeps 15 bytes."""
    Path(f"/proc/self/task/{threading.get_native_id()}/comm").write_text(name[:15])


def step_back(nice: int) -> None:
    """Let others go first from now on: the calling thread, and all that it will start."""
    # On Linux a thread has a priority of its own, whatever POSIX says of its process.
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), nice)
