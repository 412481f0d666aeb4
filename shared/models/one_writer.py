"""One process at a time fetches a file; others wait for it and find the file, or take over."""

from __future__ import annotations

import fcntl
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from .fetching import FetchFailed, disk_error

log = logging.getLogger(__name__)

_POLL_SECONDS = 0.2


@contextmanager
def only_writer(lock: Path, name: str, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the lock in the block; `waiting` is called again and again until it is had.

    The kernel lets go of the lock of a process that dies, so nobody waits for the dead.
    """
    # The lock file stays: deleting it would let two processes lock two files of one name.
    with _opened(lock) as file:
        told = False
        while not _locked(file.fileno(), lock):
            if not told:
                log.info("another process is fetching %s; waiting for it", name)
                told = True
            waiting()
            time.sleep(_POLL_SECONDS)
        yield


def _opened(lock: Path) -> IO[str]:
    try:
        return lock.open("a")
    except OSError as error:
        raise disk_error(error, lock) from error


def _locked(handle: int, lock: Path) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise FetchFailed(
            f"the file system of {lock.parent} has no locks ({error.strerror}): "
            "two downloads of one file could mix"
        ) from error
    return True
