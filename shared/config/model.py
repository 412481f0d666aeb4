"""All that can be set for one model, with what it is when nobody says."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kronk.shared.model_keys import KEYS
from kronk.shared.wire.loading import AdapterSpec, CacheScope, TensorPlace
from kronk.shared.wire.values import Sampling


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """One model's settings. None is "not said"; what that means stands in `model_keys`."""

    context_window: int | None = None
    n_seq_max: int | None = None
    queue_depth: int = 2
    queue_timeout: float | None = None
    n_batch: int = 2048
    n_ubatch: int = 512
    n_threads: int | None = None
    n_threads_batch: int | None = None
    cache_type_k: str = "f16"
    cache_type_v: str = "f16"
    flash_attention: Literal["enabled", "disabled", "auto"] | None = None
    swa_full: bool = True
    offload_kqv: bool = True
    op_offload: bool = True
    worker: tuple[str, ...] | None = None
    processor: str | None = None
    # 0: all layers on the GPU, -1: none (the manual's convention, not llama.cpp's).
    n_gpu_layers: int = 0
    split_mode: Literal["none", "layer", "row", "tensor"] = "none"
    tensor_split: tuple[float, ...] | None = None
    main_gpu: int = 0
    n_cpu_moe: int = 0
    tensor_buffer_overrides: tuple[TensorPlace, ...] = ()
    use_mmap: bool = True
    use_mlock: bool = False
    numa: Literal["distribute", "isolate", "numactl", "none"] = "none"
    rope_scaling: Literal["none", "linear", "yarn"] | None = None
    rope_freq_base: float | None = None
    rope_freq_scale: float | None = None
    yarn_ext_factor: float | None = None
    yarn_attn_factor: float | None = None
    yarn_beta_fast: float | None = None
    yarn_beta_slow: float | None = None
    yarn_orig_ctx: int | None = None
    chat_template_file: Path | None = None
    chat_template: str | None = None
    tool_parser: str | None = None
    sampling_preset: str | None = None
    sampling_parameters: Sampling = dataclasses.field(default_factory=Sampling)
    adapters: tuple[AdapterSpec, ...] = ()
    # A path, or `none`.
    projector: str | None = None
    prefix_cache: bool = True
    system_prompt_cache: bool = False
    incremental_cache: bool = False
    max_imc_sessions: int = 1
    cache_min_tokens: int = 100
    cache_ram: int = 1024**3
    cache_disk: int = 0
    cache_scope: CacheScope = "shared"
    speculative: Literal["none", "ngram", "draft"] | None = None
    draft_model: str | None = None
    draft_max: int = 16
    draft_min: int = 0
    draft_p_min: float = 0.75
    spec_ngram_size: int = 3
    aliases: tuple[str, ...] = ()
    # Seconds it may be unused, infinity for ever.
    ttl: float | None = None
    pin: bool = False
    preload: bool = False


assert tuple(KEYS) == tuple(field.name for field in dataclasses.fields(ModelConfig)), (
    "KEYS and ModelConfig must list the same names in the same order"
)
