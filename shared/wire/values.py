"""Values that messages carry inside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

# Raised whenever a message changes; both ends refuse a peer that speaks another.
PROTOCOL = 1

Json = Any


@dataclass(frozen=True, slots=True)
class Sampling:
    """A request's own sampling parameters; None is "not said", and zero is zero."""

    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts of one finished request."""

    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True)
class Timings:
    """Where a request's time went inside the worker, in seconds.

    `queued` runs from the submit to the first prefill row, `prefill` to the first token, `decode`
    to the last.
    """

    queued: float
    prefill: float
    decode: float


@dataclass(frozen=True, slots=True)
class LoadSpec:
    """A model's resolved configuration: all a worker needs to load it.

    None leaves a choice to the worker, which reports in `Fitted` what it chose.
    """

    model: str
    path: str
    context_window: int | None
    n_seq_max: int
    n_batch: int
    n_ubatch: int
    n_threads: int | None
    n_gpu_layers: int
    cache_type_k: str
    cache_type_v: str
    flash_attention: str
    sampling: Sampling
    # Off after a death in the first decode: REPACK and AMX kernels are what such a death is
    # usually about (llama.cpp's `use_extra_bufts`).
    extra_buffers: bool
    llama_log: bool


@dataclass(frozen=True, slots=True)
class Fitted:
    """What a worker really loaded."""

    # Tokens one request may use, prompt and answer together.
    n_ctx: int
    slots: int
    # Requests that may wait in the worker behind the busy slots.
    queue: int
    n_threads: int
    parameters: int
    weights_bytes: int
    architecture: str
    # "model" (the GGUF's own) or "chatml" (the fallback, with the reason in the log).
    template: str


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


@dataclass(frozen=True, slots=True)
class ProcessStatus:
    """One of Kronk's processes without a model: the supervisor, the gateway or the spare."""

    role: str
    pid: int
    generation: int
    rss_bytes: int
