"""What a person who looks for a fault asks of processes, by the gateway's debug server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class HeapRequest:
    """Follow Python's allocations for so many seconds; answered by `HeapTaken`."""

    ask: int
    # The process it is about; the supervisor is 0.
    generation: int
    seconds: float


@dataclass(frozen=True, slots=True)
class HeapLine:
    """Memory that a line of code has taken and that is still in use."""

    # `file:line`.
    where: str
    bytes: int
    blocks: int
    # In the second half of the time.
    growth: int


@dataclass(frozen=True, slots=True)
class HeapType:
    """Objects of one type, without what they refer to."""

    name: str
    count: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Heap:
    """What was found; bytes throughout."""

    seconds: float
    # Taken since the start and still in use, now and at most.
    traced: int
    peak: int
    # What the tracing itself took.
    tracing: int
    lines: tuple[HeapLine, ...]
    grown: tuple[HeapLine, ...]
    # Everything that the garbage collector looks at, whenever it was made.
    types: tuple[HeapType, ...]
    # Objects that it has put aside for good, of which it keeps no list.
    frozen: int
    # All blocks of Python's allocator, and its collections by generation.
    blocks: int
    collections: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class HeapTaken:
    """The answer to `HeapRequest`: `heap`, or why there is none."""

    ask: int
    heap: Heap | None
    code: str | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class StacksRequest:
    """What the threads of a process on another host do; answered by `StacksTaken`."""

    ask: int
    generation: int


@dataclass(frozen=True, slots=True)
class StacksTaken:
    """The answer to `StacksRequest`, as `shared.stacks.Taken` has it."""

    ask: int
    text: str
    silence: Literal["stopped", "asleep", "silent", "deaf", "gone"] | None = None
