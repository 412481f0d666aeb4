"""The batches in the database."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from kronk.gateway.dialects.paging import Paging
from kronk.shared.database import Table
from kronk.shared.errors import InvalidArgument, NotFound, Overloaded, RateLimited
from kronk.shared.security.identity import Identity

from .files import Files
from .makers import maker_of
from .names import BATCH, FILE, is_name, new_name
from .records import Batch, Counts, Event, Tokens, advance, from_json, to_json
from .requests import BatchRequest, page_of

# Each has a task, and is looked at with every change of another.
MOST_UNFINISHED = 1000
MOST_UNFINISHED_OF_ONE = 100


class Batches:
    """All batches. Every method waits for the disk in a thread."""

    def __init__(self, table: Table, files: Files) -> None:
        # Set when the runner should look at the records.
        self.changed = asyncio.Event()
        self._table = table
        self._files = files

    # For those who ask: what somebody else made is not there.

    async def create(self, asked: BatchRequest, identity: Identity) -> Batch:
        """A new batch; refuses an input that is not there or not meant for batches."""
        unfinished = await self.unfinished()
        if len(unfinished) >= MOST_UNFINISHED:
            raise Overloaded(f"{MOST_UNFINISHED} batches are not finished yet", retry_after=60.0)
        own = sum(batch.owner == identity.subject for batch in unfinished)
        if identity.is_limited and own >= MOST_UNFINISHED_OF_ONE:
            raise RateLimited(
                f"{own} batches of yours are not finished yet, and there may be"
                f" {MOST_UNFINISHED_OF_ONE}",
                retry_after=60.0,
            )
        batch = await asyncio.to_thread(self._create, asked, identity)
        self.changed.set()
        return batch

    async def get(self, name: str, identity: Identity) -> Batch:
        """`NotFound` when there is none of that name."""
        batch = await self._known(name)
        if batch is None or not identity.sees(batch.owner):
            raise _not_found(name)
        return batch

    async def page(self, asked: Paging, identity: Identity) -> tuple[list[Batch], bool]:
        """Those on the page, and whether more follow."""
        return await asyncio.to_thread(self._page, asked, identity)

    async def cancel(self, name: str, identity: Identity) -> Batch:
        """Stop a batch; `Conflict` for one that is over."""
        now = time.time()

        def cancelled(batch: Batch) -> Batch:
            if not identity.sees(batch.owner):
                raise _not_found(name)
            return advance(batch, Event.CANCEL, now)

        batch = await self._change(name, cancelled)
        self.changed.set()
        return batch

    # For who runs them.

    async def now(self, name: str) -> Batch:
        """As its record is; it is there."""
        batch = await self._known(name)
        assert batch is not None, "batches are not deleted"
        return batch

    async def advance(self, name: str, event: Event, **changes: Any) -> Batch:
        """What happened, on disk; `Conflict` where it cannot happen to it now."""
        now = time.time()
        batch = await self._change(name, lambda batch: advance(batch, event, now, **changes))
        self.changed.set()
        return batch

    async def note_progress(self, name: str, counts: Counts, tokens: Tokens) -> None:
        """How far it is."""
        await self._change(name, lambda batch: replace(batch, counts=counts, tokens=tokens))

    async def unfinished(self) -> list[Batch]:
        """Oldest first."""
        return [batch for batch in await asyncio.to_thread(self._all) if not batch.is_over]

    def users_of_files(self) -> dict[str, Batch]:
        """Files that unfinished batches read or write, each with its batch. For a thread."""
        return {
            name: batch
            for batch in self._all()
            if not batch.is_over
            for name in (batch.input_file, batch.output_file, batch.error_file)
        }

    async def _known(self, name: str) -> Batch | None:
        record = await asyncio.to_thread(self._table.get, name) if is_name(BATCH, name) else None
        return None if record is None else from_json(record)

    def _create(self, asked: BatchRequest, identity: Identity) -> Batch:
        now = int(time.time())
        try:
            file = self._files.get(asked.input_file, now, identity)
        except NotFound as error:
            raise NotFound(error.message, param="input_file_id") from error
        if file.purpose != "batch":
            raise InvalidArgument(
                f"The file {file.id} was uploaded with the purpose '{file.purpose}',"
                " the input of a batch needs the purpose 'batch'",
                param="input_file_id",
            )
        batch = Batch(
            id=new_name(BATCH),
            endpoint=asked.endpoint,
            input_file=file.id,
            completion_window=asked.completion_window,
            created_at=now,
            expires_at=now + asked.window,
            output_file=new_name(FILE),
            error_file=new_name(FILE),
            metadata=asked.metadata,
            output_expires_after=asked.output_expires_after,
            made_by=maker_of(identity),
        )
        self._table.put(batch.id, to_json(batch))
        return batch

    def _all(self) -> list[Batch]:
        return [from_json(record) for _, record in self._table.items()]

    def _page(self, asked: Paging, identity: Identity) -> tuple[list[Batch], bool]:
        batches = {batch.id: batch for batch in self._all() if identity.sees(batch.owner)}
        names, has_more = page_of(list(batches), asked)
        return [batches[name] for name in names], has_more

    async def _change(self, name: str, changed: Callable[[Batch], Batch]) -> Batch:
        def change(record: dict[str, Any]) -> dict[str, Any]:
            return to_json(changed(from_json(record)))

        if not is_name(BATCH, name):
            raise _not_found(name)
        record = await asyncio.to_thread(self._table.change, name, change)
        if record is None:
            raise _not_found(name)
        return from_json(record)


def _not_found(name: str) -> NotFound:
    return NotFound(f"No such Batch object: {name[:100]}", param="batch_id")
