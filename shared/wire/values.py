"""Values that messages carry inside."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

# Raised whenever a message changes; both ends refuse a peer that speaks another.
PROTOCOL = 2

Json = Any


@dataclass(frozen=True, slots=True)
class Sampling:
    """Sampling parameters as one source said them; None is "not said", and zero is zero.

    What each means, its range and its default: `kronk.shared.sampling_params`.
    """

    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    typical_p: float | None = None
    top_n_sigma: float | None = None
    repeat_penalty: float | None = None
    repeat_last_n: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    dry_multiplier: float | None = None
    dry_base: float | None = None
    dry_allowed_length: int | None = None
    dry_penalty_last_n: int | None = None
    dry_sequence_breakers: tuple[str, ...] | None = None
    xtc_probability: float | None = None
    xtc_threshold: float | None = None
    mirostat: int | None = None
    mirostat_tau: float | None = None
    mirostat_eta: float | None = None
    dynatemp_range: float | None = None
    dynatemp_exponent: float | None = None
    # Token id in decimal to what is added to its logit.
    logit_bias: dict[str, float] | None = None
    seed: int | None = None
    ignore_eos: bool | None = None
    min_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Constraint:
    """A language the answer must be in; what it means for tools stands in `Answer`."""

    kind: Literal["json_object", "json_schema", "grammar", "regex"]
    # The schema as JSON text, the GBNF or the pattern; empty for json_object.
    source: str
    # The request's field it came from, for errors: `response_format.json_schema.schema`.
    param: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is put before the model: exactly one of `messages`, `text` and `tokens`."""

    # The chat as JSON objects with at least `role` and `content`, in the client's order.
    messages: tuple[Json, ...] | None = None
    text: str | None = None
    tokens: tuple[int, ...] | None = None
    # With `text`: what comes after the gap that the model fills.
    suffix: str | None = None
    # OpenAI's `{"type": "function", "function": {...}}` objects, for the template.
    tools: tuple[Json, ...] = ()
    # Variables the client gives the chat template.
    template_kwargs: dict[str, Json] = field(default_factory=dict)
    enable_thinking: bool | None = None
    reasoning_effort: str | None = None
    # The client's name for its conversation (`imc_id`), which keeps its prefix cached.
    session: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What the answer has to look like."""

    constraint: Constraint | None = None
    tool_choice: Literal["auto", "none", "required", "named"] = "auto"
    # The function that must be called when `tool_choice` is "named".
    tool_name: str | None = None
    parallel_tool_calls: bool = True
    # Alternatives to report per token, 0 to 20; None is no log-probabilities at all.
    logprobs: int | None = None
    # Tokens the model may think before its thinking is ended for it.
    thinking_budget: int | None = None
    # Independent answers to the one prompt.
    choices: int = 1


@dataclass(frozen=True, slots=True)
class Alternative:
    """A token that could have stood in a place, with its natural log-probability there."""

    piece: bytes
    logprob: float


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """A generated token, before any sampler changed the odds, and the most likely in its place."""

    piece: bytes
    logprob: float
    top: tuple[Alternative, ...]


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts of one finished request, all its choices together."""

    prompt_tokens: int
    completion_tokens: int
    # Prompt tokens that came out of a cache instead of a prefill.
    cached_tokens: int = 0
    # Of the completion tokens.
    reasoning_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Timings:
    """Where a request's time went inside the worker, in seconds.

    `queued` runs from the submit to the first prefill row, `prefill` to the first token, `decode`
    to the last.
    """

    queued: float
    prefill: float
    decode: float
    # Where the cached part of the prompt came from, or why there was none.
    cache: str = ""
    # Tokens proposed by speculation, and those of them that were right.
    drafted: int = 0
    accepted: int = 0


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
