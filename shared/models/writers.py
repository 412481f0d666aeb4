"""One process at a time changes a file of the models folder, whether it fetches, imports or removes
it."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from kronk.shared.errors import Conflict, ServerError
from kronk.shared.paths import BasePath

# What a file is called while it is imported, in place of `.part`.
IMPORTING = ".import"


def partial_path(base: BasePath, relative: str) -> Path:
    """What a file is called before it is whole: under a name that it always gets, so that a later
    process finds what there is of it."""
    stem = re.sub(r"[^A-Za-z0-9._-]", "_", relative.rpartition("/")[2])[:80]
    key = hashlib.sha256(relative.encode()).hexdigest()[:12]
    return base.downloads / f"{stem}-{key}.part"


def sweep(base: BasePath) -> None:
    """Delete what imports left behind that were killed; downloads are gone on with."""
    for left in _left(base.downloads):
        # Locked: it is being written.
        with suppress(OSError), left.with_suffix(".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            left.unlink(missing_ok=True)


def _left(downloads: Path) -> list[Path]:
    try:
        return list(downloads.glob(f"*{IMPORTING}"))
    except OSError:
        return []


@contextmanager
def only_writer(base: BasePath, relatives: Iterable[str]) -> Iterator[None]:
    """Hold the locks of these files in the block; `Conflict` where another process has one."""
    try:
        base.downloads.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ServerError(f"cannot use {base.downloads}: {error.strerror}") from error
    with ExitStack() as held:
        for relative in sorted(set(relatives)):
            # The lock file stays: deleting it would let two processes lock two files of one name.
            lock = partial_path(base, relative).with_suffix(".lock")
            handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK, 0o644)
            held.callback(os.close, handle)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Conflict(f"another process is writing {relative}") from None
        yield
