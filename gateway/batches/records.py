"""What is kept of a batch, and every change its status can make.

This file knows no disk, clock or model. `NEXT` is the machine: an event without a row in its state
is refused, and the record stays as it was. The runner and the routes both change records; who comes
second finds no row and looks again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from enum import StrEnum
from typing import Any

from kronk.shared.errors import Conflict

from . import makers
from .makers import NOBODY, Maker


class Status(StrEnum):
    """OpenAI's names."""

    VALIDATING = "validating"
    IN_PROGRESS = "in_progress"
    FINALIZING = "finalizing"
    CANCELLING = "cancelling"
    COMPLETED = "completed"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class Event(StrEnum):
    """What happens to a batch."""

    ACCEPT = "accept"
    # The input cannot be run, or not any further.
    REFUSE = "refuse"
    # Every line has its result.
    FINISH = "finish"
    CANCEL = "cancel"
    EXPIRE = "expire"
    # The results are files that can be fetched.
    PUBLISH = "publish"


NEXT: Mapping[Status, Mapping[Event, Status]] = {
    # Soon over: whether its window is, is asked afterwards.
    Status.VALIDATING: {
        Event.ACCEPT: Status.IN_PROGRESS,
        Event.REFUSE: Status.FAILED,
        Event.CANCEL: Status.CANCELLING,
    },
    Status.IN_PROGRESS: {
        Event.FINISH: Status.FINALIZING,
        Event.REFUSE: Status.FAILED,
        Event.CANCEL: Status.CANCELLING,
        Event.EXPIRE: Status.EXPIRED,
    },
    # Too late to cancel: nothing is left to be saved.
    Status.FINALIZING: {Event.PUBLISH: Status.COMPLETED},
    # Asking twice is no error.
    Status.CANCELLING: {Event.CANCEL: Status.CANCELLING, Event.PUBLISH: Status.CANCELLED},
    Status.COMPLETED: {},
    Status.FAILED: {},
    Status.EXPIRED: {},
    Status.CANCELLED: {},
}


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a batch failed; `line` of the input is counted from 1."""

    code: str
    message: str
    line: int | None = None
    param: str | None = None


@dataclass(frozen=True, slots=True)
class Tokens:
    """Sums over the answers."""

    prompt: int = 0
    cached: int = 0
    completion: int = 0
    reasoning: int = 0

    def __add__(self, other: Tokens) -> Tokens:
        return Tokens(
            self.prompt + other.prompt,
            self.cached + other.cached,
            self.completion + other.completion,
            self.reasoning + other.reasoning,
        )


@dataclass(frozen=True, slots=True)
class Counts:
    """Lines of the input, and how many of them were answered or failed."""

    total: int = 0
    completed: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch. Times are Unix seconds."""

    id: str
    endpoint: str
    input_file: str
    completion_window: str
    created_at: int
    expires_at: int
    # Where results are collected; not files that can be fetched before `has_*` says so.
    output_file: str
    error_file: str
    metadata: dict[str, str] | None = None
    # Seconds that the result files are kept; None is until they are deleted.
    output_expires_after: int | None = None
    status: Status = Status.VALIDATING
    # When each status was reached.
    reached: dict[str, int] = field(default_factory=dict)
    model: str | None = None
    faults: tuple[Fault, ...] = ()
    counts: Counts = Counts()
    tokens: Tokens = Tokens()
    has_output: bool = False
    has_errors: bool = False
    made_by: Maker = NOBODY

    @property
    def owner(self) -> str | None:
        """The subject whose it is, and whose its results are."""
        return self.made_by.subject

    @property
    def is_over(self) -> bool:
        """Nothing will change any more."""
        return not NEXT[self.status]


def advance(batch: Batch, event: Event, now: float, **changes: Any) -> Batch:
    """The batch after `event`; `Conflict` where it cannot happen in the batch's status."""
    after = NEXT[batch.status].get(event)
    if after is None:
        raise Conflict(f"Cannot {event} a batch with status '{batch.status}'.")
    # The time of the first arrival stands.
    reached = {after.value: int(now)} | batch.reached
    return replace(batch, status=after, reached=reached, **changes)


def to_json(batch: Batch) -> dict[str, Any]:
    """As it is stored."""
    return asdict(batch)


def from_json(record: Mapping[str, Any]) -> Batch:
    """As it was stored; fields of other versions are passed over."""
    known = {one.name: record[one.name] for one in fields(Batch) if one.name in record}
    return Batch(
        **known
        | {
            "status": Status(record["status"]),
            "faults": tuple(Fault(**fault) for fault in record["faults"]),
            "counts": Counts(**record["counts"]),
            "tokens": Tokens(**record["tokens"]),
            "made_by": makers.from_json(record.get("made_by")),
        }
    )
