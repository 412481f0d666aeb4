"""Control messages the supervisor receives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .codec import Family
from .debugging import HeapRequest, HeapTaken, StacksRequest, StacksTaken
from .loading import Fitted, Taken
from .status import WorkerStats
from .values import Priority, Purpose, Want


@dataclass(frozen=True, slots=True)
class Hello:
    """The first message of a process: proves with the one-time secret that we spawned it."""

    role: Literal["gateway", "worker"]
    secret: str
    pid: int
    protocol: int
    version: str


# From a worker.


@dataclass(frozen=True, slots=True)
class LoadProgress:
    """How far a load is; `fraction` of the phase, 0 to 1. `first_decode` is the canary decode."""

    phase: Literal["weights", "context", "first_decode", "projector"]
    fraction: float


@dataclass(frozen=True, slots=True)
class Ready:
    """The model is loaded and has decoded; the worker is dialling the data plane."""

    fitted: Fitted
    taken: Taken | None = None


@dataclass(frozen=True, slots=True)
class LoadFailed:
    """The model cannot be loaded, for a reason the worker could name; it exits next."""

    code: str
    message: str
    param: str | None


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """From a thread of its own. `progress` only grows: load steps, prefill chunks and tokens."""

    progress: int
    busy: bool
    stats: WorkerStats | None


# From the gateway.


@dataclass(frozen=True, slots=True)
class LeaseRequest:
    """May I send one request to `model`? Answered by `Granted` or `Refused`."""

    lease: int
    model: str
    # Seconds the model stays loaded while unused, from now on: 0 is not at all, infinity for
    # ever, None as before; a load begins with what the server is set to.
    ttl: float | None = None
    priority: Priority = "interactive"
    purpose: Purpose = "answer"
    # Grant it when the model does nothing else, and nothing else until it is returned: a request
    # that several processes died of is tried without company.
    alone: bool = False
    # The request has lost the worker it had been granted: what is said to a client that asks too
    # much of a model is not for one that may have half of its answer.
    again: bool = False
    # What the model has to be able to do for it: otherwise no process is started.
    wants: tuple[Want, ...] = ()
    # Who takes turns with others where requests wait; "" is nobody in particular.
    subject: str = ""
    # What logs and the client know the request by, and its trace (W3C traceparent), "" for none.
    name: str = ""
    trace: str = ""


@dataclass(frozen=True, slots=True)
class LeaseReturn:
    """The request ended, or nobody waits for the lease any more. Idempotent."""

    lease: int


@dataclass(frozen=True, slots=True)
class StatusRequest:
    """Answered by `Status` with the same `ask`."""

    ask: int


ManageAction = Literal["load", "unload", "pin", "unpin", "reset"]


@dataclass(frozen=True, slots=True)
class Manage:
    """What an operator wants of a model; answered by one `Managed` with the same `ask`.

    `load` starts a load that nobody waits for. `unload` ends its process when the running requests
    have ended, with `force` at once; the answer comes when the memory is free. `pin` and `unpin`
    hold, also for a model that is not loaded, until the other or the end of the server. `reset`
    forgets its failures.
    """

    ask: int
    action: ManageAction
    # Its id; of `load` any name.
    model: str
    force: bool = False
    # Of `load`: as in `LeaseRequest`.
    ttl: float | None = None


@dataclass(frozen=True, slots=True)
class Reload:
    """Read the configuration again; answered by one `Reloaded` with the same `ask`."""

    ask: int


@dataclass(frozen=True, slots=True)
class HistoryRequest:
    """Answered by `History` with the same `ask`; of all models where none is named."""

    ask: int
    model: str | None


# From `kronk worker --connect`, on another host.


@dataclass(frozen=True, slots=True)
class HostHello:
    """The first message of a worker host, after each connection; answered by `Welcome`. Who it is
    CURVE has proved."""

    protocol: int
    version: str
    pid: int
    # Generations of the worker processes that run there.
    running: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class HostAlive:
    """Once a second; answered by `HostBeat`."""

    running: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class HostStarted:
    """A worker process runs."""

    generation: int
    pid: int


@dataclass(frozen=True, slots=True)
class HostExited:
    """A worker process was reaped, or could not be started: `returncode` is None then."""

    generation: int
    returncode: int | None
    last_lines: tuple[str, ...]
    # As in the supervisor's `cause.Exit`.
    stack: tuple[str, ...] = ()
    out_of_memory: Literal["cgroup", "machine"] | None = None


HOSTS = Family(
    "control plane of the supervisor, for other hosts",
    Hello,
    LoadProgress,
    Ready,
    LoadFailed,
    Heartbeat,
    HostHello,
    HostAlive,
    HostStarted,
    HostExited,
    HeapTaken,
    StacksTaken,
)
CONTROL = Family(
    "control plane of the supervisor",
    Hello,
    LoadProgress,
    Ready,
    LoadFailed,
    Heartbeat,
    LeaseRequest,
    LeaseReturn,
    StatusRequest,
    Manage,
    Reload,
    HistoryRequest,
    HeapRequest,
    HeapTaken,
    StacksRequest,
)
