"""How models and processes are doing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from .loading import Fitted

SlotPhase = Literal["idle", "prefill", "generating", "paused", "reading"]


@dataclass(frozen=True, slots=True)
class SlotStats:
    """One slot: `paused` waits for its client to read, `reading` is at an image or a recording."""

    index: int
    phase: SlotPhase
    # Rows in the KV cache.
    rows: int
    # Of the prompt at work, and how many of them are in the cache.
    prompt: int = 0
    prompt_done: int = 0
    generated: int = 0
    # What logs and the client know its request by.
    request: str = ""


@dataclass(frozen=True, slots=True)
class CacheStats:
    """Prefixes that are kept in one place."""

    kind: Literal["slots", "ram", "pinned", "disk"]
    entries: int
    bytes: int
    # What it may grow to; None is no bound of its own.
    cap_bytes: int | None = None
    # Seconds since one of them was last used.
    idle_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Runtime:
    """How a process of ours is doing inside."""

    # The worst that its loop was late with a timer, in seconds, since it was last asked.
    loop_lag: float
    tasks: int
    threads: int
    # Collections of Python's garbage so far, and the seconds they took.
    gc_collections: int
    gc_seconds: float


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
    slots: tuple[SlotStats, ...] = ()
    caches: tuple[CacheStats, ...] = ()
    runtime: Runtime | None = None
    # Processor seconds of our own threads since it was loaded: the engine's in decodes, and those
    # of all else. The threads that llama.cpp computes in are not ours.
    decode_seconds: float = 0.0
    overhead_seconds: float = 0.0


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
    # Never unloaded to make room, nor for being idle.
    pinned: bool = False
    # While it loads: what it is at, how far that is (0 to 1), and the seconds that are left, where
    # earlier loads of the model allow an honest guess.
    phase: str | None = None
    fraction: float | None = None
    eta: float | None = None
    # Seconds until it may be tried again, in `backoff` and `failed`.
    retry_in: float | None = None
    # What is set aside for it of the memory budget, caches included, and what its process had
    # really taken when it was new.
    predicted_bytes: int | None = None
    measured_bytes: int | None = None
    # The first of them by device, as `Budget` names it.
    promised: dict[str, int] = field(default_factory=dict)
    # The worker host it runs on; None is this machine.
    host: str | None = None
    # Since it has this state.
    state_seconds: float = 0.0
    # Since the end that `last_exit` is of.
    last_exit_age: float | None = None
    # Of its last heartbeat, as in `WorkerStats`.
    slots: tuple[SlotStats, ...] = ()
    caches: tuple[CacheStats, ...] = ()
    runtime: Runtime | None = None
    decode_seconds: float | None = None
    overhead_seconds: float | None = None


# "unloaded" is the end that was wanted. A process that "failed" never became ready, and said or
# showed that its model is at fault; "killed" was by us, because it was frozen, stuck or late.
Outcome = Literal["unloaded", "crashed", "killed", "failed"]


@dataclass(frozen=True, slots=True)
class Departure:
    """The end of one process of a model. Times are seconds of the Unix epoch."""

    model: str
    generation: int
    pid: int | None
    started: float
    # None: it never was.
    ready: float | None
    ended: float
    outcome: Outcome
    # In words, as callers were told: signal or exit code, what we killed it for, memory.
    cause: str
    exit_code: int | None
    signal: str | None
    # The kernel killed it to get memory back.
    out_of_memory: bool
    # Requests it took along.
    requests: int
    # Of its stderr, and what its threads were doing where that is known.
    last_lines: tuple[str, ...]
    stack: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Budget:
    """The memory of one device that models may take: `host`, or a GPU by its name."""

    device: str
    total_bytes: int
    budget_bytes: int
    # What is promised to the models that are loaded or loading.
    reserved_bytes: int


@dataclass(frozen=True, slots=True)
class LeaseCounts:
    """What has become of the leases since the server started: `asked` is the sum of all others."""

    asked: int = 0
    refused: int = 0
    returned: int = 0
    # Void, because the worker that had it or the gateway that asked for it died.
    lost: int = 0
    # At this moment.
    waiting: int = 0
    granted: int = 0


@dataclass(frozen=True, slots=True)
class ModelCounters:
    """What has become of one model since the server started."""

    model: str
    # Loads that ended well; how many by bucket of `telemetry.buckets.LOAD_SECONDS`, and their sum.
    loads: int = 0
    load_seconds: float = 0.0
    load_buckets: tuple[int, ...] = ()
    # Unloads that were wanted, by reason; ends that were not, by cause.
    evictions: dict[str, int] = field(default_factory=dict)
    exits: dict[str, int] = field(default_factory=dict)
    # The shortest and the longest of these loads, and the same of their projectors.
    load_min: float = 0.0
    load_max: float = 0.0
    projector_loads: int = 0
    projector_seconds: float = 0.0
    projector_min: float = 0.0
    projector_max: float = 0.0
    # Processes started after an end that was not wanted.
    restarts: int = 0


@dataclass(frozen=True, slots=True)
class ProcessStatus:
    """One of Kronk's processes without a model: the supervisor, the gateway or the spare."""

    role: str
    pid: int
    generation: int
    rss_bytes: int
