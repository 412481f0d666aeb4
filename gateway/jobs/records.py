"""What is kept of a job, and every change its state can make.

This file knows no disk, clock or process. `NEXT` is the machine: an event without a row in its
state is refused, and the record stays as it was. The runner and the routes both change records; who
comes second finds no row and looks again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from enum import StrEnum
from typing import Any

from kronk.shared.errors import Conflict
from kronk.shared.jobs.kinds import shown


class State(StrEnum):
    """Where a job is."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Event(StrEnum):
    """What happens to a job."""

    START = "start"
    FINISH = "finish"
    # It cannot be done, or was tried often enough.
    FAIL = "fail"
    # Its process ended before it was done, and there will be another one.
    REST = "rest"
    CANCEL = "cancel"


NEXT: Mapping[State, Mapping[Event, State]] = {
    State.QUEUED: {
        Event.START: State.RUNNING,
        Event.FAIL: State.FAILED,
        Event.CANCEL: State.CANCELLED,
    },
    # Cancelled at once: its process is ended after that, and what it still says counts no more.
    State.RUNNING: {
        Event.FINISH: State.DONE,
        Event.FAIL: State.FAILED,
        Event.REST: State.QUEUED,
        Event.CANCEL: State.CANCELLED,
    },
    State.DONE: {},
    State.FAILED: {},
    # Asking twice is no error.
    State.CANCELLED: {Event.CANCEL: State.CANCELLED},
}
OVER = frozenset({State.DONE, State.FAILED, State.CANCELLED})


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a job failed, or did the last time; `code` as errors have it."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Job:
    """A job. Times are Unix seconds."""

    id: str
    kind: str
    params: dict[str, Any]
    title: str
    target: str
    created: float
    state: State = State.QUEUED
    # When it was first begun.
    started: float | None = None
    ended: float | None = None
    # Processes it has had, and how many of them in a row failed without getting any further.
    attempts: int = 0
    failures: int = 0
    # A job that rests is not tried again before this.
    not_before: float = 0.0
    # What its last process said.
    phase: str | None = None
    done_bytes: int = 0
    total_bytes: int | None = None
    # Bytes a second, and the seconds left where that can be told.
    rate: float | None = None
    eta: float | None = None
    # Of a job that rests, why it does.
    error: Fault | None = None
    result: dict[str, Any] | None = None

    @property
    def is_over(self) -> bool:
        """Nothing will change any more."""
        return self.state in OVER


def advance(job: Job, event: Event, now: float, **changes: Any) -> Job:
    """The job after `event`; `Conflict` where it cannot happen in the job's state."""
    after = NEXT[job.state].get(event)
    if after is None:
        raise Conflict(f"cannot {event} job {job.id}: it is {job.state}")
    if after is job.state:
        return job
    times: dict[str, Any] = {}
    if after in OVER:
        times["ended"] = now
    if event is Event.START:
        times = {"started": job.started or now, "attempts": job.attempts + 1}
    # Only what moves has a pace.
    return replace(job, state=after, **times | {"rate": None, "eta": None} | changes)


def job_object(job: Job) -> dict[str, Any]:
    """A job as the API tells it."""
    return {
        "object": "kronk.job",
        "id": job.id,
        "kind": job.kind,
        "title": job.title,
        "params": shown(job.params),
        "state": job.state.value,
        "phase": job.phase,
        "done_bytes": job.done_bytes,
        "total_bytes": job.total_bytes,
        "rate": job.rate and round(job.rate),
        "eta": None if job.eta is None else round(job.eta, 1),
        "created": job.created,
        "started": job.started,
        "ended": job.ended,
        "attempts": job.attempts,
        "retry_at": job.not_before if job.state is State.QUEUED and job.error else None,
        "error": None if job.error is None else asdict(job.error),
        "result": job.result,
    }


def to_json(job: Job) -> dict[str, Any]:
    """As it is stored."""
    return asdict(job)


def from_json(record: Mapping[str, Any]) -> Job:
    """As it was stored; fields of other versions are passed over."""
    known = {one.name: record[one.name] for one in fields(Job) if one.name in record}
    error = record.get("error")
    return Job(**known | {"state": State(record["state"]), "error": error and Fault(**error)})
