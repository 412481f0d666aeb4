"""A file that is on its way: what is there of it is checked before anything is added.

Bytes count once their block is on the disk and its digest in the journal. What a crash left behind
them, or damaged among them, is cut off at the first doubt and fetched again.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kronk.shared.errors import KronkError

from .fetching import CHUNK, Progress, disk_error
from .journal import Block, Complete, Journal, Notes

log = logging.getLogger(__name__)

# What a kill costs at most, and how often the disk is waited for.
BLOCK = 8 * 2**20


class Partial:
    """By the holder of its lock only, but for `size`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._journal = Journal(path.with_suffix(".journal"))

    @property
    def size(self) -> int:
        """What is there, right or not; 0 where nothing is."""
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0

    @property
    def exists(self) -> bool:
        """Whether a pull has left anything."""
        return self.path.exists() or self._journal.path.exists()

    def complete(self) -> str | None:
        """The digest of a file that is whole, was verified, and has not changed since."""
        notes = self._journal.read()
        try:
            now = self.path.stat()
        except OSError:
            return None
        if notes is None or notes.complete is None:
            return None
        fits = (now.st_size, now.st_mtime_ns) == (
            notes.complete.size_bytes,
            notes.complete.modified_ns,
        )
        return notes.complete.sha256 if fits else None

    def mark_complete(self, sha256: str) -> None:
        """After the last byte is on the disk and the digest is the right one."""
        now = self.path.stat()
        self._journal.add(Complete(sha256, now.st_size, now.st_mtime_ns))

    def delete(self) -> None:
        self.path.unlink(missing_ok=True)
        self._journal.forget()

    def delete_if_empty(self) -> None:
        """A try that brought nothing leaves nothing."""
        if not self.size:
            self.delete()

    def moved_to(self, target: Path) -> None:
        """Give the file its name."""
        self.path.replace(target)
        self._journal.forget()

    @contextmanager
    def opened(self, identity: str, progress: Progress) -> Iterator[Writer]:
        """To add to what is there and right. Whatever ends the block, what was added is kept."""
        try:
            writer = Writer(self.path, self._journal, identity, progress)
        except OSError as error:
            raise disk_error(error, self.path) from error
        try:
            yield writer
        finally:
            writer.close()


class Writer:
    """A partial file that is open. Invariant: its first `done` bytes are what was given, and
    `sha256` is their digest."""

    def __init__(self, path: Path, journal: Journal, identity: str, progress: Progress) -> None:
        self.path = path
        self._journal = journal
        self._identity = identity
        self.done = 0
        self.sha256 = hashlib.sha256()
        # Up to where the journal knows it.
        self._sealed = 0
        self._notes = Notes(identity)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        self._handle = os.open(path, flags, 0o644)
        try:
            self._recover(progress)
        except BaseException:
            os.close(self._handle)
            raise

    @property
    def version(self) -> str | None:
        """The validator of the bytes that are there."""
        return self._notes.version

    @property
    def total(self) -> int | None:
        """Of the whole file, as was said when it was begun."""
        return self._notes.total

    def restart(self, version: str | None, total: int | None) -> None:
        """Forget what is there."""
        try:
            os.ftruncate(self._handle, 0)
            self._notes = Notes(self._identity, version, total)
            self._journal.write(self._notes)
        except OSError as error:
            raise disk_error(error, self.path) from error
        self.done = self._sealed = 0
        self.sha256 = hashlib.sha256()

    def append(self, data: bytes) -> None:
        """`NoRoom` when the disk is full: what was added before is kept."""
        view = memoryview(data)
        while view:
            piece = view[: BLOCK - (self.done - self._sealed)]
            self._write(piece)
            view = view[len(piece) :]
            if self.done - self._sealed >= BLOCK:
                self.seal()

    def seal(self) -> None:
        """Have what was added on the disk, and in the journal."""
        if self.done == self._sealed:
            return
        try:
            os.fsync(self._handle)
            self._journal.add(Block(self.done, self.sha256.hexdigest()))
        except OSError as error:
            raise disk_error(error, self.path) from error
        self._sealed = self.done

    def head(self, length: int) -> bytes:
        """The file's first bytes."""
        return os.pread(self._handle, length, 0)

    def close(self) -> None:
        """Keep what came. Where even that fails, the blocks before are kept."""
        try:
            with contextlib.suppress(OSError):
                # After a full disk: room for the journal's line.
                os.ftruncate(self._handle, self.done)
            self.seal()
        except KronkError as error:
            # What ended the download is the error to tell.
            log.warning("the last bytes of %s are not kept: %s", self.path.name, error)
        finally:
            os.close(self._handle)

    def _write(self, data: memoryview) -> None:
        written = 0
        try:
            while written < len(data):
                written += os.pwrite(self._handle, data[written:], self.done + written)
        except OSError as error:
            raise disk_error(error, self.path) from error
        self.sha256.update(data)
        self.done += len(data)

    def _recover(self, progress: Progress) -> None:
        """Read what is there, as far as the journal knows it and it is right; cut off the rest."""
        notes = self._journal.read()
        if notes is None or notes.identity != self._identity:
            self.restart(None, None)
            return
        right: list[Block] = []
        there = os.fstat(self._handle).st_size
        for block in notes.blocks:
            if block.end > there or not self._is_right(block, progress, notes.blocks[-1].end):
                break
            right.append(block)
        os.ftruncate(self._handle, self.done)
        self._sealed = self.done
        self._notes = Notes(self._identity, notes.version, notes.total, tuple(right))
        self._journal.write(self._notes)

    def _is_right(self, block: Block, progress: Progress, total: int) -> bool:
        found, at = self.sha256.copy(), self.done
        while at < block.end:
            data = os.pread(self._handle, min(CHUNK, block.end - at), at)
            if not data:
                return False
            found.update(data)
            at += len(data)
            progress("verify", at, total)
        if found.hexdigest() != block.sha256:
            return False
        self.sha256, self.done = found, block.end
        return True
