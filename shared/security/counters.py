"""How many calls and tokens each subject has used, in LMDB: exact for any number of processes.

A call is checked and counted in one transaction, so no two processes grant the same one. Commits
do not wait for the disk: what a process has counted is in the kernel's memory and outlives its
SIGKILL. `Upkeep` brings it to the disk about once a second, which is what a power cut may lose.

A row is what one subject did at one endpoint in one window of the calendar; the endpoint "" is all
of them together, and has tokens only.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import lmdb

from kronk.shared.errors import ServerError

from .grants import Limit
from .windows import DAY_SECONDS, WindowName, Windows, is_before, windows_at

# Of the address space, not of the disk; the file grows as it fills. A row takes about 100 bytes.
_MAP_BYTES = 4 * 1024**3
_TABLE = b"counters"
DATA = "data.mdb"
SAVED = "saved.mdb"
KEPT_DAYS = 400
# Calls, tokens of prompts, tokens of answers.
_ROW = struct.Struct("<QQQ")
_LONGEST_SUBJECT = 200
_ALL = ""
_AFTER_ALL_WINDOWS = b"\xff"
_DASHES_OF_A_DAY = 2


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a limit is used up in the window that counts."""

    of: Literal["calls", "tokens"]
    limit: int
    window: WindowName
    used: int
    # Seconds since the epoch.
    resets: int

    @property
    def remaining(self) -> int:
        return max(0, self.limit - self.used)


@dataclass(frozen=True, slots=True)
class Charge:
    """What came of asking for one call. `refused` is the limit that does not allow it: then nothing
    was counted. The standings have the call in them."""

    subject: str
    endpoint: str
    windows: Windows
    calls: Standing | None = None
    tokens: Standing | None = None
    refused: Standing | None = None

    @property
    def allowed(self) -> bool:
        return self.refused is None

    @property
    def standing(self) -> Standing | None:
        """The limit that matters to the caller: the one that refuses, or else of calls."""
        return self.refused or self.calls or self.tokens


@dataclass(frozen=True, slots=True, order=True)
class Used:
    """What a row says."""

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens


@dataclass(frozen=True, slots=True)
class Usage:
    """What one subject did at one endpoint in the windows of now."""

    subject: str
    endpoint: str
    day: Used
    month: Used
    year: Used


