"""Uploaded files and results: records in the database, contents under `BasePath.files`.

A content is written to the name it will keep, and is nobody's file until its record is there; while
it is written its writer holds a lock on it. What has neither a record nor a writer is what a crash
left, and is swept.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

from kronk.shared.database import Table
from kronk.shared.errors import NotFound, ServerError
from kronk.shared.files import sync_folder
from kronk.shared.security.identity import Identity

from .names import FILE, is_name, new_name
from .shares import Shares

# OpenAI's.
MOST_BYTES = 512 * 1024 * 1024
# Left to the rest of the house: logs, models' states, the database.
_RESERVE_BYTES = 64 * 1024 * 1024


class DiskFull(ServerError):
    """There is no room for a file; nothing of it is kept. The operator has to make some."""

    status = 507
    code = "disk_full"


@dataclass(frozen=True, slots=True)
class StoredFile:
    """What is known of a file. Times are Unix seconds."""

    id: str
    bytes: int
    created_at: int
    filename: str
    purpose: str
    # None: kept until it is deleted.
    expires_at: int | None = None
    # The subject whose it is; None is nobody's in particular, as files of earlier versions are.
    owner: str | None = None

    def is_expired(self, now: float) -> bool:
        return self.expires_at is not None and self.expires_at <= now


class Draft:
    """A file that is being written. Blocks for the disk: use it in threads, one at a time."""

    def __init__(self, name: str, path: Path) -> None:
        self.id = name
        self.size = 0
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._file = os.fdopen(handle, "wb")
        fcntl.flock(handle, fcntl.LOCK_EX)
        self._path = path

    @property
    def is_lost(self) -> bool:
        """It was swept before it was locked."""
        return os.fstat(self._file.fileno()).st_nlink == 0

    def write(self, data: bytes) -> None:
        """`DiskFull` when there is no room for it."""
        self.size += len(data)
        with _full_disk_explained():
            self._file.write(data)

    def sync(self) -> None:
        """Return once all of it is on disk."""
        with _full_disk_explained():
            self._file.flush()
            os.fsync(self._file.fileno())
            sync_folder(self._path.parent)

    def close(self) -> None:
        # What could not be written before is no loss now.
        with suppress(OSError):
            self._file.close()

    def drop(self) -> None:
        """Leave nothing behind."""
        self._path.unlink(missing_ok=True)
        self.close()


class Files:
    """All files. Blocks for the disk: use it in threads."""

    def __init__(self, folder: Path, table: Table) -> None:
        self.shares = Shares(table)
        self._folder = folder
        self._table = table

    def path(self, name: str) -> Path:
        """Where the content of that name is, or will be."""
        assert is_name(FILE, name), "names are of our own making"
        return self._folder / name

    def check_room(self, size: int) -> None:
        """`DiskFull` when a file of so many bytes would take what others need."""
        self._make_folder()
        free = shutil.disk_usage(self._folder).free
        if size + _RESERVE_BYTES > free:
            raise DiskFull(
                f"There is no room for {size} bytes: {free} bytes are free on the disk of"
                f" {self._folder}, and {_RESERVE_BYTES} of them are kept free"
            )

    def draft(self) -> Draft:
        """The content of a new file: write it, `sync`, `add`, `close`; or `drop` it."""
        self._make_folder()
        while True:
            name = new_name(FILE)
            draft = Draft(name, self.path(name))
            if not draft.is_lost:
                return draft
            draft.close()

    def add(self, file: StoredFile) -> None:
        """The content is on disk: from now on it is a file."""
        self._table.put(file.id, asdict(file))

    def get(self, name: str, now: float, identity: Identity) -> StoredFile:
        """`NotFound` when there is none of that name that `identity` may see, or not any more."""
        file = self.known(name, now)
        if file is None or not identity.sees(file.owner):
            raise no_such_file(name)
        return file

    def known(self, name: str, now: float) -> StoredFile | None:
        """The file of that name, whoever's it is: for what was allowed before."""
        record = self._table.get(name) if is_name(FILE, name) else None
        file = None if record is None else StoredFile(**record)
        return None if file is None or file.is_expired(now) else file

    def all(self, now: float, identity: Identity) -> list[StoredFile]:
        """Those that `identity` may see, in the order they were made in."""
        files = [StoredFile(**record) for _, record in self._table.items()]
        return [file for file in files if not file.is_expired(now) and identity.sees(file.owner)]

    def open(self, name: str) -> BinaryIO:
        """The content, also of a file whose record is gone; `NotFound` when it is gone too."""
        try:
            return self.path(name).open("rb")
        except FileNotFoundError:
            raise NotFound(f"The content of {name} is gone", param="file_id") from None

    def delete(self, name: str) -> None:
        """Idempotent."""
        self._table.delete(name)
        self.path(name).unlink(missing_ok=True)

    def sweep(self, now: float, in_use: Callable[[], Collection[str]]) -> int:
        """Delete what is expired and what a crash left, but nothing that is `in_use`; how many."""
        # In this order: what comes into use after the look was not there to be seen.
        contents = self._contents()
        keep = in_use()
        expired = [
            name
            for name, record in self._table.items()
            if name not in keep and StoredFile(**record).is_expired(now)
        ]
        left = [path for path in contents if path.name not in keep and self._is_left(path)]
        for name in (*expired, *(path.name for path in left)):
            self.delete(name)
        return len(expired) + len(left)

    def _contents(self) -> list[Path]:
        paths = self._folder.iterdir() if self._folder.is_dir() else ()
        return [path for path in paths if is_name(FILE, path.name)]

    def _is_left(self, path: Path) -> bool:
        if self._table.get(path.name) is not None:
            return False
        with suppress(FileNotFoundError), path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            # Its writer may have finished between the two looks.
            return self._table.get(path.name) is None
        return False

    def _make_folder(self) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def no_such_file(name: str) -> NotFound:
    """The same for a file that is not there and for somebody else's."""
    return NotFound(f"No such File object: {name[:100]}", param="file_id")


@contextmanager
def _full_disk_explained() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise DiskFull("The disk is full; nothing of the file was kept") from error
