"""Messages that `kronk worker --connect` receives: its server starts and ends processes there."""

from __future__ import annotations

from dataclasses import dataclass

from .codec import Family
from .debugging import StacksRequest


@dataclass(frozen=True, slots=True)
class Welcome:
    """The answer to `HostHello`."""

    # The server's base path: paths below it are looked for below the host's own.
    base_path: str
    # Seconds without a word from the server after which the host ends its workers.
    lost_after: float


@dataclass(frozen=True, slots=True)
class HostSpawn:
    """Start a worker process; its end is reported by `HostExited`."""

    generation: int
    # For its `Hello`.
    secret: str


@dataclass(frozen=True, slots=True)
class HostSignal:
    """Send a signal to a worker's process group; to nobody when it is gone."""

    generation: int
    number: int


@dataclass(frozen=True, slots=True)
class HostBeat:
    """The answer to each `HostAlive`."""


@dataclass(frozen=True, slots=True)
class HelloAgain:
    """The server has counted the host as lost, or was started anew: say `HostHello`."""


CONTROL = Family(
    "control plane of a worker host",
    Welcome,
    HostSpawn,
    HostSignal,
    HostBeat,
    HelloAgain,
    StacksRequest,
)
