"""Carries one batch from where its record says it is to its end."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import suppress
from typing import Any

import structlog

from kronk.gateway.services import Services
from kronk.shared.errors import Conflict, ModelFailed, NotFound
from kronk.shared.files import sync_folder

from .answering import BadLine, Input, answer_all
from .files import StoredFile
from .lines import paced, read
from .records import Batch, Counts, Event, Fault, Status
from .results import CANCELLED, EXPIRED, NoResponse, Result, Results
from .turns import Turns, opened
from .validating import input_gone, open_input, validate

# Lines that were not run are written so many at once.
_WRITTEN_AT_ONCE = 1000

log = structlog.get_logger()


class Work:
    """One batch that is not over."""

    def __init__(self, services: Services, batch: str, turns: Turns) -> None:
        self._services = services
        self._batches = services.batches
        self._files = services.files
        self._id = batch
        self._turns = turns
        self._cancelled = asyncio.Event()

    def cancel(self) -> None:
        """The record says that it is to be cancelled. Idempotent."""
        self._cancelled.set()

    async def run(self) -> None:
        """Until it is over. May be interrupted and done again at any point: nothing is lost."""
        if (await self._batches.now(self._id)).is_over:
            return
        log.info("batch started", batch=self._id)
        while not (batch := await self._batches.now(self._id)).is_over:
            # Whoever changed the record in between was first; it says what to do now.
            with suppress(Conflict):
                await self._step(batch)
        log.info(
            "batch ended",
            batch=self._id,
            status=batch.status.value,
            total=batch.counts.total,
            completed=batch.counts.completed,
            failed=batch.counts.failed,
        )

    async def _step(self, batch: Batch) -> None:
        match batch.status:
            case Status.VALIDATING:
                await self._validate(batch)
            case Status.IN_PROGRESS:
                await self._answer(batch)
            case Status.CANCELLING:
                await self._give_up(batch, Event.PUBLISH, CANCELLED)
            case _:
                assert batch.status is Status.FINALIZING, "the loop ends with the others"
                await self._publish(batch, Event.PUBLISH)

    async def _validate(self, batch: Batch) -> None:
        over = threading.Event()
        try:
            async with self._turns.validate:
                found = await asyncio.to_thread(validate, self._services, batch, over)
        finally:
            over.set()
        if found.faults:
            faults = tuple(found.faults)
            await self._batches.advance(batch.id, Event.REFUSE, faults=faults)
        else:
            await self._batches.advance(
                batch.id, Event.ACCEPT, counts=Counts(found.total), model=found.model
            )

    async def _answer(self, batch: Batch) -> None:
        """Run its lines in its turn, for as long as its window and nobody's cancel allow."""
        answering = asyncio.create_task(self._take_turn(batch), name="batch-lines")
        cancelled = asyncio.create_task(self._cancelled.wait(), name="batch-cancel")
        try:
            # The window is in days that people count, so by the clock on the wall.
            left = max(batch.expires_at - time.time(), 0.0)
            await asyncio.wait(
                {answering, cancelled}, timeout=left, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            await _end(answering, cancelled)
        if self._cancelled.is_set():
            return
        if answering.cancelled():
            await self._give_up(batch, Event.EXPIRE, EXPIRED)
            return
        try:
            done = answering.result()
        except (BadLine, ModelFailed, NotFound) as error:
            await self._fail(batch, error)
            return
        await self._batches.advance(batch.id, Event.FINISH, **done)

    async def _take_turn(self, batch: Batch) -> dict[str, Any]:
        """Run all lines; what the record is to say afterwards."""
        await self._turns.come(batch.id)
        async with (
            opened(lambda: open_input(self._files, batch)) as file,
            opened(lambda: self._results(batch)) as results,
        ):
            await answer_all(self._services, self._turns.ward, batch, file, results)
        return _figures(batch, results)

    async def _give_up(self, batch: Batch, event: Event, why: NoResponse) -> None:
        """Say of each line that was not run why."""
        async with opened(lambda: self._results(batch)) as results:
            # Without the input there is nothing to be said.
            with suppress(NotFound, BadLine):
                await asyncio.to_thread(self._write_rest, batch, results, why)
        await self._publish(batch, event, **_figures(batch, results))

    def _write_rest(self, batch: Batch, results: Results, why: NoResponse) -> None:
        if batch.counts.total == 0:
            # It was not looked at, so nobody knows whether its lines are requests.
            return
        with open_input(self._files, batch) as file:
            rest = Input(paced(read(file)), batch.endpoint, frozenset(results.done))
            waiting: list[Result] = []
            while (line := rest.next()) is not None:
                waiting.append(Result(line.number, line.custom_id, why))
                if len(waiting) == _WRITTEN_AT_ONCE:
                    results.append(waiting)
                    waiting = []
            results.append(waiting)

    async def _fail(self, batch: Batch, error: BadLine | ModelFailed | NotFound) -> None:
        match error:
            case BadLine():
                fault = error.fault
            case NotFound():
                fault = input_gone(error)
            case _:
                fault = Fault(error.code, error.message, param="body.model")
        async with opened(lambda: self._results(batch)) as results:
            figures = _figures(batch, results)
        await self._publish(batch, Event.REFUSE, faults=(fault,), **figures)

    def _results(self, batch: Batch) -> Results:
        files = self._files
        return Results(batch.id, files.path(batch.output_file), files.path(batch.error_file))

    async def _publish(self, batch: Batch, event: Event, **changes: Any) -> None:
        """Make the results files that can be fetched, and say so in the record."""
        has_output = await asyncio.to_thread(self._make_file, batch, batch.output_file, "output")
        has_errors = await asyncio.to_thread(self._make_file, batch, batch.error_file, "errors")
        await self._batches.advance(
            batch.id, event, has_output=has_output, has_errors=has_errors, **changes
        )

    def _make_file(self, batch: Batch, name: str, what: str) -> bool:
        path = self._files.path(name)
        size = path.stat().st_size if path.exists() else 0
        if not size:
            path.unlink(missing_ok=True)
            return False
        # Before anything says that it is there.
        sync_folder(path.parent)
        now, kept = int(time.time()), batch.output_expires_after
        self._files.add(
            StoredFile(
                id=name,
                bytes=size,
                created_at=now,
                filename=f"{batch.id}_{what}.jsonl",
                purpose="batch_output",
                expires_at=None if kept is None else now + kept,
                owner=batch.owner,
            )
        )
        return True


def _figures(batch: Batch, results: Results) -> dict[str, Any]:
    return {"counts": results.counts(batch.counts.total), "tokens": results.tokens}


async def _end(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
