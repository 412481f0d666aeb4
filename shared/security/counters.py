"""How many calls and tokens each subject has used, in LMDB: exact for any number of processes.

A call is checked and counted in one transaction, so no two processes grant the same one. Commits
do not wait for the disk: what a process has counted is in the kernel's memory and outlives its
SIGKILL. `Upkeep` brings it to the disk about once a second, which is what a power cut may lose.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import lmdb

from kronk.shared.errors import ServerError
from kronk.shared.write_turn import WriteTurn

from . import rows
from .grants import Limit
from .rows import ALL, Usage, Used
from .windows import DAY_SECONDS, WindowName, Windows, is_before, windows_at

# Of the address space, not of the disk; the file grows as it fills. A row takes about 100 bytes.
_MAP_BYTES = 4 * 1024**3
_MOST_TABLES = 8
DATA = "data.mdb"
SAVED = "saved.mdb"
KEPT_DAYS = 400


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


class Counters:
    """Each call takes microseconds, but may wait for another process's."""

    def __init__(self, folder: Path, *, writable: bool = True) -> None:
        """`ServerError` when they cannot be opened, also when they are to be read only and are not
        there. A process opens them once."""
        self.folder = folder
        # Whether something was counted that `flush` has not seen.
        self.is_dirty = False
        self._windows = windows_at(0)
        # Of writers; None for who only reads.
        self._turn: WriteTurn | None = None
        # Where the next `sweep` begins.
        self._swept_to = b""
        try:
            if writable:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._turn = WriteTurn(folder)
            self._environment = lmdb.open(
                str(folder),
                map_size=_MAP_BYTES,
                max_dbs=_MOST_TABLES,
                mode=0o600,
                sync=False,
                readonly=not writable,
                create=writable,
            )
            # Processes that were killed while they read would keep old pages for ever.
            self._environment.reader_check()
            if writable:
                _remove_unfinished(folder)
            with self._turn or nullcontext():
                self._rows = self._environment.open_db(b"counters", create=writable)
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
        where = rows.group(subject, endpoint)
        calls = _standing(transaction, "calls", where, limit, windows)
        spent = None
        if tokens is not None:
            spent = _standing(transaction, "tokens", rows.group(subject, ALL), tokens, windows)
        refused = next((s for s in (calls, spent) if s is not None and not s.remaining), None)
        if refused is not None:
            return Charge(subject, endpoint, windows, calls, spent, refused)
        rows.add(transaction, where, windows, calls=1)
        self.is_dirty = True
        if calls is not None:
            calls = replace(calls, used=calls.used + 1)
        return Charge(subject, endpoint, windows, calls, spent)

    def refund(self, charge: Charge) -> None:
        """Take back a call, in the windows it was counted in. Once for a charge."""
        with self.writing() as transaction:
            self.refund_in(transaction, charge)

    def refund_in(self, transaction: lmdb.Transaction, charge: Charge) -> None:
        """The same, as a part of a transaction of `writing`."""
        assert charge.allowed, "what was refused was not counted"
        where = rows.group(charge.subject, charge.endpoint)
        rows.add(transaction, where, charge.windows, calls=-1)
        self.is_dirty = True

    def add_tokens(self, charge: Charge, prompt: int, completion: int) -> None:
        """Count what a call came to, in the windows that the call was counted in."""
        with self.writing() as transaction:
            self.add_tokens_in(transaction, charge, prompt, completion)

    def add_tokens_in(
        self, transaction: lmdb.Transaction, charge: Charge, prompt: int, completion: int
    ) -> None:
        """The same, as a part of a transaction of `writing`."""
        for endpoint in (charge.endpoint, ALL):
            where = rows.group(charge.subject, endpoint)
            rows.add(transaction, where, charge.windows, prompt=prompt, completion=completion)
        self.is_dirty = True

    def usage(self, now: float, subject: str | None = None) -> list[Usage]:
        """What was used in the windows of `now`: by all subjects, or by one."""
        with self._reading() as transaction:
            found = rows.usages(transaction, windows_at(now), subject)
            return sorted(found, key=lambda usage: (usage.subject, usage.endpoint))

    def days(self, subject: str) -> list[tuple[str, str, Used]]:
        """Day, endpoint and what was used, in this order, as far back as it is kept."""
        with self._reading() as transaction:
            return sorted(rows.days(transaction, subject))

    def sweep(self, now: float, most: int = 500) -> int | None:
        """Look at up to so many rows, from where the last call ended, and remove those of windows
        that were over long ago; how many that were. None once all have been looked at: the next
        call begins anew."""
        horizon = windows_at(now - KEPT_DAYS * DAY_SECONDS)
        old, looked = list[bytes](), 0
        with self._reading() as transaction, transaction.cursor() as cursor:
            found = cursor.set_range(self._swept_to) if self._swept_to else cursor.first()
            while found and looked < most:
                key, looked = bytes(cursor.key()), looked + 1
                if is_before(rows.parts(key)[2], horizon):
                    old.append(key)
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
        if self._turn is not None:
            self._turn.close()

    def _windows_at(self, now: float) -> Windows:
        if not self._windows.holds(now):
            self._windows = windows_at(now)
        return self._windows

    def table(self, name: str) -> Any:
        """A table of its own beside them, for `writing`: what is in both is in both or in none."""
        with self._turn or nullcontext():
            return self._environment.open_db(name.encode())

    @contextmanager
    def writing(self) -> Iterator[lmdb.Transaction]:
        """A transaction; of one process at a time. `ServerError` when it fails."""
        try:
            with (
                self._turn or nullcontext(),
                self._environment.begin(self._rows, write=True) as transaction,
            ):
                yield transaction
        except (lmdb.Error, rows.Damaged) as error:
            raise _unusable(error) from error

    @contextmanager
    def _reading(self) -> Iterator[lmdb.Transaction]:
        try:
            with self._environment.begin(self._rows) as transaction:
                yield transaction
        except (lmdb.Error, rows.Damaged) as error:
            raise _unusable(error) from error


def _standing(
    transaction: lmdb.Transaction,
    of: Literal["calls", "tokens"],
    where: bytes,
    limit: Limit,
    windows: Windows,
) -> Standing | None:
    if limit.calls is None or limit.window == "unlimited":
        return None
    window = windows.of(limit.window)
    used = rows.read(transaction, where + window.key.encode())
    amount = used.calls if of == "calls" else used.tokens
    return Standing(of, limit.calls, limit.window, amount, window.resets)


def _remove_unfinished(folder: Path) -> None:
    """Copies that processes were killed over."""
    for path in folder.glob(f"{SAVED}.*"):
        if not Path(f"/proc/{path.suffix[1:]}").exists():
            path.unlink(missing_ok=True)


def _unusable(error: Exception) -> ServerError:
    return ServerError(f"calls cannot be counted: {error}")


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
