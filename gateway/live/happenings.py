"""What happened between two snapshots, from the difference of the two and what is known of the ends
of processes and jobs. Pure.

What begins and is over between two snapshots is told by its end alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from kronk.gateway.jobs.records import Job, State
from kronk.shared.wire.status import Departure, ModelStatus

from .facts import Facts

Kind = Literal[
    "model.loading",
    "model.ready",
    "model.draining",
    "model.unloaded",
    "model.evicted",
    "model.crashed",
    "model.killed",
    "model.failed",
    "job.done",
    "job.failed",
    "job.cancelled",
    "drain.begun",
]
Level = Literal["info", "warning", "error"]

# How the supervisor says that a model had to go for others.
_EVICTIONS = ("made room for another model", "models take more memory than was expected")
_ENDS: dict[str, tuple[Kind, Level, str]] = {
    "crashed": ("model.crashed", "error", "crashed"),
    "killed": ("model.killed", "error", "was killed"),
    "failed": ("model.failed", "error", "cannot be loaded"),
}
_JOBS: dict[State, tuple[Kind, Level, str]] = {
    State.DONE: ("job.done", "info", "is done"),
    State.FAILED: ("job.failed", "error", "failed"),
    State.CANCELLED: ("job.cancelled", "info", "was cancelled"),
}


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that a person may want to be told."""

    kind: Kind
    level: Level
    # Seconds of the Unix epoch.
    time: float
    # A sentence.
    message: str
    model: str | None = None
    job: str | None = None
    # Why, in the words that logs and callers have for it.
    reason: str | None = None
    # Seconds it took: of a load, from the start of the process that was given the model.
    seconds: float | None = None

    def told(self, sequence: int) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "object": "kronk.live",
            "type": "event",
            "sequence": sequence,
            "time": round(self.time, 3),
            "kind": self.kind,
            "level": self.level,
            "message": self.message,
            "model": self.model,
            "job": self.job,
            "reason": self.reason,
            "seconds": self.seconds,
        }


def between(before: Facts, now: Facts) -> list[Happening]:
    """In the order in which it is told: ends come before what took their place."""
    found = [_departed(one) for one in now.departures]
    found += _changes(before, now)
    found += [_job_ended(job, now.time) for job in now.ended_jobs]
    if now.status.draining and not before.status.draining:
        found.append(drain_begun(now.time))
    return found


def drain_begun(time: float) -> Happening:
    """The server takes no more requests."""
    return Happening("drain.begun", "warning", time, "The server is stopping.")


def _departed(end: Departure) -> Happening:
    kind, level, words = _ENDS.get(end.outcome, ("model.unloaded", "info", "was unloaded"))
    if end.outcome == "unloaded" and end.cause.startswith(_EVICTIONS):
        kind, words = "model.evicted", "had to go"
    message = f"{end.model} {words}: {end.cause}."
    return Happening(kind, level, end.ended, message, end.model, reason=end.cause)


def _changes(before: Facts, now: Facts) -> Iterator[Happening]:
    known = {row.model: row for row in before.status.models}
    for row in now.status.models:
        kind = _change(known.get(row.model), row)
        if kind is not None:
            yield _changed(kind, row, now.time)


def _change(before: ModelStatus | None, now: ModelStatus) -> Kind | None:
    is_same = before is not None and before.generation == now.generation
    if is_same and before is not None and before.state == now.state:
        return None
    match now.state:
        case "loading":
            return "model.loading"
        case "ready":
            # A pause of draining that was taken back is no news.
            return None if is_same and before and before.state == "draining" else "model.ready"
        case "draining":
            return "model.draining"
    return None


def _changed(kind: Kind, row: ModelStatus, time: float) -> Happening:
    words = {
        "model.loading": "is being loaded",
        "model.ready": "is ready",
        "model.draining": "ends when its requests have ended",
    }[kind]
    since = time - row.state_seconds
    return Happening(kind, "info", since, f"{row.model} {words}.", row.model)


def _job_ended(job: Job, time: float) -> Happening:
    kind, level, words = _JOBS[job.state]
    reason = None if job.error is None else job.error.message
    message = f"{job.title} {words}" + (f": {reason}" if reason else ".")
    seconds = None if job.started is None or job.ended is None else job.ended - job.started
    return Happening(kind, level, job.ended or time, message, None, job.id, reason, seconds)
