"""Per-model configuration: the keys of `model-config.yaml`, their defaults and their limits."""

from __future__ import annotations

import dataclasses
import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from .errors import InvalidArgument
from .sampling_params import parse_sampling
from .wire.values import ContextSpec, LoadSpec, PlacementSpec, Sampling

CACHE_TYPES = ("f32", "f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0")

# Of the manual, but not built yet: said instead of silently ignored.
NOT_IN_THIS_VERSION = frozenset(
    {
        "system_prompt_cache",
        "incremental_cache",
        "max_imc_sessions",
        "cache_min_tokens",
        "offload_kqv",
        "op_offload",
        "split_mode",
        "rope_scaling",
        "rope_freq_base",
        "rope_freq_scale",
        "yarn_ext_factor",
        "yarn_attn_factor",
        "yarn_beta_fast",
        "yarn_beta_slow",
        "yarn_orig_ctx",
        "draft_model",
    }
)


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """One model's settings. None is "not said"; the worker then chooses and reports."""

    # Tokens per request, prompt and answer; None: what the model was trained for, 8192 at most.
    context_window: int | None = None
    # Requests that decode at the same time.
    n_seq_max: int = 4
    n_batch: int = 2048
    n_ubatch: int = 512
    n_threads: int | None = None
    # 0: all layers on the GPU, -1: none (the manual's convention, not llama.cpp's).
    n_gpu_layers: int = 0
    cache_type_k: str = "f16"
    cache_type_v: str = "f16"
    flash_attention: Literal["enabled", "disabled", "auto"] = "enabled"
    sampling_parameters: Sampling = dataclasses.field(default_factory=Sampling)


_LIMITS: dict[str, tuple[int, int]] = {
    "context_window": (256, 16_777_216),
    "n_seq_max": (1, 256),
    "n_batch": (32, 65_536),
    "n_ubatch": (32, 65_536),
    "n_threads": (1, 1024),
    "n_gpu_layers": (-1, 10_000),
}
_CHOICES: dict[str, tuple[str, ...]] = {
    "cache_type_k": CACHE_TYPES,
    "cache_type_v": CACHE_TYPES,
    "flash_attention": ("enabled", "disabled", "auto"),
}
# Spellings the manual uses beside the underscored one, after hyphens became underscores.
_ALIASES = {"nseq_max": "n_seq_max", "nbatch": "n_batch", "nubatch": "n_ubatch"}


def load_file(path: Path | None) -> dict[str, ModelConfig]:
    """Model id to configuration; `InvalidArgument` names file, model and key."""
    if path is None:
        return {}
    try:
        document = yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        raise InvalidArgument(f"model config {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InvalidArgument(f"model config {path}: not YAML: {error}") from error
    models = (document or {}).get("models") if isinstance(document or {}, dict) else None
    if not isinstance(models, dict):
        raise InvalidArgument(f"model config {path}: expected a map under the key `models`")
    return {
        str(model): parse(keys or {}, f"{path}: models.{model}") for model, keys in models.items()
    }


def parse(keys: object, where: str) -> ModelConfig:
    """One model's map of keys; `where` leads each message."""
    if not isinstance(keys, dict):
        raise InvalidArgument(f"{where}: expected a map of keys, got {type(keys).__name__}")
    values: dict[str, Any] = {}
    for key, value in keys.items():
        name = _name(str(key), where)
        values[name] = _value(name, value, f"{where}.{key}")
    config = ModelConfig(**values)
    if config.n_ubatch > config.n_batch:
        raise InvalidArgument(
            f"{where}.n_ubatch: must not exceed n_batch ({config.n_batch}), got {config.n_ubatch}"
        )
    return config


def _name(key: str, where: str) -> str:
    name = key.replace("-", "_")
    name = _ALIASES.get(name, name)
    if name in _FIELDS:
        return name
    if name in NOT_IN_THIS_VERSION:
        raise InvalidArgument(f"{where}.{key}: this version of Kronk does not have it yet")
    close = difflib.get_close_matches(name, _FIELDS, 1)
    hint = f"; did you mean {close[0]}?" if close else ""
    raise InvalidArgument(f"{where}.{key}: no such key{hint}")


def _value(name: str, value: object, where: str) -> Any:
    if name == "sampling_parameters":
        return parse_sampling(value, where)
    if name in _CHOICES:
        if value not in _CHOICES[name]:
            raise InvalidArgument(
                f"{where}: expected one of {', '.join(_CHOICES[name])}, got {value!r}"
            )
        return value
    least, most = _LIMITS[name]
    if type(value) is not int or not least <= value <= most:
        raise InvalidArgument(
            f"{where}: expected a whole number from {least} to {most}, got {value!r}"
        )
    return value


def load_spec(
    model: str, path: Path, config: ModelConfig, *, extra_buffers: bool, llama_log: bool
) -> LoadSpec:
    """What a worker is told to load."""
    layers = config.n_gpu_layers
    return LoadSpec(
        model=model,
        path=str(path),
        context=ContextSpec(
            window=config.context_window,
            slots=config.n_seq_max,
            n_batch=config.n_batch,
            n_ubatch=config.n_ubatch,
            n_threads=config.n_threads,
            cache_type_k=config.cache_type_k,
            cache_type_v=config.cache_type_v,
            flash_attention=config.flash_attention,
        ),
        placement=PlacementSpec(n_gpu_layers={0: None, -1: 0}.get(layers, layers)),
        sampling=config.sampling_parameters,
        extra_buffers=extra_buffers,
        llama_log=llama_log,
    )


_FIELDS = tuple(field.name for field in dataclasses.fields(ModelConfig))
