"""All that can be said of one model without loading it: `kronk model show`."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

from kronk.shared import gguf
from kronk.shared.errors import KronkError
from kronk.shared.model_config import ModelConfig
from kronk.shared.paths import BasePath
from kronk.shared.wire.values import Sampling

from . import index
from .headers import Headers, headers_of
from .resolve import resolve

# Of the architecture's own keys: what to call it, and its name after the architecture.
_SHAPE = {
    "context_length": "context_length",
    "layers": "block_count",
    "width": "embedding_length",
    "heads": "attention.head_count",
    "kv_heads": "attention.head_count_kv",
    "sliding_window": "attention.sliding_window",
    "experts": "expert_count",
    "rope_freq_base": "rope.freq_base",
    "rope_scaling": "rope.scaling.type",
}


def describe(base: BasePath, configs: Mapping[str, ModelConfig], name: str) -> dict[str, Any]:
    """JSON: the file's facts, the configuration key by key, the files a load would use, and the
    problem when it cannot be loaded. `NotFound` for a name that means no model."""
    entry = index.locate(index.scan(base.models, configs), name)
    return {
        "id": entry.id,
        "path": str(entry.path),
        "size_bytes": entry.size_bytes,
        "modified": int(entry.modified),
        "file": _facts(entry.path, headers_of(base)) if entry.validated else None,
        "configuration": key_values(index.config_of(entry, configs)),
        **_load(base, configs, entry.id),
    }


def key_values(config: ModelConfig) -> dict[str, Any]:
    """Each key with its value, as JSON."""
    return {key: _plain(value) for key, value in _shallow(config).items()}


def _load(base: BasePath, configs: Mapping[str, ModelConfig], model: str) -> dict[str, Any]:
    try:
        spec = resolve(base, configs, model)
    except KronkError as error:
        return {"uses": None, "problem": error.message}
    uses = {
        "draft_model": spec.speculation.draft_path,
        "chat_template": spec.template.path,
        "projector": spec.projector,
        "cache_folder": spec.cache.directory,
    }
    return {"uses": uses, "problem": None}


def _facts(path: Path, headers: Headers) -> dict[str, Any] | None:
    try:
        header = headers.read(path)
    except KronkError:
        # It was whole when the folder was read.
        return None
    known = header.metadata
    architecture = known.get("general.architecture")
    kinds: Counter[str] = Counter()
    for tensor in header.tensors:
        kinds[tensor.kind] += prod(tensor.shape)
    tokens = known.get("tokenizer.ggml.tokens")
    shape = {name: known.get(f"{architecture}.{key}") for name, key in _SHAPE.items()}
    return {
        "architecture": architecture,
        "name": known.get("general.name"),
        # A split model's first file has some of the weights.
        "parameters": None if "split.count" in known else kinds.total(),
        "weights": dict(kinds.most_common()),
        "vocabulary": tokens.count if isinstance(tokens, gguf.Counted) else None,
        **{name: value for name, value in shape.items() if isinstance(value, (int, float, str))},
        "chat_template": "tokenizer.chat_template" in known,
    }


def _shallow(value: Any) -> dict[str, Any]:
    return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}


def _plain(value: Any) -> Any:
    match value:
        case Path():
            return str(value)
        case Sampling():
            return {key: item for key, item in _shallow(value).items() if item is not None}
        case float() if math.isinf(value):
            # JSON has no infinity.
            return "forever"
        case tuple():
            return [_plain(item) for item in value]
        case _ if dataclasses.is_dataclass(value):
            return _shallow(value)
        case _:
            return value
