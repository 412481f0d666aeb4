"""From a model's configuration to what its worker is told to load."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from .model_config import NO_PROJECTOR, ModelConfig
from .wire.loading import (
    CacheMode,
    CacheSpec,
    ContextSpec,
    LibrarySpec,
    LoadSpec,
    PlacementSpec,
    ResidencySpec,
    RopeSpec,
    SpeculationSpec,
    TemplateSpec,
)
from .wire.values import Ability, Sampling


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a model's own keys do not say."""

    # The folder of folders for cached prefixes on disk; None keeps none there.
    cache: Path | None = None
    # The file of the draft model, when there is one.
    draft: Path | None = None
    # The file of a template named by `chat_template`.
    template: Path | None = None
    # The projector that lies beside the model.
    projector: Path | None = None
    # Sampling parameters that the catalog recommends.
    recommended: Sampling = Sampling()  # noqa: RUF009  # frozen
    abilities: tuple[Ability, ...] = ()
    extra_buffers: bool = True
    llama_log: bool = False
    library: LibrarySpec = LibrarySpec()  # noqa: RUF009  # frozen


NOWHERE = Surroundings()


def load_spec(
    model: str, path: Path, config: ModelConfig, around: Surroundings = NOWHERE
) -> LoadSpec:
    """What a worker is told to load."""
    template = around.template or config.chat_template_file
    return LoadSpec(
        model=model,
        path=str(path),
        projector=_projector(config, around.projector),
        context=_context(config),
        placement=_placement(config),
        cache=_cache(config, path, around.cache),
        speculation=_speculation(config, around.draft),
        template=TemplateSpec(
            path=str(template) if template is not None else None,
            name=config.chat_template,
        ),
        adapters=config.adapters,
        sampling=config.sampling_parameters,
        recommended=around.recommended,
        tool_parser=config.tool_parser,
        queue_depth=config.queue_depth,
        queue_timeout=config.queue_timeout,
        places=config.worker or ("local",),
        extra_buffers=around.extra_buffers,
        llama_log=around.llama_log,
        residency=ResidencySpec(ttl=config.ttl, pinned=config.pin),
        abilities=around.abilities,
        library=around.library,
    )


def speculation_mode(config: ModelConfig) -> Literal["none", "ngram", "draft"]:
    """A draft model is there to be used, unless the configuration says otherwise."""
    if config.speculative is not None:
        return config.speculative
    return "none" if config.draft_model is None else "draft"


def _projector(config: ModelConfig, beside: Path | None) -> str | None:
    if config.projector is not None:
        return config.projector if config.projector != NO_PROJECTOR else None
    return str(beside) if beside is not None else None


def _context(config: ModelConfig) -> ContextSpec:
    return ContextSpec(
        window=config.context_window,
        slots=config.n_seq_max,
        n_batch=config.n_batch,
        n_ubatch=config.n_ubatch,
        n_threads=config.n_threads,
        n_threads_batch=config.n_threads_batch,
        cache_type_k=config.cache_type_k,
        cache_type_v=config.cache_type_v,
        flash_attention=config.flash_attention,
        swa_full=config.swa_full,
        offload_kqv=config.offload_kqv,
        op_offload=config.op_offload,
        rope=RopeSpec(
            scaling=config.rope_scaling,
            freq_base=config.rope_freq_base,
            freq_scale=config.rope_freq_scale,
            yarn_ext_factor=config.yarn_ext_factor,
            yarn_attn_factor=config.yarn_attn_factor,
            yarn_beta_fast=config.yarn_beta_fast,
            yarn_beta_slow=config.yarn_beta_slow,
            yarn_orig_ctx=config.yarn_orig_ctx,
        ),
    )


def _placement(config: ModelConfig) -> PlacementSpec:
    layers = config.n_gpu_layers
    return PlacementSpec(
        n_gpu_layers={0: None, -1: 0}.get(layers, layers),
        split_mode=config.split_mode,
        tensor_split=config.tensor_split or (),
        main_gpu=config.main_gpu,
        n_cpu_moe=config.n_cpu_moe,
        tensor_places=config.tensor_buffer_overrides,
        use_mmap=config.use_mmap,
        use_mlock=config.use_mlock,
        numa=None if config.numa == "none" else config.numa,
    )


def cache_folder(caches: Path, model: Path) -> Path:
    """A model file's own folder: what its worker may write there, no other worker reads."""
    digest = hashlib.sha256(os.fsencode(model)).hexdigest()[:12]
    return caches / f"{model.stem[:60]}-{digest}"


def _cache(config: ModelConfig, path: Path, caches: Path | None) -> CacheSpec:
    folder = cache_folder(caches, path) if caches is not None and config.cache_disk else None
    mode: CacheMode = "off"
    if config.system_prompt_cache:
        mode = "system"
    elif config.incremental_cache:
        mode = "incremental"
    elif config.prefix_cache:
        mode = "automatic"
    return CacheSpec(
        mode=mode,
        max_sessions=config.max_imc_sessions,
        min_tokens=config.cache_min_tokens,
        ram_bytes=config.cache_ram,
        disk_bytes=config.cache_disk if folder is not None else 0,
        directory=str(folder) if folder is not None else None,
        scope=config.cache_scope,
    )


def _speculation(config: ModelConfig, draft: Path | None) -> SpeculationSpec:
    mode = speculation_mode(config)
    return SpeculationSpec(
        mode=mode,
        draft_model=config.draft_model if mode == "draft" else None,
        draft_path=str(draft) if mode == "draft" else None,
        draft_max=config.draft_max,
        draft_min=config.draft_min,
        draft_p_min=config.draft_p_min,
        ngram_size=config.spec_ngram_size,
    )


def is_same_load(old: LoadSpec, new: LoadSpec) -> bool:
    """Whether a process that loaded the one has what the other asks for."""
    return _as_loaded(old) == _as_loaded(new)


def _as_loaded(spec: LoadSpec) -> LoadSpec:
    # A build whose special kernels crash does without them, whatever the configuration says. How
    # long a model stays is nothing to its process.
    library = replace(spec.library, reason=None)
    return replace(spec, extra_buffers=True, residency=ResidencySpec(), library=library)