class Counters:
    """The rows. Each call takes microseconds, but may wait for another process's."""

    def __init__(self, folder: Path, *, writable: bool = True) -> None:
        """`ServerError` when it cannot be opened, also when it is to be read only and is not there.
        `folder.exists()` tells the two apart."""
        self.folder = folder
        # Whether something was counted that `flush` has not seen.
        self.is_dirty = False
        self._windows = windows_at(0)
        self._swept_to = b""
        try:
            if writable:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._environment = lmdb.open(
                str(folder),
                map_size=_MAP_BYTES,
                max_dbs=2,
                mode=0o600,
                sync=False,
                readonly=not writable,
                create=writable,
            )
            # Processes that were killed while they read would keep old pages for ever.
            self._environment.reader_check()
            self._table = self._environment.open_db(_TABLE, create=writable)
        except (OSError, lmdb.Error) as error:
            raise ServerError(f"the counters in {folder} cannot be opened: {error}") from error

    def charge(
        self, subject: str, endpoint: str, limit: Limit, now: float, tokens: Limit | None = None
    ) -> Charge:
        """Count one call, unless `limit` does not allow another or the budget of `tokens` is used
        up; `now` is in seconds since the epoch. `ServerError` when it cannot be counted."""
        with self.writing() as transaction:
            return self.charge_in(transaction, subject, endpoint, limit, now, tokens)

    def charge_in(
        self,
        transaction: lmdb.Transaction,
        subject: str,
        endpoint: str,
        limit: Limit,
        now: float,
        tokens: Limit | None = None,
    ) -> Charge:
        """The same, as a part of a transaction of `writing`."""
        windows = self._windows_at(now)
        group = _group(subject, endpoint)
        spent = None if tokens is None else self._spent(transaction, subject, tokens, windows)
        calls = _calls(transaction, group, limit, windows)
        # Every budget is as good as used up that is not above what was used.
        refused = next((s for s in (calls, spent) if s is not None and not s.remaining), None)
        if refused is not None:
            return Charge(subject, endpoint, windows, calls, spent, refused)
        _add(transaction, group, windows, 1, 0, 0)
        self.is_dirty = True
        if calls is not None:
            calls = Standing("calls", calls.limit, calls.window, calls.used + 1, calls.resets)
        return Charge(subject, endpoint, windows, calls, spent)

    def refund(self, charge: Charge) -> None:
        """Take back a call, in the windows it was counted in. Once for a charge."""
        with self.writing() as transaction:
            self.refund_in(transaction, charge)

    def refund_in(self, transaction: lmdb.Transaction, charge: Charge) -> None:
        """The same, as a part of a transaction of `writing`."""
        assert charge.allowed, "what was refused was not counted"
        _add(transaction, _group(charge.subject, charge.endpoint), charge.windows, -1, 0, 0)
        self.is_dirty = True

    def add_tokens(self, charge: Charge, prompt: int, completion: int) -> None:
        """Count what a call came to, in the windows that the call was counted in."""
        with self.writing() as transaction:
            self.add_tokens_in(transaction, charge, prompt, completion)

    def add_tokens_in(
        self, transaction: lmdb.Transaction, charge: Charge, prompt: int, completion: int
    ) -> None:
        """The same, as a part of a transaction of `writing`."""
        for endpoint in (charge.endpoint, _ALL):
            group = _group(charge.subject, endpoint)
            _add(transaction, group, charge.windows, 0, prompt, completion)
        self.is_dirty = True

    def usage(self, now: float, subject: str | None = None) -> list[Usage]:
        """What was used in the windows of `now`: of all subjects, or of one."""
        windows = windows_at(now)
        with self._reading() as transaction:
            found = _usages(transaction, windows, subject)
            return sorted(found, key=lambda usage: (usage.subject, usage.endpoint))

    def days(self, subject: str) -> list[tuple[str, str, Used]]:
        """Day, endpoint and what was used, in this order, as far back as it is kept."""
        with self._reading() as transaction:
            rows = [(*_parts(key)[1:], value) for key, value in _of_subject(transaction, subject)]
        return sorted(
            (window, endpoint, Used(*_unpacked(value)))
            for endpoint, window, value in rows
            if window.count("-") == _DASHES_OF_A_DAY and endpoint != _ALL
        )

    def sweep(self, now: float, most: int = 500) -> int | None:
        """Look at up to so many rows, from where the last call ended, and remove those of windows
        that were over long ago; how many that were, None once all have been looked at."""
        horizon = windows_at(now - KEPT_DAYS * DAY_SECONDS)
        old, looked = list[bytes](), 0
        with self._reading() as transaction, transaction.cursor() as cursor:
            found = cursor.set_range(self._swept_to) if self._swept_to else cursor.first()
            while found and looked < most:
                looked += 1
                if is_before(_parts(bytes(cursor.key()))[2], horizon):
                    old.append(bytes(cursor.key()))
                found = cursor.next()
            self._swept_to = bytes(cursor.key()) if found else b""
        if old:
            with self.writing() as transaction:
                for key in old:
                    transaction.delete(key)
                self.is_dirty = True
        return len(old) if self._swept_to else None

    def flush(self) -> None:
        """Bring what was counted to the disk. Blocks for it."""
        self.is_dirty = False
        try:
            self._environment.sync(True)
            self._environment.reader_check()
        except lmdb.Error as error:
            self.is_dirty = True
            raise _unusable(error) from error

    def save(self) -> None:
        """Write a copy beside it, for the day on which a power cut has broken the other."""
        fresh = self.folder / f"{SAVED}.{os.getpid()}"
        try:
            with open(fresh, "wb", opener=_private) as file:
                self._environment.copyfd(file.fileno())
                os.fsync(file.fileno())
            fresh.replace(self.folder / SAVED)
        except (OSError, lmdb.Error) as error:
            fresh.unlink(missing_ok=True)
            raise _unusable(error) from error

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return (self.folder / DATA).stat().st_size

    def close(self) -> None:
        """Nothing may be counted afterwards."""
        self._environment.close()

    def _windows_at(self, now: float) -> Windows:
        if not self._windows.holds(now):
            self._windows = windows_at(now)
        return self._windows

    def _spent(
        self, transaction: lmdb.Transaction, subject: str, limit: Limit, windows: Windows
    ) -> Standing | None:
        if limit.calls is None or limit.window == "unlimited":
            return None
        window = windows.of(limit.window)
        used = _row(transaction, _group(subject, _ALL) + window.key.encode())
        return Standing("tokens", limit.calls, limit.window, used[1] + used[2], window.resets)

    def table(self, name: str) -> Any:
        """A table of its own beside them, for `writing`: what is in both is in both or in none."""
        return self._environment.open_db(name.encode())

    @contextmanager
    def writing(self) -> Iterator[lmdb.Transaction]:
        """A transaction; of one process at a time. `ServerError` when it fails."""
        try:
            with self._environment.begin(self._table, write=True) as transaction:
                yield transaction
        except (lmdb.Error, struct.error) as error:
            raise _unusable(error) from error

    @contextmanager
    def _reading(self) -> Iterator[lmdb.Transaction]:
        try:
            with self._environment.begin(self._table) as transaction:
                yield transaction
        except (lmdb.Error, struct.error) as error:
            raise _unusable(error) from error


