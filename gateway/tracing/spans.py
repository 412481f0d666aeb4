"""Spans as we make them: plain values, which become OpenTelemetry's where they are sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import getrandbits
from typing import Literal

Value = str | bool | int | float | tuple[str, ...]
Attributes = Mapping[str, Value]
Kind = Literal["internal", "server", "client"]
Role = Literal["gateway", "supervisor", "worker"]

_NANO = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Origin:
    """The process whose work a span is. All spans are made in the gateway: a worker has no network
    and the supervisor no time."""

    role: Role
    # Of a worker: what it has loaded, and which of our processes it is.
    model: str = ""
    generation: int | None = None
    # Of a worker, which may be on another host; the others are on this one.
    pid: int = 0
    host: str = ""


GATEWAY = Origin("gateway")
SUPERVISOR = Origin("supervisor")


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened during a span."""

    name: str
    # Nanoseconds of the Unix epoch.
    at: int


@dataclass(slots=True)
class Span:
    """One piece of work. Never holds text of a prompt or an answer."""

    name: str
    # Lower-case hexadecimal, of 32 and 16 digits.
    trace_id: str
    span_id: str
    parent_id: str | None
    # Nanoseconds of the Unix epoch.
    start: int
    end: int
    attributes: Attributes = field(default_factory=dict)
    origin: Origin = GATEWAY
    kind: Kind = "internal"
    # The code of what went wrong with it.
    error: str | None = None
    events: tuple[Event, ...] = ()


def new_span_id() -> str:
    """An id that no other span of the trace has."""
    return f"{getrandbits(64) or 1:016x}"


def new_trace_id() -> str:
    """An id that no other trace has."""
    return f"{getrandbits(128) or 1:032x}"


def nanoseconds(seconds: float) -> int:
    """Of the epoch, as spans say it."""
    return int(seconds * _NANO)
