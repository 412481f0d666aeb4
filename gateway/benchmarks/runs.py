"""The run that is measured now, and all that were."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import replace
from typing import Any

import structlog

from kronk.shared.benchmark.child import Place, Task
from kronk.shared.benchmark.history import LAST, TABLE, History
from kronk.shared.benchmark.report import Report, from_record
from kronk.shared.benchmark.run import new_id
from kronk.shared.database import Database
from kronk.shared.errors import (
    Conflict,
    InvalidArgument,
    KronkError,
    NotFound,
    Overloaded,
    ServerError,
)
from kronk.shared.settings import Settings

from .process import RunProcess
from .records import LOST, Fault, Run, State, from_json, to_json
from .requests import Listing, Wanted

# What of runs without figures is kept.
MOST_KEPT = 50
RUNS_TABLE = "benchmark_runs"
# Of a process that ended without a word.
DIED = "benchmark_died"

log = structlog.get_logger()
# A run by its record, and one that was measured by its report.
Found = Run | Report


class Benchmarks:
    """One per gateway, for its loop. Whoever watches asks again; nobody need watch."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._settings = settings
        self._history = History(database.table(TABLE))
        self._records = database.table(RUNS_TABLE)
        self._run: Run | None = None
        self._process: RunProcess | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()
        self._closed = False

    @property
    def running(self) -> Run | None:
        """The one that is measured now."""
        return self._run

    async def start(self, wanted: Wanted, place: Place) -> Run:
        """Begin; `Conflict` while another one runs, as two would measure each other."""
        if self._closed:
            raise Overloaded("the server is stopping: it begins no benchmark")
        if self._run is not None:
            raise Conflict(
                f"benchmark {self._run.id} of {self._run.model} is running, and two would measure "
                "each other: wait for its end, or cancel it"
            )
        now = time.time()
        run = Run(
            new_id(now), wanted.model, wanted.plan, now, wanted.url, wanted.preset, wanted.cold
        )
        task = Task(
            run.id,
            wanted.model,
            wanted.plan,
            place,
            os.getpid(),
            wanted.preset,
            wanted.seed,
            leave_out_too_long=wanted.may_leave_out,
            cold=wanted.cold,
        )
        self._run = run
        self._stopping.clear()
        self._task = asyncio.create_task(self._measure(run, task), name="benchmark")
        return run

    async def find(self, run_id: str) -> Found:
        """`NotFound` when there is none of that id."""
        if self._run is not None and self._run.id == run_id:
            return self._run
        return await asyncio.to_thread(self._find, run_id)

    async def report(self, run_id: str) -> Report:
        """One with figures; `Conflict` for one that has none."""
        found = await self.find(run_id)
        if isinstance(found, Report):
            return found
        raise Conflict(f"benchmark {run_id} has no figures: it is {found.state}", param="runs")

    async def before(self, report: Report) -> str | None:
        """The latest earlier run that asked the same of the same."""
        found = await asyncio.to_thread(self._history.before, report)
        return None if found is None else found.id

    async def page(self, asked: Listing) -> tuple[list[Found], bool]:
        """Runs, the latest first, and whether there are more."""
        found = await asyncio.to_thread(self._all, asked.model)
        run = self._run
        known = {each.id: each for each in found}
        if run is not None and asked.model in (None, run.model):
            known[run.id] = run
        ordered = sorted(known.values(), key=lambda each: (_began(each), each.id), reverse=True)
        if asked.after is not None:
            ids = [each.id for each in ordered]
            if asked.after not in ids:
                raise InvalidArgument(
                    f"after: there is no benchmark {asked.after[:100]!r}", param="after"
                )
            ordered = ordered[ids.index(asked.after) + 1 :]
        return ordered[: asked.limit], len(ordered) > asked.limit

    async def reports(self) -> list[Report]:
        """All with figures, the latest first."""
        return await asyncio.to_thread(self._history.runs)

    async def cancel(self, run_id: str) -> Found:
        """Stop it, and what has become of it; what was measured is kept. `Conflict` for one that is
        over."""
        found = await self.find(run_id)
        if self._run is None or self._run.id != run_id:
            raise Conflict(f"benchmark {run_id} is {found.state}: there is nothing to stop")
        task = self._task
        self.stop()
        if task is not None:
            await asyncio.shield(task)
        return await self.find(run_id)

    async def delete(self, run_id: str) -> str:
        """Forget one that is over."""
        if self._run is not None and self._run.id == run_id:
            raise Conflict(f"benchmark {run_id} is running: cancel it first")
        found = await self.find(run_id)
        if isinstance(found, Report):
            await asyncio.to_thread(self._history.delete, run_id)
        await asyncio.to_thread(self._records.delete, run_id)
        return run_id

    def stop(self) -> None:
        """Have the run end with what it has measured."""
        self._stopping.set()
        if self._process is not None:
            self._process.stop()

    def drain(self) -> None:
        """The server ends: the run does, and none begins."""
        self._closed = True
        self.stop()

    async def close(self) -> None:
        """Wait until it has ended, and is written down."""
        self.drain()
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    async def pick_up(self) -> None:
        """What the last gateway left running is lost."""
        await asyncio.to_thread(self._give_up)

    # One run.

    async def _measure(self, run: Run, task: Task) -> None:
        log.info("benchmark started", benchmark=run.id, model=run.model, server=run.url)
        try:
            await asyncio.to_thread(self._records.put, run.id, to_json(run))
            last = await self._listen(task)
            await self._settle(last)
        except KronkError as error:
            await self._fail(Fault(error.code, error.message))
        except Exception:
            log.exception("a benchmark's end cannot be written down", benchmark=run.id)
        finally:
            self._run = self._process = self._task = None

    async def _listen(self, task: Task) -> dict[str, Any]:
        """Its last word."""
        process = self._process = await RunProcess.start(task, self._settings)
        last: dict[str, Any] = {}
        try:
            if self._stopping.is_set():
                process.stop()
            async for message in process.messages():
                if "step" in message and self._run is not None:
                    self._run = self._run.moved(message["step"], message.get("result"))
                last = message
        finally:
            # Also when this is cancelled, or what it said is none of ours.
            if "report" not in last and "error" not in last:
                process.kill()
            code = await process.ended()
        if "report" not in last and "error" not in last and not self._stopping.is_set():
            raise _Died(f"its process ended with {code}, without a word")
        return last

    async def _settle(self, last: dict[str, Any]) -> None:
        assert self._run is not None
        run = self._run
        error = last.get("error")
        report = from_record(last.get("report", {}))
        if error is not None and not self._stopping.is_set():
            await self._fail(Fault(error["code"], error["message"]))
        elif report is not None and report.results:
            await asyncio.to_thread(self._history.add, report)
            await asyncio.to_thread(self._records.delete, run.id)
            log.info("benchmark done", benchmark=run.id, model=run.model, state=report.state)
        else:
            await self._end(State.CANCELLED, None)

    async def _fail(self, fault: Fault) -> None:
        assert self._run is not None
        log.info("benchmark failed", benchmark=self._run.id, code=fault.code, reason=fault.message)
        await self._end(State.FAILED, fault)

    async def _end(self, state: State, fault: Fault | None) -> None:
        assert self._run is not None
        ended = replace(self._run, state=state, error=fault, ended=time.time())
        await asyncio.to_thread(self._records.put, ended.id, to_json(ended))
        await asyncio.to_thread(self._sweep)

    # The disk, in threads.

    def _find(self, run_id: str) -> Found:
        # Names such as `last`, and beginnings, are for people at a terminal.
        if run_id != LAST and run_id in self._history:
            return self._history.find(run_id)
        record = self._records.get(run_id)
        if record is None:
            raise NotFound(f"run_id: there is no benchmark {run_id[:100]!r}", param="run_id")
        return from_json(record)

    def _all(self, model: str | None) -> list[Found]:
        others = [from_json(record) for _, record in self._records.items()]
        return [
            *(run for run in others if model is None or run.model == model),
            *self._history.runs(model),
        ]

    def _sweep(self) -> None:
        names = list(self._records.names())
        if extra := names[:-MOST_KEPT]:
            self._records.delete(*extra)

    def _give_up(self) -> None:
        for name, record in list(self._records.items()):
            if record.get("state") == State.RUNNING:
                run = replace(from_json(record), state=State.FAILED, error=LOST)
                self._records.put(name, to_json(run))


class _Died(ServerError):
    code = DIED


def _began(found: Found) -> float:
    return found.created if isinstance(found, Run) else found.started
