"""The model-config file on the disk, as one text with a revision: read, and written whole.

What was there before stays beside it, so that one change can be taken back. Whoever is killed in
the middle leaves the old file or the new one, and never a part.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kronk.shared.errors import Conflict
from kronk.shared.files import write_atomically

_NEW_MODE = 0o644
# Beside the file, under its name.
PREVIOUS = ".previous"


@dataclass(frozen=True, slots=True)
class Stored:
    """What a file says; None where there is no file."""

    data: bytes | None
    # Unix seconds of its last change.
    modified: float | None = None

    @property
    def text(self) -> str | None:
        """With line feeds alone, also where the file has carriage returns before them."""
        return None if self.data is None else self.data.decode().replace("\r\n", "\n")

    @property
    def revision(self) -> str | None:
        """The same for the same bytes."""
        return None if self.data is None else hashlib.sha256(self.data).hexdigest()[:32]

    def encoded(self, text: str) -> bytes:
        """Another text, with the ends of lines that this one has."""
        data = text.encode()
        is_crlf = self.data is not None and 0 < self.data.count(b"\n") == self.data.count(b"\r\n")
        return data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n") if is_crlf else data


NOTHING = Stored(None)


def read(path: Path) -> Stored:
    """The file as it is now; `Conflict` where it cannot be read, or is no text."""
    try:
        found = Stored(path.read_bytes(), path.stat().st_mtime)
    except FileNotFoundError:
        return NOTHING
    except OSError as error:
        raise Conflict(f"cannot read {path}: {_reason(error)}") from error
    try:
        return found if found.text is not None else NOTHING
    except UnicodeDecodeError as error:
        raise Conflict(f"{path} is no UTF-8 text, and cannot be edited here") from error


def previous(path: Path) -> Stored:
    """What the file said before it was last written here; nothing where it never was, or says the
    same."""
    found = read(_previous_path(path))
    return NOTHING if found.revision == read(path).revision else found


def write(path: Path, text: str, revision: str | None) -> Stored:
    """Put the text in the file's place, where the file still is of that revision (None: is not
    there); `Conflict` where it is another one by now, or cannot be written.

    The mode stays, and what the path leads to where it is a link. Blocks for the disk."""
    # A link stays one.
    target = path.resolve()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _turn(target.parent):
            found = read(target)
            if found.revision != revision:
                raise Conflict(_other(path, found), param="revision")
            data = found.encoded(text)
            if found.data is not None:
                write_atomically(_previous_path(target), found.data, _mode(target))
            write_atomically(target, data, _mode(target))
            return Stored(data, target.stat().st_mtime)
    except OSError as error:
        raise Conflict(
            f"cannot write {path}: {_reason(error)}; whoever may write it can edit it there, and"
            " `kronk server reload` makes it take effect"
        ) from error


def take_back(path: Path, written: Stored, before: Stored) -> None:
    """Put back what was there before, unless somebody has written something else since."""
    target = path.resolve()
    with _turn(target.parent):
        if read(target).revision != written.revision:
            return
        if before.data is None:
            target.unlink(missing_ok=True)
        else:
            write_atomically(target, before.data, _mode(target))


def _previous_path(path: Path) -> Path:
    target = path.resolve()
    return target.with_name(target.name + PREVIOUS)


def _other(path: Path, found: Stored) -> str:
    if found.revision is None:
        return f"revision: {path} is not there any more"
    return f"revision: {path} was changed in the meantime and is {found.revision} now"


def _mode(path: Path) -> int:
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        return _NEW_MODE


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


@contextmanager
def _turn(folder: Path) -> Iterator[None]:
    """One writer at a time, of any process; the lock ends with its process."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
