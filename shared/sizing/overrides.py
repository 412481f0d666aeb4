"""Settings that somebody tries out instead of a model's own: those its size depends on. Pure."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping
from typing import Any

from kronk.shared.config.conflicts import conflicts
from kronk.shared.errors import InvalidArgument
from kronk.shared.model_config import ModelConfig
from kronk.shared.model_keys import ALIASES, KEYS

# Keys of the model configuration that may be tried out. `tensor_buffer_overrides` is none of them:
# its patterns are those of the operator, who may let one run for ever.
TRIED = (
    "context_window",
    "n_seq_max",
    "n_batch",
    "n_ubatch",
    "n_threads",
    "cache_type_k",
    "cache_type_v",
    "flash_attention",
    "swa_full",
    "offload_kqv",
    "n_gpu_layers",
    "split_mode",
    "tensor_split",
    "main_gpu",
    "n_cpu_moe",
    "use_mmap",
    "rope_scaling",
    "rope_freq_scale",
    "yarn_orig_ctx",
    "projector",
    "prefix_cache",
    "cache_ram",
    "speculative",
    "draft_model",
    "draft_max",
)


def read(given: Mapping[Any, Any], where: str = "config") -> dict[str, Any]:
    """The values by name; errors name the field `where.key`. A null is as if nothing was said."""
    values: dict[str, Any] = {}
    for key, value in given.items():
        field = f"{where}.{key}"
        name = str(key).replace("-", "_")
        name = ALIASES.get(name, name)
        if name not in TRIED:
            near = difflib.get_close_matches(name, TRIED, 1)
            hint = f"; did you mean {near[0]}?" if near else f"; those are {', '.join(TRIED)}"
            raise InvalidArgument(
                f"{field}: no setting that a model's size depends on{hint}", param=field
            )
        if name in values:
            raise InvalidArgument(f"{field}: {name} is given twice", param=field)
        if value is None:
            continue
        try:
            values[name] = KEYS[name].read(value)
        except ValueError as error:
            raise InvalidArgument(f"{field}: {error}, got {value!r}", param=field) from error
    return values


def apply(config: ModelConfig, values: Mapping[str, Any], where: str = "config") -> ModelConfig:
    """The configuration with these values instead of its own. `InvalidArgument` for one that does
    not go together with the others."""
    tried = dict(values)
    if "n_ubatch" in tried and "n_batch" not in tried:
        tried["n_batch"] = max(config.n_batch, tried["n_ubatch"])
    if "n_batch" in tried and "n_ubatch" not in tried:
        tried["n_ubatch"] = min(config.n_ubatch, tried["n_batch"])
    if "draft_model" in tried and "speculative" not in tried:
        tried["speculative"] = None
    merged = dataclasses.replace(config, **tried)
    for conflict in conflicts(merged):
        key = next((key for key in conflict.keys if key in values), conflict.keys[0])
        if key in values:
            field = f"{where}.{key}"
            raise InvalidArgument(f"{field}: {conflict.message}", param=field)
    return merged
