"""Files that are complete or absent, whatever a crash interrupts."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path


def write_atomically(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Write to a temporary name beside `path`, fsync, rename, fsync the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), mode)
            hand_over(file.fileno(), path.parent)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def hand_over(made: int | Path, folder: Path) -> None:
    """What root makes in somebody else's folder is his: a server that runs as a user of its own has
    to read what `sudo kronk ... --local` has written. `made` is an open file, or the path of a file
    or folder that is new."""
    if os.geteuid() != 0:
        return
    above, own = folder.stat(), os.stat(made, follow_symlinks=isinstance(made, int))
    # Another name of a file that is root's elsewhere must not give it away.
    is_ours_alone = own.st_uid == 0 and (stat.S_ISDIR(own.st_mode) or own.st_nlink == 1)
    if above.st_uid != 0 and is_ours_alone:
        os.chown(made, above.st_uid, above.st_gid, follow_symlinks=isinstance(made, int))


def sync_folder(folder: Path) -> None:
    """Make a rename inside `folder` survive a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
