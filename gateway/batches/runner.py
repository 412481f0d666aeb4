"""Runs the batches of this house, in one gateway at a time."""

from __future__ import annotations

import asyncio
import time

import structlog

from kronk.gateway.locks import only_one
from kronk.gateway.services import Services

from .records import Status
from .turns import Turns
from .work import Work

# How often expired files are looked for.
_SWEEP_SECONDS = 600.0
# After an exception that nobody foresaw, or a disk that was full.
_FIRST_REST, _LONGEST_REST = 30.0, 600.0

log = structlog.get_logger()


class Runner:
    """`run` until cancelled; batches that were interrupted go on in the next life."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._turns = Turns()
        self._works: dict[str, Work] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Carry out what the records say, until cancelled."""
        # Two would answer each line twice.
        async with only_one(self._services.base.files / ".lock"):
            sweeper = asyncio.create_task(self._sweep_for_ever(), name="file-sweeper")
            try:
                await self._look_for_ever()
            finally:
                sweeper.cancel()
                for task in self._tasks.values():
                    task.cancel()
                await asyncio.gather(sweeper, *self._tasks.values(), return_exceptions=True)

    async def _look_for_ever(self) -> None:
        while True:
            self._services.batches.changed.clear()
            try:
                await self._look()
            except Exception:
                log.exception("batches cannot be looked at")
                await asyncio.sleep(_FIRST_REST)
            else:
                await self._services.batches.changed.wait()

    async def _look(self) -> None:
        """A task for each batch that is not over."""
        for batch in await self._services.batches.unfinished():
            if batch.id not in self._tasks:
                self._turns.stand_in_line(batch.id, batch.owner)
                work = Work(self._services, batch.id, self._turns)
                self._works[batch.id] = work
                task = asyncio.create_task(self._carry_out(batch.id, work), name="batch")
                self._tasks[batch.id] = task
            if batch.status is Status.CANCELLING:
                self._works[batch.id].cancel()

    async def _carry_out(self, name: str, work: Work) -> None:
        try:
            rest = _FIRST_REST
            while True:
                try:
                    await work.run()
                    return
                except Exception:
                    # A full disk, or a bug of ours: neither may end the other batches.
                    log.exception("batch interrupted", batch=name, rest=rest)
                await asyncio.sleep(rest)
                rest = min(2.0 * rest, _LONGEST_REST)
        finally:
            self._turns.leave(name)
            del self._tasks[name], self._works[name]

    async def _sweep_for_ever(self) -> None:
        while True:
            try:
                await self._sweep()
            except OSError as error:
                log.error("files cannot be swept", reason=str(error))
            await asyncio.sleep(_SWEEP_SECONDS)

    async def _sweep(self) -> None:
        services = self._services
        swept = await asyncio.to_thread(
            services.files.sweep, time.time(), services.batches.users_of_files
        )
        if swept:
            log.info("files swept", count=swept)
