"""Messages a worker receives: control from the supervisor, data from the gateway."""

from __future__ import annotations

from dataclasses import dataclass

from .codec import Family
from .values import Json, LoadSpec, Sampling


@dataclass(frozen=True, slots=True)
class Load:
    """Load this model; answered by `Ready` or `LoadFailed`. Sent once in a worker's life."""

    spec: LoadSpec
    # Where to connect the data plane once ready.
    data_address: str


@dataclass(frozen=True, slots=True)
class Stop:
    """Exit now, with code 0. Requests still running end with their process."""


CONTROL = Family("control plane of a worker", Load, Stop)


@dataclass(frozen=True, slots=True)
class Submit:
    """One request. Answered by exactly one `Done` or `Failed`, after any number of `Delta`."""

    # Unique over all gateways' lives: the gateway's generation in the high half.
    request: int
    # What logs and the client know it by.
    name: str
    # The chat as JSON objects with at least `role` and `content`, in the client's order.
    messages: tuple[Json, ...]
    sampling: Sampling
    # Tokens to generate at most; None is up to the end of the context window.
    max_tokens: int | None
    stop: tuple[str, ...]
    # `Delta` messages the worker may send before it needs `Credit`.
    window: int


@dataclass(frozen=True, slots=True)
class Cancel:
    """Nobody reads this request any more. Idempotent; not answered."""

    request: int


@dataclass(frozen=True, slots=True)
class Credit:
    """The client has taken `events` more `Delta` messages."""

    request: int
    events: int


DATA = Family("data plane of a worker", Submit, Cancel, Credit)
