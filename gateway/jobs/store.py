"""The jobs in the database, and the board of those that move."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from kronk.gateway.batches.names import JOB, is_name, new_name
from kronk.shared.database import Table
from kronk.shared.errors import Conflict, NotFound, Overloaded
from kronk.shared.jobs.kinds import Kind

from .board import Board
from .decisions import to_forget
from .records import Event, Job, advance, from_json, to_json
from .secrets import JobSecrets

MOST_UNFINISHED = 1000
# What is kept of jobs that are over.
MOST_KEPT, KEPT_SECONDS = 200, 30 * 86_400.0


class Jobs:
    """All jobs. Every method waits for the disk in a thread."""

    def __init__(self, table: Table, secrets: JobSecrets) -> None:
        # Set when the runner should look at the records.
        self.changed = asyncio.Event()
        self.board = Board()
        self.secrets = secrets
        self._table = table
        self._creating = asyncio.Lock()

    async def create(self, kind: Kind, params: dict[str, Any]) -> tuple[Job, bool]:
        """A new job, or the one that does the same already, and whether it is that."""
        target = kind.target(params)
        # Two who ask at once get one job.
        async with self._creating:
            unfinished = await self.unfinished()
            for job in unfinished:
                if job.target == target:
                    return self.board.latest(job), True
            if len(unfinished) >= MOST_UNFINISHED:
                raise Overloaded(f"{MOST_UNFINISHED} jobs are not finished yet", retry_after=60.0)
            told, hidden = kind.parted(params)
            job = Job(new_name(JOB), kind.name, told, kind.titled(params), target, time.time())
            await asyncio.to_thread(self.secrets.keep, job.id, hidden)
            await asyncio.to_thread(self._table.put, job.id, to_json(job))
        self.board.show(job)
        self.changed.set()
        return job, False

    async def get(self, name: str) -> Job:
        """`NotFound` when there is none of that name."""
        record = await asyncio.to_thread(self._table.get, name) if is_name(JOB, name) else None
        if record is None:
            raise _not_found(name)
        return self.board.latest(from_json(record))

    async def all(self) -> list[Job]:
        """Oldest first."""
        return [self.board.latest(job) for job in await asyncio.to_thread(self._all)]

    async def unfinished(self) -> list[Job]:
        """Those that are not over, oldest first; as stored."""
        return [job for job in await asyncio.to_thread(self._all) if not job.is_over]

    async def advance(self, name: str, event: Event, **changes: Any) -> Job:
        """What happened, on disk; `Conflict` where it cannot happen to it now."""
        now = time.time()
        job = await self._change(name, lambda job: advance(job, event, now, **changes))
        if job.is_over:
            await asyncio.to_thread(self.secrets.forget, job.id)
        self.board.show(job)
        self.changed.set()
        return job

    async def cancel(self, name: str) -> Job:
        """What is on disk of it stays, for the next job that is about the same."""
        job = await self.get(name)
        moved = {"phase": job.phase, "done_bytes": job.done_bytes, "total_bytes": job.total_bytes}
        return await self.advance(name, Event.CANCEL, **moved)

    async def look_again(self, name: str) -> None:
        """Notice that another gateway has ended it."""
        record = await asyncio.to_thread(self._table.get, name)
        if record is not None and (job := from_json(record)).is_over:
            self.board.show(job)

    async def note(self, moving: Job) -> None:
        """How far it is, for after a crash; unless its state has changed."""

        def noted(job: Job) -> Job:
            return moving if job.state is moving.state else job

        await self._change(moving.id, noted)

    async def delete(self, name: str) -> Job:
        """Forget one that is over."""
        job = await self.get(name)
        if not job.is_over:
            raise Conflict(f"job {name} is {job.state}: cancel it first")
        await asyncio.to_thread(self._table.delete, name)
        return job

    async def sweep(self) -> None:
        """Forget what is over for long, or is one of too many."""
        jobs = await asyncio.to_thread(self._all)
        names = to_forget(jobs, time.time(), MOST_KEPT, KEPT_SECONDS)
        if names:
            await asyncio.to_thread(self._table.delete, *names)

    def _all(self) -> list[Job]:
        return [from_json(record) for _, record in self._table.items()]

    async def _change(self, name: str, changed: Callable[[Job], Job]) -> Job:
        def change(record: dict[str, Any]) -> dict[str, Any]:
            return to_json(changed(from_json(record)))

        if not is_name(JOB, name):
            raise _not_found(name)
        record = await asyncio.to_thread(self._table.change, name, change)
        if record is None:
            raise _not_found(name)
        return from_json(record)


def _not_found(name: str) -> NotFound:
    return NotFound(f"job_id: there is no job {name[:100]!r}", param="job_id")
