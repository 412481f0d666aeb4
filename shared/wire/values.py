"""Values that messages carry inside."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

# Raised whenever a message changes; both ends refuse a peer that speaks another.
PROTOCOL = 3

Json = Any

# "batch" waits until no "interactive" request wants the place, and leaves one free for the next.
Priority = Literal["interactive", "batch"]
# "load" wants nothing of the model but that it is loaded, or with a TTL of 0 that it is not.
# "inspect" has nothing decoded. Neither needs a slot.
Purpose = Literal["answer", "load", "inspect"]


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
class Media:
    """An image or a recording as a file's bytes, in whatever format the file is."""

    kind: Literal["image", "audio"]
    data: bytes
    # The request's field it came from, for errors.
    param: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is put before the model: exactly one of `messages`, `text` and `tokens`."""

    # The chat as JSON objects with at least `role` and `content`, in the client's order. A content
    # is a string or, where it has media, a list of parts: `{"type": "text", "text": ...}` and
    # `{"type": "image" or "audio", "media": index}`.
    messages: tuple[Json, ...] | None = None
    text: str | None = None
    tokens: tuple[int, ...] | None = None
    # With `text`: what comes after the gap that the model fills.
    suffix: str | None = None
    # OpenAI's `{"type": "function", "function": {...}}` objects, for the template.
    tools: tuple[Json, ...] = ()
    # What the client calls the parameters of each of them, for errors; empty where it is
    # `tools[0].function.parameters` and so on.
    tool_params: tuple[str, ...] = ()
    # Variables the client gives the chat template.
    template_kwargs: dict[str, Json] = field(default_factory=dict)
    enable_thinking: bool | None = None
    reasoning_effort: str | None = None
    # The client's name for its conversation (`imc_id`), which keeps its prefix cached.
    session: str | None = None
    # What the answer to `messages` begins with: the model goes on from there. No thinking then.
    prefill: str | None = None
    # What the client calls all this, for errors; None is `messages` or `prompt`.
    param: str | None = None
    # What the parts of `messages` refer to by index.
    media: tuple[Media, ...] = ()

    @property
    def field(self) -> str:
        """The client's field that errors name."""
        if self.param is not None:
            return self.param
        return "prompt" if self.messages is None else "messages"


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
    # What the client calls `max_tokens`, for errors; None is just that.
    limit_param: str | None = None
    # What `Started` shall have: the text of a prompt of tokens, which nobody else knows.
    echo: Literal["prompt"] | None = None


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
class RopeSpec:
    """How positions are rotated; None is what the GGUF says, or what `worker.rope` derives."""

    scaling: Literal["none", "linear", "yarn"] | None = None
    freq_base: float | None = None
    freq_scale: float | None = None
    yarn_ext_factor: float | None = None
    yarn_attn_factor: float | None = None
    yarn_beta_fast: float | None = None
    yarn_beta_slow: float | None = None
    yarn_orig_ctx: int | None = None


@dataclass(frozen=True, slots=True)
class ContextSpec:
    """The size of a context, what its memory is made of, and what computes it."""

    # Tokens of one request, prompt and answer; None: what the model was trained for, 8192 at most.
    window: int | None = None
    # Requests that decode at the same time; None: 4, and 32 texts where texts are pooled.
    slots: int | None = None
    n_batch: int = 2048
    n_ubatch: int = 512
    # None: the cores this process may use, less one for the gateway where there are five or more.
    n_threads: int | None = None
    # Threads for prompts; None: as many as `n_threads`.
    n_threads_batch: int | None = None
    cache_type_k: str = "f16"
    cache_type_v: str = "f16"
    # None: enabled; where texts are pooled on a processor, disabled, as that is exact.
    flash_attention: Literal["enabled", "disabled", "auto"] | None = None
    # Layers with a sliding window keep all positions, so that any prefix can be used again.
    swa_full: bool = True
    offload_kqv: bool = True
    op_offload: bool = True
    rope: RopeSpec = RopeSpec()


@dataclass(frozen=True, slots=True)
class TensorPlace:
    """Tensors whose names match the regular expression go to the buffer type of that name."""

    pattern: str
    buffer: str


@dataclass(frozen=True, slots=True)
class PlacementSpec:
    """Where weights are kept."""

    # Layers on the GPU; None is all of them, 0 none.
    n_gpu_layers: int | None = None
    split_mode: Literal["none", "layer", "row", "tensor"] = "none"
    # A share per GPU; empty: in proportion to their free memory.
    tensor_split: tuple[float, ...] = ()
    main_gpu: int = 0
    # Layers, from the first, whose experts stay in main memory.
    n_cpu_moe: int = 0
    tensor_places: tuple[TensorPlace, ...] = ()
    use_mmap: bool = True
    use_mlock: bool = False
    numa: Literal["distribute", "isolate", "numactl"] | None = None