def _calls(
    transaction: lmdb.Transaction, group: bytes, limit: Limit, windows: Windows
) -> Standing | None:
    if limit.calls is None or limit.window == "unlimited":
        return None
    window = windows.of(limit.window)
    used, _, _ = _row(transaction, group + window.key.encode())
    return Standing("calls", limit.calls, limit.window, used, window.resets)


def _add(
    transaction: lmdb.Transaction,
    group: bytes,
    windows: Windows,
    calls: int,
    prompt: int,
    completion: int,
) -> None:
    # All three, whatever the limit: it may be of another window with the subject's next token.
    for window in (windows.day, windows.month, windows.year):
        key = group + window.key.encode()
        row = _row(transaction, key)
        counted = max(0, row[0] + calls)
        transaction.put(key, _ROW.pack(counted, row[1] + prompt, row[2] + completion))


def _row(transaction: lmdb.Transaction, key: bytes) -> tuple[int, int, int]:
    value = transaction.get(key)
    return (0, 0, 0) if value is None else _unpacked(bytes(value))


def _unpacked(value: bytes) -> tuple[int, int, int]:
    calls, prompt, completion = _ROW.unpack(value)
    return calls, prompt, completion


def _group(subject: str, endpoint: str) -> bytes:
    """What the keys of a subject's rows at one endpoint begin with. The lengths keep apart what
    would run together."""
    name = endpoint.encode()
    return _of(subject) + bytes([len(name)]) + name


def _of(subject: str) -> bytes:
    name = subject.encode(errors="replace")
    if len(name) > _LONGEST_SUBJECT:
        name = hashlib.sha256(name).hexdigest().encode()
    return bytes([len(name)]) + name


def _parts(key: bytes) -> tuple[str, str, str]:
    """Subject, endpoint and window of a key."""
    middle = 1 + key[0]
    end = middle + 1 + key[middle]
    return key[1:middle].decode(), key[middle + 1 : end].decode(), key[end:].decode()


def _of_subject(transaction: lmdb.Transaction, subject: str) -> Iterator[tuple[bytes, bytes]]:
    prefix = _of(subject)
    with transaction.cursor() as cursor:
        found = cursor.set_range(prefix)
        while found and (key := bytes(cursor.key())).startswith(prefix):
            yield key, bytes(cursor.value())
            found = cursor.next()


def _usages(
    transaction: lmdb.Transaction, windows: Windows, subject: str | None
) -> Iterator[Usage]:
    prefix = b"" if subject is None else _of(subject)
    with transaction.cursor() as cursor:
        found = cursor.set_range(prefix) if prefix else cursor.first()
        while found and (key := bytes(cursor.key())).startswith(prefix):
            whose, endpoint, _ = _parts(key)
            group = _group(whose, endpoint)
            if endpoint != _ALL:
                day, month, year = (
                    Used(*_row(transaction, group + window.key.encode()))
                    for window in (windows.day, windows.month, windows.year)
                )
                if year != Used():
                    yield Usage(whose, endpoint, day, month, year)
            # Over the rows of all other windows.
            found = cursor.set_range(group + _AFTER_ALL_WINDOWS)


def _unusable(error: Exception) -> ServerError:
    return ServerError(f"calls cannot be counted: {error}")


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
