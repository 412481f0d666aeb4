"""What a worker is to load, and what it really loaded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .values import Ability, Sampling


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
# Whose prefixes a prompt may start from: everybody's, or those of its own subject.
CacheScope = Literal["shared", "subject"]


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
    scope: CacheScope = "shared"


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
class ResidencySpec:
    """How long the model stays loaded: the supervisor's affair, not the worker's."""

    # Seconds it may be unused, infinity for ever; None: as the server is set.
    ttl: float | None = None
    # Not unloaded for being unused, nor to make room.
    pinned: bool = False


@dataclass(frozen=True, slots=True)
class LibrarySpec:
    """Which llama.cpp a model's process computes with."""

    # The folder of its libraries; None: the build that came with the binding.
    folder: str | None = None
    # `b11312 vulkan`.
    name: str = "bundled"
    # Why it is not the one that was asked for.
    reason: str | None = None


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
    sampling: Sampling = Sampling()  # noqa: RUF009  # frozen
    # What the catalog recommends, which is in `sampling` where the configuration says nothing else.
    recommended: Sampling = Sampling()  # noqa: RUF009  # frozen
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
    # Where its process may run, in the order of preference: `local`, or names of worker hosts.
    places: tuple[str, ...] = ("local",)
    residency: ResidencySpec = ResidencySpec()
    # What its files say that it can be asked for; empty where they cannot be read.
    abilities: tuple[Ability, ...] = ()
    library: LibrarySpec = LibrarySpec()


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
    # What its process gave up before it read the model, of `confinement.MEASURES`.
    confinement: tuple[str, ...] = ()
    # The llama.cpp it computes with, as `LibrarySpec.name` has it.
    library: str = "bundled"


@dataclass(frozen=True, slots=True)
class Taken:
    """Memory that a worker's process has after its first decode, in bytes."""

    # Its own: heap, contexts, weights that were read and not mapped.
    private_bytes: int
    # Pages of files that are in memory: mapped weights.
    mapped_bytes: int
    # By GPU, as `Budget.device` calls it.
    devices: dict[str, int]
    # Set aside in main memory, and taken when a decode first fills it: the scratch memory that the
    # first one had no use for.
    untouched_bytes: int = 0

    @property
    def all_bytes(self) -> int:
        """Of all devices."""
        return self.private_bytes + self.mapped_bytes + sum(self.devices.values())
