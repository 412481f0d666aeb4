"""A run that was begun here, from its order to its end; those that were measured are reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any

import pydantic

from kronk.shared.benchmark.plan import Plan


class State(StrEnum):
    """Where a run is. What has figures is complete, or incomplete when it was stopped."""

    RUNNING = "running"
    COMPLETE = "complete"
    INCOMPLETE = "incomplete"
    # Stopped before there was any figure.
    CANCELLED = "cancelled"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a run failed; `code` as errors have it."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Run:
    """A run that is not a report, or not yet. Times are Unix seconds."""

    id: str
    model: str
    plan: Plan
    created: float
    # Another server's address; None for this one.
    url: str | None = None
    preset: str | None = None
    cold: bool = False
    state: State = State.RUNNING
    ended: float | None = None
    error: Fault | None = None
    # What is being done: `phase`, `target`, `cell`, `done` and `total`.
    step: Mapping[str, Any] | None = None
    # What was measured so far, as reports have it.
    results: tuple[Mapping[str, Any], ...] = field(default=())

    def moved(self, step: Mapping[str, Any], result: Mapping[str, Any] | None) -> Run:
        """A step further, with what a cell came to."""
        results = self.results
        if result is not None:
            others = (each for each in results if each["cell"] != result["cell"])
            results = (*others, result)
        return replace(self, step=step, results=results)


# Of a run that was not over when its server was.
LOST = Fault("interrupted", "the server ended while it ran, and its figures went with it")


def to_json(run: Run) -> dict[str, Any]:
    """As it is stored: without how far it is."""
    record = asdict(run)
    del record["step"], record["results"]
    return record


_ADAPTER = pydantic.TypeAdapter(Run)


def from_json(record: Mapping[str, Any]) -> Run:
    """As it was stored; fields of other versions are passed over."""
    return _ADAPTER.validate_python(record)
