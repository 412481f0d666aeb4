"""Which jobs are begun next, and what becomes of one whose process has ended. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from kronk.shared.jobs.kinds import LANES, Kind, Lane

from .records import Event, Fault, Job, State

# The gateway ended before the job did.
INTERRUPTED = "interrupted"
# Its process ended without a word.
DIED = "job_died"
# What may pass by itself, and how often it may go wrong in a row without any progress.
_PASSING: Mapping[str, int] = {
    "fetch_failed": 6,
    "overloaded": 6,
    "timeout": 6,
    "conflict": 1,
    DIED: 3,
    INTERRUPTED: 10,
}
_FIRST_WAIT, _LONGEST_WAIT = 2.0, 300.0
# What somebody may ask for. A rest that is longer was begun by a clock that was set back since.
_LONGEST_REST = 600.0


def due(
    jobs: Iterable[Job], running: Sequence[Job], kinds: Mapping[str, Kind], now: float
) -> list[Job]:
    """Queued jobs that may begin now, in order. `running` have a process, whatever their state:
    a target is free when its last process is gone."""
    targets = {job.target for job in running}
    busy: Counter[Lane] = Counter(_lane(job, kinds) for job in running)
    chosen = []
    for job in sorted(jobs, key=lambda job: (job.created, job.id)):
        if job.state is not State.QUEUED or _rest(job, now) > 0 or job.target in targets:
            continue
        lane = _lane(job, kinds)
        if busy[lane] >= LANES[lane]:
            continue
        busy[lane] += 1
        targets.add(job.target)
        chosen.append(job)
    return chosen


def next_look(jobs: Iterable[Job], now: float) -> float | None:
    """Seconds until a job's rest is over; None while none rests."""
    waits = [_rest(job, now) for job in jobs if job.state is State.QUEUED]
    return min((wait for wait in waits if wait > 0), default=None)


def _rest(job: Job, now: float) -> float:
    left = job.not_before - now
    return left if left <= _LONGEST_REST else 0.0


def _lane(job: Job, kinds: Mapping[str, Kind]) -> Lane:
    kind = kinds.get(job.kind)
    return kind.lane if kind is not None else "disk"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a job that has failed."""

    event: Event
    failures: int
    # Seconds until it is tried again.
    wait: float = 0.0


def verdict(fault: Fault, failures: int, *, got_on: bool, asked: float = 0.0) -> Verdict:
    """Whether it rests or has failed for good. `failures` in a row came before; `got_on` is that
    this process brought the job further than it was; `asked` are seconds to leave them alone."""
    failures = 1 if got_on else failures + 1
    if failures > _PASSING.get(fault.code, 0):
        return Verdict(Event.FAIL, failures)
    if fault.code == INTERRUPTED:
        return Verdict(Event.REST, failures)
    wait = min(math.ldexp(_FIRST_WAIT, failures - 1), _LONGEST_WAIT)
    return Verdict(Event.REST, failures, max(wait, min(asked, _LONGEST_REST)))


def to_forget(jobs: Iterable[Job], now: float, most: int, seconds: float) -> list[str]:
    """Ids of jobs that are over and need not be kept: the oldest, beyond so many or that old."""
    over = sorted(
        (job for job in jobs if job.is_over), key=lambda job: job.ended or 0.0, reverse=True
    )
    return [
        job.id for at, job in enumerate(over) if at >= most or now - (job.ended or 0.0) > seconds
    ]
