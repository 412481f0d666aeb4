"""What the gateway keeps beyond a request: JSON records in LMDB, on disk once `put` returns.

One environment under the base path, a named database in it for each kind of record. LMDB lets any
number of processes open it at once, so a gateway may start while another still drains.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import lmdb
import pydantic_core
import structlog

from .errors import ServerError
from .files import hand_over
from .write_turn import WriteTurn

log = structlog.get_logger()

T = TypeVar("T")

# Of the address space, not of the disk; the file grows as it fills.
_MAP_BYTES = 64 * 1024**3
_MOST_TABLES = 32
_FILES = ("data.mdb", "lock.mdb")
# LMDB's own limit.
LONGEST_KEY = 511


class Table:
    """Records of one kind by their key, in the order of the keys. Blocks for the disk on writes:
    call it in a thread."""

    def __init__(self, environment: lmdb.Environment, turn: WriteTurn, name: str) -> None:
        self._environment = environment
        self._turn = turn
        with turn:
            self._db = environment.open_db(name.encode())

    @property
    def handle(self) -> Any:
        """What LMDB knows it by."""
        return self._db

    def get(self, key: str) -> dict[str, Any] | None:
        """The record, or None."""
        raw = _raw(key)
        if raw is None:
            return None
        with self._environment.begin(self._db) as transaction:
            value = transaction.get(raw)
        return None if value is None else _read(key, value)

    def put(self, key: str, record: dict[str, Any]) -> None:
        """Write a record over what was there."""
        raw = _raw(key)
        assert raw is not None, "keys are names of our own making"
        with self._turn, self._environment.begin(self._db, write=True) as transaction:
            transaction.put(raw, _dumps(record))

    def change(
        self, key: str, changed: Callable[[dict[str, Any]], dict[str, Any]]
    ) -> dict[str, Any] | None:
        """Put what `changed` makes of the record, and return it; None where there is no record.

        Nobody writes in between, whatever process; nothing is written when `changed` raises.
        """
        raw = _raw(key)
        if raw is None:
            return None
        with self._turn, self._environment.begin(self._db, write=True) as transaction:
            value = transaction.get(raw)
            known = None if value is None else _read(key, value)
            if known is None:
                return None
            record = changed(known)
            transaction.put(raw, _dumps(record))
        return record

    def upsert(
        self, key: str, made: Callable[[dict[str, Any] | None], dict[str, Any]]
    ) -> dict[str, Any]:
        """Put what `made` makes of the record, or of None where there is none, and return it.

        Nobody writes in between, whatever process; nothing is written when `made` raises.
        """
        raw = _raw(key)
        assert raw is not None, "keys are names of our own making"
        with self._turn, self._environment.begin(self._db, write=True) as transaction:
            value = transaction.get(raw)
            record = made(None if value is None else _read(key, value))
            transaction.put(raw, _dumps(record))
        return record

    def delete(self, *keys: str) -> int:
        """Remove records; how many of them there were."""
        with self._turn, self._environment.begin(self._db, write=True) as transaction:
            return sum(transaction.delete(raw) for key in keys if (raw := _raw(key)))

    def names(self) -> Iterator[str]:
        """All keys as they are when it begins, without their records."""
        with self._environment.begin(self._db) as transaction:
            for key in transaction.cursor().iternext(values=False):
                yield bytes(key).decode(errors="replace")

    def items(self, prefix: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
        """All records as they are when it begins, or those whose keys begin so."""
        with self._environment.begin(self._db) as transaction:
            yield from _walk(transaction.cursor(), prefix)


class Writer:
    """One transaction over several tables of a database: all of it is written, or nothing."""

    def __init__(self, transaction: lmdb.Transaction) -> None:
        self._transaction = transaction

    def get(self, table: Table, key: str) -> dict[str, Any] | None:
        """The record as this transaction sees it, or None."""
        raw = _raw(key)
        value = None if raw is None else self._transaction.get(raw, db=table.handle)
        return None if value is None else _read(key, bytes(value))

    def items(self, table: Table, prefix: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """The records whose keys begin so."""
        return _walk(self._transaction.cursor(table.handle), prefix)

    def put(self, table: Table, key: str, record: dict[str, Any]) -> None:
        """Write a record over what was there."""
        raw = _raw(key)
        assert raw is not None, "keys are names of our own making"
        self._transaction.put(raw, _dumps(record), db=table.handle)

    def delete(self, table: Table, key: str) -> bool:
        """Whether there was one."""
        raw = _raw(key)
        return raw is not None and bool(self._transaction.delete(raw, db=table.handle))


class Database:
    """The environment. Opened once in a process."""

    def __init__(self, folder: Path) -> None:
        """`ServerError` when it cannot be opened. That it is broken was found out by `mending`."""
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            hand_over(folder, folder.parent)
            self._turn = WriteTurn(folder)
            self._environment = lmdb.open(
                str(folder), map_size=_MAP_BYTES, max_dbs=_MOST_TABLES, mode=0o600
            )
            # By name: closing a second handle of its lock file would end LMDB's own locks.
            for name in _FILES:
                hand_over(folder / name, folder)
        except (OSError, lmdb.Error) as error:
            raise ServerError(f"the database in {folder} cannot be opened: {error}") from error

    def table(self, name: str) -> Table:
        """The records of that kind."""
        return Table(self._environment, self._turn, name)

    def together(self, work: Callable[[Writer], T]) -> T:
        """What `work` returns, once all it has written is on disk; nothing of it is where it
        raises. Nobody writes in between, whatever process, so `work` is short."""
        with self._turn, self._environment.begin(write=True) as transaction:
            return work(Writer(transaction))

    def close(self) -> None:
        self._environment.close()
        self._turn.close()


def _walk(cursor: lmdb.Cursor, prefix: str) -> Iterator[tuple[str, dict[str, Any]]]:
    raw = prefix.encode()
    # An empty key is none that could be looked for.
    if raw and not cursor.set_range(raw):
        return
    for key, value in cursor:
        if not bytes(key).startswith(raw):
            return
        name = bytes(key).decode(errors="replace")
        record = _read(name, bytes(value))
        if record is not None:
            yield name, record


def _raw(key: str) -> bytes | None:
    """The key as bytes; None for one that cannot be in a database."""
    raw = key.encode(errors="replace")
    return raw if 0 < len(raw) <= LONGEST_KEY else None


def _dumps(record: dict[str, Any]) -> bytes:
    # Not json's, which holds the interpreter's lock four times as long: a conversation with images
    # has tens of megabytes.
    return pydantic_core.to_json(record, inf_nan_mode="constants")


def _read(name: str, value: bytes) -> dict[str, Any] | None:
    """The record; None for bytes that are none any more: then there is no such record."""
    try:
        record = pydantic_core.from_json(value)
    except ValueError:
        record = None
    if not isinstance(record, dict):
        log.error("a record of the database is damaged, and counts as gone", record=name)
        return None
    return record
