"""What a snapshot is made of, and what is told of it. Pure.

The whole state is made once; what a viewer may not see is left out of it for all who may see as
little.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from kronk import __version__
from kronk.gateway.jobs.records import Job, job_object
from kronk.shared.wire.status import Departure, ModelStatus
from kronk.shared.wire.to_gateway import Status

from .latency import Latency
from .machine import ProcessReading, Reading

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

# Of one model's queue; how many there are is told anyway.
MOST_WAITERS = 50
# Most values are of these, and are what they are.
_LEAVES = frozenset({str, int, float, bool, type(None)})


@dataclass(frozen=True, slots=True)
class Waiter:
    """A request that waits for a lease."""

    request: str
    model: str
    # 1 is next; None where the supervisor has not said.
    position: int | None
    # Since it came.
    seconds: float
    by: str


@dataclass(frozen=True, slots=True)
class Facts:
    """All that is known at a time."""

    # Seconds of the Unix epoch.
    time: float
    status: Status
    reading: Reading
    # Of settings.
    mode: str
    warnings: tuple[str, ...]
    # Requests by their ids: who asked.
    owners: Mapping[str, str]
    waiters: tuple[Waiter, ...]
    jobs: tuple[Job, ...]
    batches: int
    latency: Latency = field(default_factory=Latency)
    # Since the facts before; the oldest first.
    departures: tuple[Departure, ...] = ()
    ended_jobs: tuple[Job, ...] = ()


def state_of(facts: Facts, sequence: int) -> dict[str, Any]:
    """The whole state, as somebody is told it from whom nothing is kept."""
    status = facts.status
    models = [_model(row, facts) for row in status.models]
    return {
        "object": "kronk.live",
        "type": "state",
        "sequence": sequence,
        "time": round(facts.time, 3),
        "server": _server(facts),
        "models": models,
        "processes": _processes(facts),
        "queue": _queue(facts),
        "jobs": [job_object(job) for job in facts.jobs],
        "batches": {"running": facts.batches},
        "budgets": [plain(budget) for budget in status.budgets],
        "leases": plain(status.leases),
        "system": facts.reading.system,
        "throughput": _throughput(models),
        "latency": plain(facts.latency),
    }


def plain(value: Any) -> Any:
    """Dataclasses as JSON has them; `dataclasses.asdict` copies every leaf and takes ten times as
    long."""
    kind = type(value)
    if kind in _LEAVES:
        return value
    if kind is tuple or kind is list:
        return [plain(item) for item in value]
    if is_dataclass(kind):
        return {
            name: part if type(part := getattr(value, name)) in _LEAVES else plain(part)
            for name in _names(kind)
        }
    return value


@cache
def _names(kind: type[DataclassInstance]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


def _server(facts: Facts) -> dict[str, Any]:
    started = next(
        (
            reading.started
            for process in facts.status.processes
            if process.role == "supervisor"
            and (reading := facts.reading.processes.get(process.pid)) is not None
        ),
        None,
    )
    return {
        "version": __version__,
        "uptime": None if started is None else round(max(facts.time - started, 0.0), 1),
        "draining": facts.status.draining,
        "mode": facts.mode,
        "warnings": list(facts.warnings),
    }


def _model(row: ModelStatus, facts: Facts) -> dict[str, Any]:
    told: dict[str, Any] = plain(row)
    for slot in told["slots"]:
        slot["by"] = facts.owners.get(slot["request"])
    return told


def _processes(facts: Facts) -> list[dict[str, Any]]:
    found = [
        _process(one.role, None, one.pid, one.generation, one.rss_bytes, facts)
        for one in facts.status.processes
    ]
    for row in facts.status.models:
        if row.pid is not None and row.generation is not None:
            near = row.host is None
            found.append(
                _process(
                    "worker", row.model, row.pid, row.generation, row.rss_bytes, facts, near=near
                )
                | {"host": row.host}
            )
    return found


def _process(
    role: str,
    model: str | None,
    pid: int,
    generation: int,
    rss: int | None,
    facts: Facts,
    *,
    near: bool = True,
) -> dict[str, Any]:
    # A pid of another host is somebody else's here.
    reading = facts.reading.processes.get(pid) if near else None
    reading = reading or ProcessReading(rss, None, None, None, None)
    return {
        "role": role,
        "model": model,
        "pid": pid,
        "generation": generation,
        "host": None,
        "rss_bytes": reading.rss_bytes,
        "cpu_percent": reading.cpu_percent,
        "threads": reading.threads,
        "fds": reading.fds,
    }


def _queue(facts: Facts) -> list[dict[str, Any]]:
    by_model: dict[str, list[Waiter]] = {}
    for waiter in facts.waiters:
        by_model.setdefault(waiter.model, []).append(waiter)
    counts = {row.model: row.queued for row in facts.status.models if row.queued}
    names = sorted(counts.keys() | by_model.keys())
    return [
        {
            "model": name,
            # Those that wait in the worker for a slot are in the first only.
            "waiting": max(counts.get(name, 0), len(by_model.get(name, ()))),
            "requests": [_waiter(one) for one in _in_order(by_model.get(name, []))[:MOST_WAITERS]],
        }
        for name in names
    ]


def _in_order(waiters: list[Waiter]) -> list[Waiter]:
    return sorted(waiters, key=lambda one: (one.position is None, one.position))


def _waiter(one: Waiter) -> dict[str, Any]:
    return {
        "request": one.request,
        "position": one.position,
        "seconds": round(one.seconds, 1),
        "by": one.by,
    }


def _throughput(models: list[dict[str, Any]]) -> dict[str, Any]:
    rates = {row["model"]: round(row["tokens_per_second"], 2) for row in models if row["pid"]}
    return {"tokens_per_second": round(sum(rates.values()), 2), "models": rates}
