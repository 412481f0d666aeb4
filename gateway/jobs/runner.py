"""Runs the jobs of this house, in one gateway at a time."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import replace

import structlog

from kronk.gateway.locks import only_one
from kronk.shared.errors import Conflict, Internal, KronkError, NotFound
from kronk.shared.jobs import kinds
from kronk.shared.jobs.pace import Pace, observe
from kronk.shared.settings import Settings

from .decisions import DIED, INTERRUPTED, due, next_look, verdict
from .process import Done, Failed, JobProcess, Moved, Outcome, Stopped
from .records import Event, Fault, Job, State
from .store import Jobs

# How often the pace is looked at when nothing is heard.
_QUIET_SECONDS = 1.0
# How often it is written down how far a job is.
_NOTE_SECONDS = 5.0
# After an exception that nobody foresaw, or a disk that was full.
_REST = 30.0
_LOCK = "jobs.lock"

log = structlog.get_logger()


class _Run:
    """A job that has a process, or is about to."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.process: JobProcess | None = None
        self.unwanted = asyncio.Event()
        # At the start of this attempt.
        self.began_at = (job.phase, job.done_bytes)
        self.pace: Pace | None = None

    def stop(self) -> None:
        """Now, or as soon as there is something to stop."""
        self.unwanted.set()
        if self.process is not None:
            self.process.stop()

    @property
    def got_on(self) -> bool:
        """Whether this attempt brought the job further."""
        phase, done = self.began_at
        return self.job.phase is not None and (
            self.job.phase != phase or self.job.done_bytes > done
        )


class Runner:
    """`run` until cancelled; jobs that were interrupted go on in the next life."""

    def __init__(self, jobs: Jobs, settings: Settings) -> None:
        self._jobs = jobs
        self._settings = settings
        self._runs: dict[str, _Run] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Carry out what the records say, until cancelled."""
        async with only_one(self._settings.base.db / _LOCK):
            try:
                await self._pick_up()
                await self._look_for_ever()
            finally:
                for run in self._runs.values():
                    run.stop()
                await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _pick_up(self) -> None:
        """What the last gateway left, some of it running when that ended."""
        unfinished = await self._jobs.unfinished()
        await asyncio.to_thread(self._jobs.secrets.forget_but, {job.id for job in unfinished})
        for job in unfinished:
            self._jobs.board.show(job)
            if job.state is State.RUNNING:
                fault = Fault(INTERRUPTED, "the server ended while it ran")
                await self._failed(job, fault, got_on=False)

    async def _look_for_ever(self) -> None:
        while True:
            self._jobs.changed.clear()
            try:
                wait = await self._look()
            except Exception:
                log.exception("jobs cannot be looked at")
                wait = _REST
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._jobs.changed.wait()

    async def _look(self) -> float | None:
        """Begin what may begin, end what is not wanted; seconds until the next look."""
        unfinished = await self._jobs.unfinished()
        names = {job.id for job in unfinished}
        for name, run in self._runs.items():
            if name not in names:
                run.stop()
        now = time.time()
        running = [run.job for run in self._runs.values()]
        for job in due(unfinished, running, kinds.KINDS, now):
            # A queued one that has a process is about to lose it.
            if job.id not in self._runs:
                await self._begin(job)
        return next_look(unfinished, now)

    async def _begin(self, job: Job) -> None:
        try:
            job = await self._jobs.advance(job.id, Event.START, error=None)
        except (Conflict, NotFound):
            return
        run = self._runs[job.id] = _Run(job)
        task = asyncio.create_task(self._carry_out(run), name="job")
        self._tasks[job.id] = task

    async def _carry_out(self, run: _Run) -> None:
        name = run.job.id
        try:
            outcome = await self._attempt(run)
            await self._settle(run, outcome)
        except (Conflict, NotFound):
            # Cancelled meanwhile, or forgotten.
            pass
        except Exception:
            log.exception("a job's end cannot be written down", job=name)
        finally:
            del self._runs[name], self._tasks[name]
            self._jobs.changed.set()

    async def _attempt(self, run: _Run) -> Outcome:
        kind = kinds.KINDS.get(run.job.kind)
        if kind is None:
            words = f"this version of Kronk has no jobs of kind {run.job.kind}"
            return Failed(Fault(NotFound.code, words))
        log.info("job started", job=run.job.id, title=run.job.title, attempt=run.job.attempts)
        secrets = await asyncio.to_thread(self._jobs.secrets.of, run.job.id)
        try:
            process = run.process = await JobProcess.start(
                kind, run.job.params, secrets, self._settings
            )
        except OSError as error:
            return Failed(Fault(DIED, f"its process cannot be started: {error.strerror}"))
        if run.unwanted.is_set():
            process.stop()
        noted = time.monotonic()
        async for moved in process.progress(_QUIET_SECONDS):
            now = time.monotonic()
            self._show(run, moved, now)
            if now - noted >= _NOTE_SECONDS:
                noted = now
                with contextlib.suppress(KronkError):
                    await self._jobs.note(run.job)
        return await process.ended()

    def _show(self, run: _Run, moved: Moved | None, now: float) -> None:
        if moved is None:
            if run.pace is None:
                return
            moved = Moved(run.pace.phase, run.pace.done, run.pace.total)
        pace = run.pace = observe(run.pace, now, moved.phase, moved.done, moved.total)
        before = run.job
        run.job = replace(
            before,
            phase=moved.phase,
            done_bytes=moved.done,
            total_bytes=moved.total,
            rate=pace.rate,
            eta=pace.eta,
        )
        if run.job != before:
            self._jobs.board.move(run.job)

    async def _settle(self, run: _Run, outcome: Outcome) -> None:
        """What the end of its process means for the job."""
        job = run.job
        moved = {
            "phase": job.phase,
            "done_bytes": job.done_bytes,
            "total_bytes": job.total_bytes,
        }
        match outcome:
            case Done(result):
                await self._jobs.advance(job.id, Event.FINISH, result=result, **moved)
                log.info("job done", job=job.id, title=job.title)
                await self._jobs.sweep()
            case Stopped():
                # By the end of this gateway; one that was cancelled has no row for this.
                await self._jobs.advance(job.id, Event.REST, **moved)
            case Failed(fault, wait):
                await self._failed(job, fault, got_on=run.got_on, asked=wait)

    async def _failed(self, job: Job, fault: Fault, *, got_on: bool, asked: float = 0.0) -> None:
        found = verdict(fault, job.failures, got_on=got_on, asked=asked)
        # What its source refuses is no matter of ours.
        write = log.warning if fault.code in (DIED, Internal.code) else log.info
        write(
            "job failed" if found.event is Event.FAIL else "job interrupted",
            job=job.id,
            title=job.title,
            code=fault.code,
            reason=fault.message,
            again_in=found.wait if found.event is Event.REST else None,
        )
        await self._jobs.advance(
            job.id,
            found.event,
            error=fault,
            failures=found.failures,
            not_before=time.time() + found.wait,
            phase=job.phase,
            done_bytes=job.done_bytes,
            total_bytes=job.total_bytes,
        )
