"""Per-model configuration: `model-config.yaml` read into one `ModelConfig` per model."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from .errors import InvalidArgument
from .model_keys import ALIASES, KEYS, QUANTISED
from .sampling_params import parse_sampling
from .wire.loading import AdapterSpec, TensorPlace
from .wire.values import Sampling

# A key of the manual's that a reader must not believe in: nothing of a request is ever logged.
_NOT_OURS = {"insecure_logging": "this version never logs what requests and answers say"}

# What `projector` says for a model that is to have none.
NO_PROJECTOR = "none"


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


def load_file(path: Path | None) -> dict[str, ModelConfig]:
    """Model id to configuration; `InvalidArgument` names file, model and key."""
    return parse_file(read_file(path), path)


def read_file(path: Path | None) -> str:
    """The file's text, empty without a file; `InvalidArgument` when it cannot be read."""
    if path is None:
        return ""
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise InvalidArgument(f"model config {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InvalidArgument(f"model config {path}: not YAML: {error}") from error


def parse_file(text: str, path: Path | None) -> dict[str, ModelConfig]:
    """The same of a text that was read from the file at `path` before."""
    if path is None:
        return {}
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InvalidArgument(f"model config {path}: not YAML: {error}") from error
    models = (document or {}).get("models") if isinstance(document or {}, dict) else None
    if not isinstance(models, dict):
        raise InvalidArgument(f"model config {path}: expected a map under the key `models`")
    configs = {
        str(model): parse(keys or {}, f"{path}: models.{model}", path.absolute().parent)
        for model, keys in models.items()
    }
    _check_aliases(configs, f"{path}: models")
    return configs


def _check_aliases(configs: Mapping[str, ModelConfig], where: str) -> None:
    """A name means one model. Whether an alias is the id of a file is `index.check_aliases`'s."""
    owners: dict[str, str] = {}
    for model, config in configs.items():
        for alias in config.aliases:
            if alias in configs and alias != model:
                raise InvalidArgument(
                    f"{where}.{model}.aliases: {alias!r} is the id of another model of this file"
                )
            if alias in owners:
                raise InvalidArgument(
                    f"{where}.{model}.aliases: {alias!r} is an alias of {owners[alias]} already"
                )
            owners[alias] = model


def parse(keys: object, where: str, folder: Path = Path("/")) -> ModelConfig:
    """One model's map of keys; `where` leads each message, relative paths start at `folder`."""
    if not isinstance(keys, dict):
        raise InvalidArgument(f"{where}: expected a map of keys, got {type(keys).__name__}")
    values: dict[str, Any] = {}
    for key, value in keys.items():
        name = _name(str(key), where)
        if name in values:
            raise InvalidArgument(f"{where}.{key}: {name} is given twice")
        values[name] = _value(name, value, f"{where}.{key}")
    said = {name: value for name, value in values.items() if value is not None}
    config = _below(folder, ModelConfig(**said))
    _check(config, where)
    return config


def _name(key: str, where: str) -> str:
    name = key.replace("-", "_")
    name = ALIASES.get(name, name)
    if name in KEYS:
        return name
    if name in _NOT_OURS:
        raise InvalidArgument(f"{where}.{key}: {_NOT_OURS[name]}")
    close = difflib.get_close_matches(name, [*KEYS, *ALIASES], 1)
    hint = f"; did you mean {ALIASES.get(close[0], close[0])}?" if close else ""
    raise InvalidArgument(f"{where}.{key}: no such key{hint}")


def _value(name: str, value: object, where: str) -> Any:
    if value is None:
        return None
    try:
        read = KEYS[name].read(value)
    except ValueError as error:
        raise InvalidArgument(f"{where}: {error}, got {value!r}") from error
    return parse_sampling(read, where) if name == "sampling_parameters" else read


def _below(folder: Path, config: ModelConfig) -> ModelConfig:
    template, draft = config.chat_template_file, config.draft_model
    projector = config.projector
    return dataclasses.replace(
        config,
        chat_template_file=folder / template if template is not None else None,
        adapters=tuple(AdapterSpec(str(folder / a.path), a.scale) for a in config.adapters),
        projector=str(folder / Path(projector).expanduser())
        if projector is not None and projector != NO_PROJECTOR
        else projector,
        draft_model=str(folder / Path(draft).expanduser()) if draft and is_path(draft) else draft,
    )


def is_path(draft_model: str) -> bool:
    """Whether a `draft_model` is a file's path rather than a model's id, which may have slashes."""
    return draft_model.startswith(("/", "./", "../", "~"))


def _check(config: ModelConfig, where: str) -> None:
    """What each key may be by itself, but not together."""
    if config.n_ubatch > config.n_batch:
        raise InvalidArgument(
            f"{where}.n_ubatch: must not exceed n_batch ({config.n_batch}), got {config.n_ubatch}"
        )
    if config.cache_type_v in QUANTISED and config.flash_attention == "disabled":
        raise InvalidArgument(
            f"{where}.cache_type_v: {config.cache_type_v} needs flash_attention, which is disabled"
        )
    if config.system_prompt_cache and config.incremental_cache:
        raise InvalidArgument(
            f"{where}: system_prompt_cache and incremental_cache exclude each other"
            " (incremental_cache keeps the system prompt too)"
        )
    if config.chat_template_file is not None and config.chat_template is not None:
        raise InvalidArgument(f"{where}: chat_template and chat_template_file exclude each other")
    if config.preload and config.ttl == 0 and not config.pin:
        raise InvalidArgument(f"{where}.preload: with a ttl of 0 it would be unloaded at once")
    _check_speculation(config, where)


def _check_speculation(config: ModelConfig, where: str) -> None:
    if config.speculative == "draft" and config.draft_model is None:
        raise InvalidArgument(f"{where}.speculative: draft needs the key draft_model")
    if config.speculative == "ngram" and config.draft_model is not None:
        raise InvalidArgument(f"{where}.speculative: ngram uses no draft_model, but one is given")
    if config.draft_min > config.draft_max:
        raise InvalidArgument(
            f"{where}.draft_min: must not exceed draft_max ({config.draft_max}),"
            f" got {config.draft_min}"
        )


assert tuple(KEYS) == tuple(field.name for field in dataclasses.fields(ModelConfig)), (
    "KEYS and ModelConfig must list the same names in the same order"
)
