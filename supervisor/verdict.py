"""What the end of a worker process means for its model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kronk.shared import exits
from kronk.shared.errors import (
    CallerError,
    InsufficientMemory,
    InvalidArgument,
    KronkError,
    ModelFailed,
)
from kronk.shared.wire.status import Outcome

from . import cause
from .cause import Exit

# The same in one word, for those who count: of what was wanted first, then of what went wrong.
Reason = Literal[
    "ttl",
    "models_in_cache",
    "memory",
    "overrun",
    "operator",
    "reload",
    "library",
    "stopping",
    "failed",
    "frozen",
    "stuck",
    "late",
]


@dataclass(frozen=True, slots=True)
class Ending:
    """Why the fleet itself is ending a process."""

    words: str
    reason: Reason
    # We wanted the memory back, and nothing was wrong.
    expected: bool = False
    # What the worker said about a load it could not do.
    error: KronkError | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a process that was reaped."""

    model: str
    # It had reported Ready.
    was_ready: bool
    # The last phase of the load it reported.
    phase: str | None
    extra_buffers: bool
    ending: Ending | None
    exit: Exit


@dataclass(frozen=True, slots=True)
class Expected:
    """Nothing happened."""


@dataclass(frozen=True, slots=True)
class Displaced:
    """Its host is gone, and the model is not at fault: it may be loaded elsewhere at once."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """The model itself is at fault: no retry until something changes."""

    error: KronkError


@dataclass(frozen=True, slots=True)
class RetryPlain:
    """Load again at once, without the CPU's special kernels."""


@dataclass(frozen=True, slots=True)
class Unfit:
    """Any retry would end the same way."""

    error: KronkError


@dataclass(frozen=True, slots=True)
class Crashed:
    """Counts as a failure. With an `error` that says it all, nobody need wait for a retry."""

    error: KronkError | None = None


Verdict = Expected | Displaced | Rejected | RetryPlain | Unfit | Crashed


def judge(facts: Facts) -> Verdict:
    """The meaning of one exit."""
    ending, exit = facts.ending, facts.exit
    if ending is not None:
        if ending.expected:
            return Expected()
        if isinstance(ending.error, CallerError):
            return Rejected(ending.error)
        return Crashed(ending.error)
    if exit.reason is not None:
        return Displaced()
    if facts.was_ready:
        return Crashed()
    if facts.phase == "first_decode" and exit.crashed_natively:
        if facts.extra_buffers:
            return RetryPlain()
        return Unfit(ModelFailed(f"{facts.model}: {cause.unfit_library(exit)}"))
    if exit.returncode == exits.BAD_MODEL:
        return Rejected(InvalidArgument(f"{facts.model}: {cause.long(exit)}", param="model"))
    if exit.returncode == exits.NO_MEMORY:
        return Crashed(InsufficientMemory(f"{facts.model}: {cause.long(exit)}"))
    return Crashed()


def ran_out_of_memory(ending: Ending | None, exit: Exit) -> bool:
    """Whether a process ended because there was too little of it, as far as anybody knows."""
    if ending is not None:
        return isinstance(ending.error, InsufficientMemory)
    if exit.returncode == exits.NO_MEMORY or exit.out_of_memory is not None:
        return True
    # C++ that nobody caught.
    return exit.crashed_natively and any("bad_alloc" in line for line in exit.last_lines)


def outcome(facts: Facts, verdict: Verdict) -> Outcome:
    """The one word of it that the model's history has."""
    if isinstance(verdict, Expected):
        return "unloaded"
    if facts.ending is not None:
        return "killed" if facts.ending.error is None else "failed"
    # A process that only died leaves nothing to say about its model.
    said_why = isinstance(verdict, Rejected | Unfit | Crashed) and verdict.error is not None
    return "failed" if said_why else "crashed"
