"""Messages the gateway receives: control from the supervisor, data from workers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .codec import Family
from .values import ModelStatus, ProcessStatus, Timings, Usage


@dataclass(frozen=True, slots=True)
class Granted:
    """Send the request to the worker of this generation, then return the lease."""

    lease: int
    worker: int


@dataclass(frozen=True, slots=True)
class Refused:
    """No lease; the fields of a `KronkError`. `retry_after` in seconds."""

    lease: int
    code: str
    message: str
    param: str | None
    retry_after: float | None


@dataclass(frozen=True, slots=True)
class WorkerLost:
    """The process of this generation is dead; nothing more will come from it."""

    worker: int
    model: str
    # In words: signal or exit code, and the last lines of its stderr.
    cause: str


@dataclass(frozen=True, slots=True)
class Status:
    """The answer to `StatusRequest`."""

    ask: int
    draining: bool
    models: tuple[ModelStatus, ...]
    processes: tuple[ProcessStatus, ...]


@dataclass(frozen=True, slots=True)
class Drain:
    """Take no new requests; exit when the running ones have ended."""


CONTROL = Family("control plane of the gateway", Granted, Refused, WorkerLost, Status, Drain)


@dataclass(frozen=True, slots=True)
class Attach:
    """A worker is connected to the data plane; sent again after each reconnect."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The prompt is rendered, tokenised and fits: from here on the request is valid."""

    request: int
    prompt_tokens: int


@dataclass(frozen=True, slots=True)
class Delta:
    """Text to append. `tokens` are the ids whose text it completes, in order."""

    request: int
    text: str
    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Done:
    """The request ended well. `length` is max_tokens or the end of the context window."""

    request: int
    reason: Literal["stop", "length"]
    usage: Usage
    timings: Timings


@dataclass(frozen=True, slots=True)
class Failed:
    """The request ended badly; the fields of a `KronkError`."""

    request: int
    code: str
    message: str
    param: str | None


DATA = Family("data plane of the gateway", Attach, Accepted, Delta, Done, Failed)
