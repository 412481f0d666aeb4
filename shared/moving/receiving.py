"""A file that another machine uploads into the models folder: complete and verified, or not seen.

What came is kept under the name that a pull of that file has too, so that either goes on from what
the other brought.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kronk.shared.errors import Conflict, InvalidArgument
from kronk.shared.models import facts
from kronk.shared.models.facts import Facts
from kronk.shared.models.fetching import Wanted, digest, disk_error, require_room
from kronk.shared.models.hashing import now
from kronk.shared.models.journal import Journal
from kronk.shared.models.partial import Partial
from kronk.shared.models.target import place, target_of
from kronk.shared.models.walk import header_fault
from kronk.shared.models.writers import only_writer, partial_path
from kronk.shared.paths import BasePath

log = logging.getLogger(__name__)

SOURCE = "upload"
_HEAD_BYTES = 8
_SMALLEST = 24
# An upload whose client went away without a word is let go of after a minute of silence.
_WAIT_SECONDS = 8.0


@dataclass(frozen=True, slots=True)
class Upload:
    """What is announced: two with the same values are one upload."""

    # Below the models folder.
    relative: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Standing:
    """How much of an upload is there; `complete`: the file has its name."""

    offset: int
    complete: bool


def standing(base: BasePath, upload: Upload) -> Standing:
    """Where to go on. `Conflict` where another file has the name or somebody is writing it,
    `NoRoom` where the disk cannot hold the rest. May read what is there; changes nothing."""
    target = _target(base, upload)
    if _is_there(base, upload, target):
        return Standing(upload.size_bytes, True)
    partial = partial_path(base, upload.relative)
    _make(base)
    with _lock(base, upload.relative):
        offset = _kept(partial, upload)
    require_room(base.downloads, upload.size_bytes - offset)
    return Standing(offset, False)


def _kept(partial: Path, upload: Upload) -> int:
    """Bytes of this upload by the journal; they are read before anything is added to them."""
    notes = Journal(partial.with_suffix(".journal")).read()
    if notes is None or notes.identity != _wanted(upload).identity or not notes.blocks:
        return 0
    return min(notes.blocks[-1].end, Partial(partial).size, upload.size_bytes)


def _wanted(upload: Upload) -> Wanted:
    return Wanted(upload.relative, upload.size_bytes, upload.sha256)


class Incoming:
    """An upload that is being written; one at a time for each name. For several threads, but one
    after the other. Whatever ends it, what came is kept."""

    def __init__(self, base: BasePath, upload: Upload) -> None:
        self._base, self._upload = base, upload
        self._target = _target(base, upload)
        self._partial = Partial(partial_path(base, upload.relative))
        self._held = contextlib.ExitStack()
        self._writing = contextlib.ExitStack()
        _make(base)
        try:
            self._held.enter_context(_lock(base, upload.relative))
            self._held.callback(self._partial.delete_if_empty)
            # Bytes of another file begin anew.
            opened = self._partial.opened(_wanted(upload).identity, lambda phase, done, total: None)
            self._writer = self._writing.enter_context(opened)
            if self.offset > upload.size_bytes:
                self._writer.restart(None, None)
            require_room(base.downloads, upload.size_bytes - self.offset)
        except BaseException:
            self.close()
            raise

    @property
    def offset(self) -> int:
        """Bytes that are there and right."""
        return self._writer.done

    @property
    def is_whole(self) -> bool:
        """Whether there is nothing to add."""
        return self.offset == self._upload.size_bytes

    def close(self) -> None:
        """Let others write it."""
        self._writing.close()
        self._held.close()

    def restart(self) -> None:
        """Forget what is there."""
        self._writer.restart(None, None)

    def add(self, data: bytes) -> None:
        """The next bytes. `InvalidArgument` where they are too many, or cannot be a model's: then
        nothing is kept."""
        if self.offset + len(data) > self._upload.size_bytes:
            raise InvalidArgument(
                f"more came than the {self._upload.size_bytes} bytes that were announced"
            )
        before = self.offset
        self._writer.append(data)
        if before < _HEAD_BYTES <= self.offset:
            fault = header_fault(self._writer.head(_HEAD_BYTES), self._upload.size_bytes)
            if fault is not None:
                self.restart()
                raise InvalidArgument(f"{self._upload.relative}: {fault}")

    def finish(self) -> None:
        """Give the file its name, if it is the one that was announced."""
        self._writer.seal()
        found = self._writer.sha256.hexdigest()
        # Closing it changes the file's time, which the index compares.
        self._writing.close()
        if found != self._upload.sha256:
            self._partial.delete()
            raise InvalidArgument(
                f"{self._upload.relative}: what came has the sha256 {found}, announced was "
                f"{self._upload.sha256}; it was deleted",
                param="sha256",
            )
        # Somebody who knows no locks may have put one there.
        if self._target.exists():
            raise _taken(self._target)
        place(self._partial, self._base.models, self._upload.relative)
        _record(self._base, self._upload, self._target)


def _make(base: BasePath) -> None:
    try:
        base.downloads.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise disk_error(error, base.downloads) from error


def _target(base: BasePath, upload: Upload) -> Path:
    if upload.size_bytes < _SMALLEST:
        raise InvalidArgument(
            f"size: a model has {_SMALLEST} bytes at least, got {upload.size_bytes}", param="size"
        )
    try:
        return target_of(base.models, upload.relative)
    except InvalidArgument as error:
        raise InvalidArgument(f"path: {error.message}", param="path") from error


def _is_there(base: BasePath, upload: Upload, target: Path) -> bool:
    """Whether the file has its name already; `Conflict` where another has it."""
    try:
        size = target.stat().st_size
    except FileNotFoundError:
        return False
    except OSError as error:
        raise Conflict(f"{target} cannot be made: {error.strerror}") from error
    if not target.is_file() or size != upload.size_bytes:
        raise _taken(target)
    row = facts.load(base.models).get(upload.relative)
    if row is not None and facts.holds(row, target):
        found = row.sha256
    else:
        found = digest(target, lambda phase, done, total: None)
    if found != upload.sha256:
        raise _taken(target)
    if row is None:
        # It is not read again for the next who asks.
        _record(base, upload, target)
    return True


def _taken(target: Path) -> Conflict:
    return Conflict(f"{target} exists and is another file; move it away first")


@contextlib.contextmanager
def _lock(base: BasePath, relative: str) -> Iterator[None]:
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(only_writer(base, [relative]))
        except Conflict as error:
            # It passes, and whoever uploads may ask again.
            raise Conflict(error.message, retry_after=_WAIT_SECONDS) from error
        yield


def _record(base: BasePath, upload: Upload, target: Path) -> None:
    facts_now = target.stat()
    row = Facts(upload.sha256, facts_now.st_size, facts_now.st_mtime_ns, SOURCE, now())
    try:
        facts.record(base.models, upload.relative, row)
    except OSError as error:
        # The model is there all the same.
        log.warning("the index of %s cannot be written: %s", base.models, error.strerror)
