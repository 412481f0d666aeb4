"""Ways in which one file becomes another name's, all of them whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from kronk.shared.errors import Conflict, ServerError
from kronk.shared.files import sync_folder

from .fetching import require_room
from .hashing import Tally, digest

# `auto`: a clone that shares its blocks until one of both is written to, else another name of the
# same file, else a copy. `link` is a symbolic one. `move` takes the file away from where it was.
How = Literal["auto", "copy", "link", "move"]
WAYS: tuple[How, ...] = get_args(How)

_CHUNK = 2**20
# Of Linux: have one file share another's blocks.
_FICLONE = 0x40049409
# Of a file system that cannot do it, or of two of them.
_CANNOT = {
    errno.EXDEV,
    errno.EOPNOTSUPP,
    errno.ENOTTY,
    errno.EINVAL,
    errno.EPERM,
    errno.EMLINK,
    errno.ENOSYS,
    errno.EACCES,
    errno.ETXTBSY,
}


@dataclass(frozen=True, slots=True)
class Placed:
    """In what way it was done, and the digest of what is there now."""

    way: str
    sha256: str


def place(source: Path, target: Path, temporary: Path, how: How, tally: Tally) -> Placed:
    """Have `source` as `target`, through `temporary` on the target's file system; `Conflict` where
    something of that name has come meanwhile. A link is followed: the file it leads to is meant."""
    source = source.resolve()
    temporary.unlink(missing_ok=True)
    try:
        placed = _made(source, temporary, how, tally)
        _name(temporary, target)
    except OSError as error:
        raise ServerError(f"cannot place {target}: {error.strerror}") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    if how == "move":
        with contextlib.suppress(FileNotFoundError):
            source.unlink()
    return placed


def _made(source: Path, temporary: Path, how: How, tally: Tally) -> Placed:
    if how == "link":
        temporary.symlink_to(source)
        return Placed("symbolic link", digest(source, tally).sha256)
    if how != "move" and _cloned(source, temporary):
        return Placed("clone", _synced(temporary, tally))
    if how != "copy" and _linked(source, temporary):
        way = "moved" if how == "move" else "hard link"
        return Placed(way, _synced(temporary, tally))
    require_room(temporary.parent, source.stat().st_size)
    return Placed("moved" if how == "move" else "copy", _copied(source, temporary, tally))


def _cloned(source: Path, temporary: Path) -> bool:
    with source.open("rb") as read, temporary.open("xb") as written:
        try:
            fcntl.ioctl(written.fileno(), _FICLONE, read.fileno())
        except OSError as error:
            if error.errno not in _CANNOT:
                raise
            temporary.unlink()
            return False
    shutil.copystat(source, temporary)
    return True


def _linked(source: Path, temporary: Path) -> bool:
    try:
        temporary.hardlink_to(source)
    except OSError as error:
        if error.errno not in _CANNOT:
            raise
        return False
    return True


def _copied(source: Path, temporary: Path, tally: Tally) -> str:
    """The digest of what was written. `Conflict` when the source changes meanwhile."""
    before = source.stat()
    sha256, left = hashlib.sha256(), before.st_size + 1
    with source.open("rb") as read, temporary.open("xb") as written:
        while left > 0 and (chunk := read.read(min(left, _CHUNK))):
            sha256.update(chunk)
            written.write(chunk)
            left -= len(chunk)
            tally.add(len(chunk))
        written.flush()
        os.fsync(written.fileno())
    after = source.stat()
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise Conflict(f"{source} was changed while it was copied; is it still being written?")
    return sha256.hexdigest()


def _synced(temporary: Path, tally: Tally) -> str:
    handle = os.open(temporary, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    return digest(temporary, tally).sha256


def _name(temporary: Path, target: Path) -> None:
    """Give it its name, unless that is another's: a link fails where a rename would overwrite."""
    try:
        os.link(temporary, target, follow_symlinks=False)
    except FileExistsError:
        raise Conflict(f"{target} exists and is another file") from None
    except OSError as error:
        if error.errno not in _CANNOT or target.exists():
            raise
        # A file system without links; whoever else writes models holds the same lock.
        temporary.rename(target)
    sync_folder(target.parent)
