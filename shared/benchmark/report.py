"""A benchmark as it is kept and printed: when, where, of what, and what it came to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pydantic

from kronk.shared.errors import InvalidArgument

from .figures import Result
from .plan import Plan

# Raised when records of older versions cannot be read as they are any more.
FORMAT = 1

State = Literal["complete", "incomplete"]


@dataclass(frozen=True, slots=True)
class TargetFacts:
    """What is known of a server that was measured. `url` is None of the local Kronk."""

    name: str
    model: str
    url: str | None = None
    # Its own words: `kronk 0.1.0`, `llama-server b6500`.
    server: str | None = None
    # Which llama.cpp it computes with.
    llama: str | None = None
    # SHA-256 of the model's file, or of its first one.
    digest: str | None = None
    size_bytes: int | None = None
    quantization: str | None = None
    # How prompts got their sizes: counted by the server, or by experience with it.
    sizing: Literal["exact", "approximate"] = "approximate"
    # Seconds to the first token of a model that was not loaded, where that was measured.
    cold_seconds: float | None = None

    @property
    def identity(self) -> tuple[str | None, str]:
        """The same for figures that can be compared."""
        return self.url, self.model


@dataclass(frozen=True, slots=True)
class Host:
    """The machine that asked; and that computed, where the server is local."""

    name: str
    system: str
    cpu: str
    cores: int
    memory_bytes: int
    gpus: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """One run. `id` begins with its time, so that ids sort as runs followed each other."""

    id: str
    # Unix time, and how long it took in all.
    started: float
    took: float
    kronk: str
    state: State
    plan: Plan
    seed: str
    host: Host
    targets: tuple[TargetFacts, ...]
    results: tuple[Result, ...]
    preset: str | None = None
    # What a reader of the figures must know.
    notes: tuple[str, ...] = ()
    format: int = field(default=FORMAT)

    @property
    def failures(self) -> int:
        """Requests that failed."""
        return sum(sum(result.failed.values()) for result in self.results)

    def is_like(self, other: Report) -> bool:
        """Whether the same was asked of the same."""
        mine = [target.identity for target in self.targets]
        return self.plan.key == other.plan.key and mine == [
            target.identity for target in other.targets
        ]


_ADAPTER = pydantic.TypeAdapter(Report)


def to_record(report: Report) -> dict[str, Any]:
    """As JSON."""
    record: dict[str, Any] = _ADAPTER.dump_python(report, mode="json")
    return record


def from_record(record: Mapping[str, Any]) -> Report | None:
    """What `to_record` made; None for a record of another format, or a damaged one."""
    if record.get("format") != FORMAT:
        return None
    try:
        return _ADAPTER.validate_python(record)
    except (ValueError, InvalidArgument):
        # Damaged, or with a plan that this version would refuse.
        return None
