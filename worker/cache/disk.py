"""Saved states on disk: they survive an unload, a restart and a crash.

A folder for each fingerprint, a file for each state, named by its tokens. Files appear by rename
and are never changed, so that one is whole or absent, whoever else uses the folder: another worker
of the same model may write, read and remove the same files at any moment.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import structlog

from kronk.shared.files import sync_folder

from . import state_file
from .match import Candidate, Source, Tokens, common_prefix
from .memory import State
from .state_file import Damaged, Head

log = structlog.get_logger()

# States that wait to be written; each may be as large as a slot's whole context.
PENDING_LIMIT = 4
# Seconds after which a temporary file is what a crash left, and not one being written.
_STALE = 3600.0
_SUFFIX = ".state"
_TEMPORARY = ".tmp"


@dataclass(frozen=True, slots=True)
class DiskEntry:
    """A state in a file, as its head describes it."""

    key: int
    path: Path
    head: Head

    def serves(self, tokens: Tokens) -> bool:
        """Whether a sequence of exactly these tokens can be had of it."""
        mine = self.head.tokens
        return (
            self.head.floor <= tokens.size <= mine.size
            and common_prefix(tokens, mine) == tokens.size
        )


@dataclass(frozen=True, slots=True)
class DiskStats:
    """What is on disk for this fingerprint, and what became of what was to be written."""

    entries: int
    bytes: int
    capacity: int
    pending: int
    written: int
    # Pushed out of the queue by newer ones before they were written.
    dropped: int
    # Removed because they were not what was written, or not for this version.
    damaged: int
    # Could not be written: the disk is full, or the folder is gone.
    failed: int
    # Removed to stay within the cap, of this and other fingerprints.
    evicted: int


class DiskStore:
    """States under one fingerprint; the cap holds for all fingerprints in `base` together.

    `put`, `candidates` and `stats` return at once; a thread of its own writes. `load` reads the
    file in the calling thread.
    """

    def __init__(self, base: Path, fingerprint: str, capacity: int) -> None:
        self.capacity = capacity
        self._base = base
        self._folder = base / fingerprint
        self._fingerprint = fingerprint
        # Guards all below; never held while a file is read or written.
        self._changed = threading.Condition()
        self._entries: dict[int, DiskEntry] = {}
        self._next_key = 0
        # Oldest first.
        self._pending: deque[tuple[Tokens, State]] = deque()
        self._writing: tuple[Tokens, State] | None = None
        self._is_closing = False
        self._written = self._dropped = self._damaged = self._failed = self._evicted = 0
        self._writer = threading.Thread(target=self._run, name="kronk-disk-cache", daemon=True)

    # Life: open, close.

    def open(self) -> None:
        """List what is there, by the heads only, and begin to write. `OSError` when the folder
        cannot be made or read."""
        self._base.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self._folder.chmod(0o700)
        for path in self._base.glob(f"*/.*{_TEMPORARY}"):
            _remove_if_stale(path)
        # What is here may be more than the cap is now.
        self._shrink(None)
        listed = [self._list(path) for path in sorted(self._folder.glob(f"*{_SUFFIX}"))]
        reasons = [reason for reason in listed if reason is not None]
        if reasons:
            log.warning("prefix cache: removed damaged files", count=len(reasons), first=reasons[0])
        self._writer.start()

    def close(self, timeout: float) -> int:
        """Write what is pending, for `timeout` seconds at most; how many states were left."""
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()
        self._writer.join(timeout)
        with self._changed:
            left = len(self._unwritten())
            self._pending.clear()
            return left

    def flush(self, timeout: float) -> bool:
        """Wait until nothing is pending; False when that took longer than `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._unwritten(), timeout)

    @property
    def entries(self) -> list[DiskEntry]:
        """All that are listed. Made in one step, for who must not wait for a lock."""
        return list(self._entries.values())

    # What the engine asks.

    def candidates(self) -> Iterator[Candidate]:
        """Every entry, for `choose_source`."""
        with self._changed:
            entries = list(self._entries.values())
        for entry in entries:
            yield Candidate(Source.DISK, entry.key, entry.head.tokens, entry.head.floor)

    def covers(self, tokens: Tokens) -> bool:
        """Whether a sequence of these tokens is on disk, or about to be."""
        with self._changed:
            pending = [held for held, state in self._unwritten() if state.floor <= tokens.size]
            return any(entry.serves(tokens) for entry in self._entries.values()) or any(
                common_prefix(tokens, held) == tokens.size for held in pending
            )

    def put(self, tokens: Tokens, state: State) -> bool:
        """Have a state written soon; False when it is there already or larger than the cap. A full
        queue drops its oldest: the newest is the likeliest to be asked for."""
        assert tokens.size == state.length, "the tokens are what was decoded"
        if state.data.size > self.capacity or self.covers(tokens):
            return False
        with self._changed:
            if len(self._pending) >= PENDING_LIMIT:
                self._pending.popleft()
                self._dropped += 1
            self._pending.append((tokens, state))
            self._changed.notify_all()
        return True

    def load(self, key: int) -> State | None:
        """The state of an entry, checked to the last byte; counts as its use. None when another
        process removed it or it was damaged, and then the entry is gone."""
        with self._changed:
            entry = self._entries.get(key)
        if entry is None:
            return None
        try:
            with entry.path.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                # Another process may have put a file of the same tokens in its place.
                head = state_file.read_head(file, size)
                self._require_same(head, entry.head.tokens)
                state = state_file.read_state(file, head)
        except FileNotFoundError:
            self._forget(entry)
            return None
        except (OSError, Damaged) as error:
            log.warning("prefix cache: damaged file", file=entry.path.name, reason=str(error))
            self._discard(entry)
            return None
        # It may be gone by now; what was read is good all the same.
        with contextlib.suppress(OSError):
            os.utime(entry.path)
        return state

    def drop(self, key: int) -> None:
        """Remove an entry that turned out to be of no use; it counts as damaged."""
        with self._changed:
            entry = self._entries.get(key)
        if entry is not None:
            self._discard(entry)

    def stats(self) -> DiskStats:
        """As of now."""
        with self._changed:
            return DiskStats(
                entries=len(self._entries),
                bytes=sum(entry.head.file_size for entry in self._entries.values()),
                capacity=self.capacity,
                pending=len(self._unwritten()),
                written=self._written,
                dropped=self._dropped,
                damaged=self._damaged,
                failed=self._failed,
                evicted=self._evicted,
            )

    # Entries.

    def _list(self, path: Path) -> str | None:
        """Take a file into the entries; why not, when it was removed instead."""
        try:
            with path.open("rb") as file:
                head = state_file.read_head(file, os.fstat(file.fileno()).st_size)
            self._require_same(head, head.tokens)
            if path.name != _name(head.tokens):
                raise Damaged("its name is another's")
        except FileNotFoundError:
            return None
        except (OSError, Damaged) as error:
            self._damaged += 1
            _unlink(path)
            return f"{path.name}: {error}"
        self._add(path, head)
        return None

    def _require_same(self, head: Head, tokens: Tokens) -> None:
        if head.fingerprint != bytes.fromhex(self._fingerprint):
            raise Damaged("it is of another model or configuration")
        if head.tokens.tobytes() != tokens.tobytes():
            raise Damaged("it is of other tokens")

    def _add(self, path: Path, head: Head) -> DiskEntry:
        with self._changed:
            entry = DiskEntry(self._next_key, path, head)
            self._next_key += 1
            self._entries[entry.key] = entry
            return entry

    def _forget(self, entry: DiskEntry) -> None:
        with self._changed:
            self._entries.pop(entry.key, None)

    def _discard(self, entry: DiskEntry) -> None:
        with self._changed:
            self._damaged += 1
            self._entries.pop(entry.key, None)
        _unlink(entry.path)

    # The writing thread.

    def _unwritten(self) -> list[tuple[Tokens, State]]:
        return [*([self._writing] if self._writing is not None else []), *self._pending]

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._pending or self._is_closing)
                if not self._pending:
                    return
                self._writing = tokens, state = self._pending.popleft()
            try:
                self._write(tokens, state)
            except OSError as error:
                with self._changed:
                    self._failed += 1
                    is_first = self._failed == 1
                if is_first:
                    log.warning("prefix cache: cannot write", reason=str(error))
            finally:
                with self._changed:
                    self._writing = None
                    self._changed.notify_all()

    def _write(self, tokens: Tokens, state: State) -> None:
        head = state_file.head_of(self._fingerprint, tokens, state)
        path = self._folder / _name(tokens)
        # Another worker may have removed the folder with its last file.
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write_whole(path, state_file.encode(head), state)
        entry = self._add(path, head)
        with self._changed:
            self._written += 1
            covered = [
                other
                for other in self._entries.values()
                if other is not entry and entry.serves(other.head.tokens)
            ]
        for other in covered:
            self._forget(other)
            if other.path != path:
                _unlink(other.path)
        self._shrink(path)

    def _shrink(self, newest: Path | None) -> None:
        """Remove what was least recently used, of any fingerprint, until all is within the cap."""
        found = []
        for path in self._base.glob(f"*/*{_SUFFIX}"):
            try:
                facts = path.stat()
            except FileNotFoundError:
                continue
            found.append((facts.st_mtime_ns, facts.st_size, path))
        total = sum(size for _, size, _ in found)
        for _, size, path in sorted(found):
            if total <= self.capacity:
                return
            if path != newest:
                self._evict(path)
                total -= size

    def _evict(self, path: Path) -> None:
        _unlink(path)
        with self._changed:
            self._evicted += 1
            for key in [key for key, entry in self._entries.items() if entry.path == path]:
                del self._entries[key]
        if path.parent != self._folder:
            _remove_if_empty(path.parent)


def _name(tokens: Tokens) -> str:
    digest = hashlib.sha256(tokens.astype("<i4").tobytes()).hexdigest()
    return digest[:40] + _SUFFIX


def _write_whole(path: Path, head: bytes, state: State) -> None:
    """Under a temporary name first, and on the disk before it gets its own."""
    # mkstemp makes it readable by its owner only.
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=_TEMPORARY)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(head)
            file.write(state.data.data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def _unlink(path: Path) -> None:
    # Someone else may have been faster, or own the folder now: either way it is not ours any more.
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        log.warning("prefix cache: cannot remove", file=path.name, reason=str(error))


def _remove_if_stale(path: Path) -> None:
    try:
        age = time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return
    if age > _STALE:
        _unlink(path)


def _remove_if_empty(folder: Path) -> None:
    # It is not, or it is gone.
    with contextlib.suppress(OSError):
        folder.rmdir()
