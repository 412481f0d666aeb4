"""How models and processes are doing."""

from __future__ import annotations

from dataclasses import dataclass

from .loading import Fitted


@dataclass(frozen=True, slots=True)
class WorkerStats:
    """A worker's state at one heartbeat."""

    slots_busy: int
    queued: int
    # Generated tokens per second of all slots over the last few seconds.
    tokens_per_second: float
    # Requests and tokens since the model was loaded.
    requests: int
    tokens: int


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """One line of `kronk ps`. None is "does not apply now"."""

    model: str
    pid: int | None
    state: str
    generation: int | None
    rss_bytes: int | None
    n_ctx: int | None
    slots_busy: int
    slots_total: int
    queued: int
    active_streams: int
    tokens_per_second: float
    idle_seconds: float | None
    # Seconds until an idle model is unloaded; None while it is busy or never expires.
    expires_in: float | None
    restarts: int
    last_exit: str | None
    # What its worker really loaded.
    fitted: Fitted | None = None
    # Seconds it may be idle; None is for ever.
    ttl: float | None = None


@dataclass(frozen=True, slots=True)
class ProcessStatus:
    """One of Kronk's processes without a model: the supervisor, the gateway or the spare."""

    role: str
    pid: int
    generation: int
    rss_bytes: int
