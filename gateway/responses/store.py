"""Stored responses: in the database until they are deleted or have reached their age.

Each belongs to the subject that asked for it. Routes get at them by `ResponseStore.of` only, so
that none can forget to say for whom.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import lmdb
import structlog

from kronk.gateway.dialects.responses.ids import birth
from kronk.gateway.dialects.responses.stored import Stored
from kronk.shared.database import Database, Table
from kronk.shared.security.identity import Identity

from .shares import Shares

# A response that is too old is no longer found; what is swept later is its disk space.
SWEEP_SECONDS = 3600.0
# Deleted in one transaction, which nobody else can write in.
_AT_ONCE = 256
# The field of a record that says whose it is.
_OWNER = "owner"

log = structlog.get_logger()


class ResponseStore:
    """All of them."""

    def __init__(
        self, database: Database, ttl: float, clock: Callable[[], float] = time.time
    ) -> None:
        """`ttl` in seconds; 0 is for ever."""
        self._table = database.table("responses")
        self._shares = Shares(database.table("response_shares"))
        self._ttl = ttl
        self._clock = clock

    def of(self, identity: Identity) -> OwnResponses:
        """Those that it may see; what is put there is its own."""
        return OwnResponses(self._table, self._shares, identity, self._is_old)

    def sweep(self) -> int:
        """Remove what is too old, which is what comes first; how many it was."""
        old: list[str] = []
        for name in self._table.names():
            born = birth(name)
            if len(old) == _AT_ONCE or (born is not None and not self._is_old(born)):
                break
            old.append(name)
        return self._table.delete(*old) if old else 0

    async def keep_swept(self) -> None:
        """Sweep now and then, for as long as the gateway runs."""
        while True:
            try:
                while swept := await asyncio.to_thread(self.sweep):
                    log.info("old responses removed", responses=swept)
                await asyncio.to_thread(self._shares.sweep, self._is_name_old)
            except lmdb.Error:
                log.exception("old responses cannot be removed")
            await asyncio.sleep(SWEEP_SECONDS)

    def _is_name_old(self, name: str) -> bool:
        born = birth(name)
        return born is None or self._is_old(born)

    def _is_old(self, born: int) -> bool:
        return bool(self._ttl) and self._clock() > born + self._ttl


class OwnResponses:
    """The stored responses of somebody. What takes no `await` blocks: for the disk, or until a long
    conversation is read."""

    def __init__(
        self, table: Table, shares: Shares, identity: Identity, is_old: Callable[[int], bool]
    ) -> None:
        self._table = table
        self._shares = shares
        self._identity = identity
        self._is_old = is_old

    @property
    def _payer(self) -> str | None:
        """Whose share it comes out of; None where there are no shares."""
        return self._identity.subject if self._identity.is_limited else None

    async def prepare(self) -> None:
        """From now on `check_room` answers at once."""
        if self._payer is not None and not self._shares.is_known(self._payer):
            await asyncio.to_thread(self._shares.learn, self._payer)

    def check_room(self, size: int) -> None:
        """`TooLarge` when no more than that may be stored, in bytes."""
        if self._payer is not None:
            self._shares.check(self._payer, size)

    def find(self, name: str) -> Stored | None:
        """The response of that name; None for one that is not there, too old or somebody else's."""
        record = self._record(name)
        if record is None:
            return None
        return Stored(record["response"], record["items"], record["size"])

    async def put(self, stored: Stored) -> None:
        """Keep a response. That the disk is full is told in the log: the answer is made, and its
        client is better served with it than with an error."""
        name, record = stored.response["id"], stored.record() | {_OWNER: self._identity.subject}
        try:
            await asyncio.to_thread(self._put, name, record, stored.size)
        except lmdb.Error as error:
            log.error("a response could not be stored", response=name, reason=str(error))

    async def delete(self, name: str) -> bool:
        """Whether it was there."""
        return await asyncio.to_thread(self._delete, name)

    def _put(self, name: str, record: dict[str, Any], size: int) -> None:
        if self._identity.subject is not None:
            self._shares.add(self._identity.subject, name, size)
        self._table.put(name, record)

    def _delete(self, name: str) -> bool:
        record = self._record(name)
        if record is None or self._table.delete(name) != 1:
            return False
        if record.get(_OWNER) is not None:
            self._shares.remove(record[_OWNER], name)
        return True

    def _record(self, name: str) -> dict[str, Any] | None:
        born = birth(name)
        if born is None or self._is_old(born):
            return None
        subject = self._identity.subject
        # So that what is somebody else's is not found in the time that what is not there is not
        # found in: reading a record may take long.
        is_own = subject is None or self._shares.has(subject, name)
        if not is_own and not self._identity.sees_all:
            return None
        record = self._table.get(name)
        # Records of earlier versions are nobody's in particular.
        is_seen = record is not None and self._identity.sees(record.get(_OWNER))
        return record if is_seen else None
