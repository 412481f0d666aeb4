"""Keeps the statistics of models: collected in memory, written now and then, never in the way.

A kill loses what came since the last write.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import lmdb
import structlog

from kronk.gateway.link import Link
from kronk.shared.database import LONGEST_KEY, Table
from kronk.shared.errors import KronkError
from kronk.shared.telemetry import statistics_table
from kronk.shared.telemetry.buckets import CONTEXT_TOKENS, label
from kronk.shared.telemetry.spread import Spread
from kronk.shared.telemetry.statistics import Statistics, add, from_record, take_over, to_record
from kronk.shared.wire.status import ModelCounters
from kronk.shared.wire.to_gateway import Status

from .metrics.labels import UNKNOWN, ModelNames
from .metrics.tallies import decode_rate, outcome, prefill_rate, taken
from .report import RunReport

# Between two writes.
WRITE_EVERY = 30.0
STATUS_SECONDS = 2.0

log = structlog.get_logger()


class StatisticsKeeper:
    """One per gateway, used on its loop; the database is written in threads."""

    def __init__(self, table: Table, link: Link, clock: Callable[[], float] = time.time) -> None:
        self._table = table
        self._link = link
        self._clock = clock
        self._names = ModelNames()
        # What the database does not have yet.
        self._new: dict[str, Statistics] = {}
        # What the supervisor said when it was last written, so that an idle server writes nothing.
        self._written: dict[str, ModelCounters] = {}
        self._peaks: dict[str, int] = {}
        self._writing = asyncio.Lock()
        self._write: asyncio.Task[None] | None = None

    def run_ended(self, report: RunReport) -> None:
        """For `Telemetry`. What was asked of no model that is known is nobody's."""
        if report.model is not None:
            self._names.learn(report.job.model, report.model)
        name = report.model or self._names.label(report.job.model)
        if name == UNKNOWN or report.kind == "load" or len(name.encode()) > LONGEST_KEY:
            return
        _count(self._new.setdefault(name, Statistics()), report, self._clock())

    async def keep_written(self) -> None:
        """Write every half minute, until it is cancelled."""
        while True:
            await asyncio.sleep(WRITE_EVERY)
            # What a thread is writing down must not be half forgotten here.
            self._write = asyncio.create_task(self.write())
            await asyncio.shield(self._write)

    async def write(self) -> None:
        """Have the database know all that is known. Never raises: what it does not take stays to
        be written."""
        async with self._writing:
            status = await self._status()
            told = {} if status is None else {one.model: one for one in status.counters}
            self._note_sizes(status)
            new, self._new = self._new, {}
            changed = {name for name, one in told.items() if _has_news(one, self._written)}
            names = sorted(changed | {name for name, one in new.items() if not one.is_blank})
            try:
                for name in names:
                    server = 0.0 if status is None else status.since
                    await asyncio.to_thread(self._add, name, new.get(name), told.get(name), server)
                    new.pop(name, None)
                    if name in told:
                        self._written[name] = told[name]
            except (OSError, lmdb.Error, KronkError) as error:
                log.warning("statistics of models are not written", reason=str(error))
                for name, one in new.items():
                    add(one, self._new.get(name, Statistics()))
                    self._new[name] = one

    async def all(self) -> list[dict[str, Any]]:
        """Of every model that there are any of, as they are told."""
        await self.write()
        return await asyncio.to_thread(statistics_table.everything, self._table)

    async def of(self, model: str) -> dict[str, Any]:
        """Of one; `NotFound` where nothing is known of it."""
        await self.write()
        return await asyncio.to_thread(statistics_table.one_of, self._table, model)

    async def reset(self, model: str | None) -> int:
        """Forget all that is known of a model, or of every one; how many there were."""
        await self.write()
        count = await asyncio.to_thread(statistics_table.reset, self._table, model)
        self._peaks.clear()
        return count

    async def _status(self) -> Status | None:
        try:
            return await self._link.status(STATUS_SECONDS)
        except KronkError:
            return None

    def _note_sizes(self, status: Status | None) -> None:
        for row in () if status is None else status.models:
            if row.rss_bytes is not None and row.rss_bytes > self._peaks.get(row.model, 0):
                self._peaks[row.model] = row.rss_bytes
                self._new.setdefault(row.model, Statistics()).peak_rss_bytes = row.rss_bytes

    def _add(
        self, name: str, new: Statistics | None, counters: ModelCounters | None, server: float
    ) -> None:
        def added(record: dict[str, Any] | None) -> dict[str, Any]:
            total = from_record(record)
            total.since = total.since or self._clock()
            if new is not None:
                add(total, new)
            if counters is not None:
                take_over(total, counters, server)
            return to_record(total)

        self._table.upsert(name, added)


def _has_news(counters: ModelCounters, written: Mapping[str, ModelCounters]) -> bool:
    before = written.get(counters.model, ModelCounters(counters.model))
    return counters != replace(before, restarts=counters.restarts)


def _count(new: Statistics, report: RunReport, now: float) -> None:
    new.first_used = new.first_used or now
    new.last_used = now
    match outcome(report):
        case "done":
            new.done += 1
        case "cancelled":
            new.cancelled += 1
        case code:
            new.errors[code] += 1
    prompt, completion = taken(report)
    new.tokens.update(prompt=prompt, completion=completion)
    if report.ttft is not None and report.kind == "generate":
        new.ttft.observe(report.ttft)
    usage, timings = report.usage, report.timings
    if usage is None or timings is None or report.kind == "inspect":
        return
    new.tokens.update(cached=usage.cached_tokens, reasoning=usage.reasoning_tokens)
    _observe(new.prefill, prefill_rate(report, usage, timings))
    if report.kind == "generate":
        _observe(new.decode, decode_rate(usage, timings, report.job.choices))
    for speed in timings.speeds:
        context = label(CONTEXT_TOKENS, speed.context)
        seconds = new.context_seconds.get(context, 0.0)
        new.context_tokens[context] += speed.tokens
        new.context_seconds[context] = seconds + speed.seconds


def _observe(spread: Spread, value: float | None) -> None:
    if value is not None:
        spread.observe(value)
