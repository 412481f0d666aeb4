"""Gathers what a snapshot is made of: from the supervisor, this gateway and the machine."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from kronk.gateway.batches.store import Batches
from kronk.gateway.exchange import Exchange
from kronk.gateway.jobs.records import Job
from kronk.gateway.jobs.store import Jobs
from kronk.gateway.link import Link
from kronk.shared import exposure
from kronk.shared.settings import Settings
from kronk.shared.wire.status import Departure
from kronk.shared.wire.to_gateway import Status

from .facts import Facts, Waiter
from .latency import RecentLatency
from .machine import Machine

STATUS_SECONDS = 2.0
# How often the database is looked into for what waits there; what moves is on the board.
_STORED_EVERY = 5.0


class Collector:
    """Knows what it was told last, so that ends are told once."""

    def __init__(
        self,
        settings: Settings,
        link: Link,
        jobs: Jobs,
        batches: Batches,
        latency: RecentLatency,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._link = link
        self._jobs = jobs
        self._batches = batches
        self._latency = latency
        self._machine = Machine(settings.base.root)
        self._clock = clock
        self._wall = wall
        self._warnings = tuple(exposure.warnings(settings, [(settings.api_host.host,)]))
        self._departures: int | None = None
        self._ended_jobs: int | None = None
        self._stored: tuple[list[Job], int] = ([], 0)
        self._stored_until = 0.0

    async def collect(self) -> Facts:
        """As of now; `Timeout` when the supervisor does not answer."""
        status = await self._link.status(STATUS_SECONDS)
        reading = await asyncio.to_thread(self._machine.read, _pids(status))
        exchange, now = self._link.exchange, self._wall()
        return Facts(
            time=now,
            status=status,
            reading=reading,
            mode=self._settings.mode,
            warnings=self._warnings,
            owners={run.name: run.by.label for run in exchange.runs},
            waiters=_waiters(exchange, now),
            departures=await self._new_departures(status.departures),
            jobs=await self._live_jobs(),
            ended_jobs=self._new_ends(),
            batches=self._stored[1],
            latency=self._latency.figures(),
        )

    def forget(self) -> None:
        """What comes later is no news since now."""
        self._departures = self._ended_jobs = None
        self._stored_until = 0.0

    async def _new_departures(self, count: int) -> tuple[Departure, ...]:
        before, self._departures = self._departures, count
        if before is None or count <= before:
            return ()
        told = await self._link.history(None, STATUS_SECONDS)
        return told.departures[: count - before][::-1]

    def _new_ends(self) -> tuple[Job, ...]:
        board = self._jobs.board
        before, self._ended_jobs = self._ended_jobs, board.ended_count
        return () if before is None else board.ended_since(before)

    async def _live_jobs(self) -> tuple[Job, ...]:
        now = self._clock()
        if now >= self._stored_until:
            self._stored_until = now + _STORED_EVERY
            jobs, batches = await asyncio.gather(
                self._jobs.unfinished(), self._batches.unfinished()
            )
            self._stored = (jobs, len(batches))
        board = self._jobs.board
        stored = {job.id: board.latest(job) for job in self._stored[0]}
        live = stored | {job.id: job for job in board.live}
        over = {job.id for job in board.ended_since(0)}
        return tuple(job for job in live.values() if job.id not in over)


def _pids(status: Status) -> set[int]:
    near = {row.pid for row in status.models if row.pid is not None and row.host is None}
    return near | {process.pid for process in status.processes}


def _waiters(exchange: Exchange, now: float) -> tuple[Waiter, ...]:
    return tuple(
        Waiter(
            run.name,
            run.job.model,
            None if run.standing is None else run.standing.position,
            now - run.epoch,
            run.by.label,
        )
        for run in exchange.runs
        if run.worker is None and run.job.ask is not None
    )