@dataclass(frozen=True, slots=True)
class AdapterSpec:
    """A LoRA adapter and how strongly it applies."""

    path: str
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class TemplateSpec:
    """The chat template, where it is not simply the GGUF's default one."""

    # Text of this file instead of the GGUF's; the name says what it is reported as.
    path: str | None = None
    # One of the GGUF's named templates, or `chatml`.
    name: str | None = None


# "automatic" keeps what was computed, "system" the system prompt above all, "incremental" the
# conversation of each session.
CacheMode = Literal["automatic", "system", "incremental", "off"]


@dataclass(frozen=True, slots=True)
class CacheSpec:
    """Which prompt prefixes are kept, and where."""

    mode: CacheMode = "automatic"
    # Conversations with a session id that are kept at a time.
    max_sessions: int = 1
    # Shorter prefixes are not kept.
    min_tokens: int = 100
    # Bytes for states in memory.
    ram_bytes: int = 1024**3
    # Bytes for states on disk; 0 keeps none there.
    disk_bytes: int = 0
    # The folder for states on disk; None when there is none.
    directory: str | None = None


@dataclass(frozen=True, slots=True)
class SpeculationSpec:
    """How tokens are guessed ahead of the model."""

    mode: Literal["none", "ngram", "draft"] = "none"
    # The draft model's id and file, set when the mode is "draft".
    draft_model: str | None = None
    draft_path: str | None = None
    # Tokens guessed at a time, at most; fewer than the least are not worth checking.
    draft_max: int = 16
    draft_min: int = 0
    # A draft ends before a token that the draft model finds less likely than this.
    draft_p_min: float = 0.75
    # Tokens that must repeat before their old continuation is guessed.
    ngram_size: int = 3


@dataclass(frozen=True, slots=True)
class LoadSpec:
    """A model's resolved configuration: all a worker needs to load it.

    None leaves a choice to the worker, which reports in `Fitted` what it chose.
    """

    model: str
    path: str
    # The GGUF that turns images or sound into embeddings; None where the model takes text only.
    projector: str | None = None
    context: ContextSpec = ContextSpec()
    placement: PlacementSpec = PlacementSpec()
    cache: CacheSpec = CacheSpec()
    speculation: SpeculationSpec = SpeculationSpec()
    template: TemplateSpec = TemplateSpec()
    adapters: tuple[AdapterSpec, ...] = ()
    sampling: Sampling = Sampling()
    # The family of the parser for reasoning and tool calls; None: chosen from the template.
    tool_parser: str | None = None
    # Requests that may wait, for each slot.
    queue_depth: int = 2
    # Seconds a request may wait for a slot; None is no limit of its own.
    queue_timeout: float | None = None
    # Off after a death in the first decode: REPACK and AMX kernels are what such a death is
    # usually about (llama.cpp's `use_extra_bufts`).
    extra_buffers: bool = True
    llama_log: bool = False


@dataclass(frozen=True, slots=True)
class FittedRope:
    """The rotation in force, with what was derived."""

    scaling: str
    freq_base: float
    freq_scale: float
    orig_ctx: int


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
    # Where the chat template is from: "model" (the GGUF's own), "file" or "chatml".
    template: str
    # Its file or its name in the GGUF.
    template_name: str | None = None
    tool_parser: str | None = None
    n_ctx_train: int = 0
    n_batch: int = 0
    n_ubatch: int = 0
    n_threads_batch: int = 0
    cache_type_k: str = "f16"
    cache_type_v: str = "f16"
    flash_attention: bool = False
    swa_full: bool = True
    gpu_layers: int = 0
    layers: int = 0
    # Of the key and value cache, and of llama.cpp's scratch memory.
    kv_bytes: int = 0
    compute_bytes: int = 0
    rope: FittedRope | None = None
    # File names, each with its scale: `style.gguf x 0.5`.
    adapters: tuple[str, ...] = ()
    cache: str = "off"
    speculation: str = "none"
    draft_model: str | None = None
    # What it understands besides text: "image", "audio".
    modalities: tuple[str, ...] = ()
    # What the configuration asked for and this machine or model could not do.
    notes: tuple[str, ...] = ()


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
