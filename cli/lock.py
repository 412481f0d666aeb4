"""Whether a server runs on a base path, and as which process."""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass

from kronk.shared.paths import BasePath


@dataclass(frozen=True, slots=True)
class Lock:
    """What the pid file says. `held` is the truth, a pid without it is a leftover."""

    pid: int | None
    held: bool


def read_lock(base: BasePath) -> Lock:
    """Who holds the lock of this base path, if anybody."""
    try:
        handle = os.open(base.pid_file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        return Lock(None, False)
    try:
        text = os.read(handle, 32).strip()
        pid = int(text) if text.isdigit() else None
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return Lock(pid, True)
        return Lock(pid, False)
    except IsADirectoryError:
        # Nobody can have locked that; a server that starts moves it away.
        return Lock(None, False)
    finally:
        os.close(handle)
