"""All that can be said of one model without loading it: `kronk model show`."""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kronk.shared import gguf
from kronk.shared.errors import KronkError
from kronk.shared.gguf import Header
from kronk.shared.model_config import ModelConfig
from kronk.shared.paths import BasePath
from kronk.shared.settings import Settings
from kronk.shared.sizing.ask import estimate_for
from kronk.shared.wire.loading import LoadSpec
from kronk.shared.wire.values import Sampling

from . import facts, index, traits
from .chat_template import origin_of, template_of
from .facts import Rows
from .headers import Headers, headers_of
from .index import ModelEntry
from .listing import listing, state_of
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
    """JSON: the file's facts, what the model can be asked for, the configuration key by key with
    the origin of each value, the files a load would use, and the problem when it cannot be loaded.
    `NotFound` for a name that means no model."""
    entry = index.locate(listing(base, configs), name)
    spec, problem = _resolved(base, configs, entry.id)
    settings = index.effective_of(entry, configs)
    headers = _headers(entry.path, headers_of(base)) if entry.validated else []
    return {
        "id": entry.id,
        "path": str(entry.path),
        "size_bytes": entry.size_bytes,
        "modified": int(entry.modified),
        "aliases": list(entry.aliases),
        "file": _facts(headers) if headers else None,
        "capabilities": _capabilities(base, headers[0], spec) if headers and spec else None,
        "integrity": _integrity(entry, facts.load(base.models)),
        "configuration": key_values(settings.config),
        "origins": dict(settings.origins),
        "uses": _uses(spec, headers[0] if headers else None) if spec is not None else None,
        "problem": problem,
    }


def describe_with_memory(
    settings: Settings, configs: Mapping[str, ModelConfig], name: str
) -> dict[str, Any]:
    """`describe`, and how much memory it is expected to take with its own settings and took the
    last time: null where that cannot be told."""
    found = describe(settings.base, configs, name)
    memory = None
    if found["problem"] is None:
        with contextlib.suppress(KronkError):
            memory = estimate_for(settings, configs, found["id"])
    return found | {"memory": memory}


def key_values(config: ModelConfig) -> dict[str, Any]:
    """Each key with its value, as JSON."""
    return {key: _plain(value) for key, value in _shallow(config).items()}


def _resolved(
    base: BasePath, configs: Mapping[str, ModelConfig], model: str
) -> tuple[LoadSpec | None, str | None]:
    """What a load would be told, or why there cannot be one."""
    try:
        return resolve(base, configs, model), None
    except KronkError as error:
        return None, error.message


def _headers(path: Path, headers: Headers) -> list[Header]:
    """Of all files of the model; none where one cannot be read any more."""
    try:
        first = headers.read(path)
        return [first, *(headers.read(other) for other in gguf.other_shards(path, first))]
    except KronkError:
        # It was whole when the folder was read.
        return []


def _uses(spec: LoadSpec, header: Header | None) -> dict[str, Any]:
    """Files beside the model's own, and which template."""
    return {
        "draft_model": spec.speculation.draft_path,
        "chat_template": origin_of(header, spec.template) if header is not None else None,
        "projector": spec.projector,
        "adapters": [adapter.path for adapter in spec.adapters] or None,
        "cache_folder": spec.cache.directory,
    }


def _capabilities(base: BasePath, header: Header, spec: LoadSpec) -> list[str]:
    projector = None
    if spec.projector is not None:
        with contextlib.suppress(KronkError):
            projector = headers_of(base).read(Path(spec.projector))
    return traits.capabilities(header, template_of(header, spec.template), projector)


def _integrity(entry: ModelEntry, rows: Rows) -> dict[str, Any] | None:
    """What is known of the files: of several, of the first that the worst is known of."""
    alike = [file for file in entry.files if state_of(file, rows) == entry.integrity]
    known = rows.get(alike[0].name) if alike else None
    if known is None:
        return None
    return {
        "state": entry.integrity,
        "note": entry.note,
        "sha256": known.sha256,
        "verified": known.verified,
        "source": known.source or None,
        "licence": known.licence,
        "revision": known.revision,
    }


def _facts(headers: Sequence[Header]) -> dict[str, Any]:
    first = headers[0]
    known = first.metadata
    architecture = known.get("general.architecture")
    kinds = traits.weights(headers)
    tokens = known.get("tokenizer.ggml.tokens")
    shape = {name: known.get(f"{architecture}.{key}") for name, key in _SHAPE.items()}
    return {
        "architecture": architecture,
        **traits.about(first),
        "parameters": kinds.total(),
        "parameter_size": traits.parameter_size(kinds.total()),
        "quantization": traits.quantization(first, kinds),
        "files": len(headers),
        "tensor_types": traits.tensor_types(headers),
        **{name: value for name, value in shape.items() if isinstance(value, (int, float, str))},
        "tokenizer": known.get("tokenizer.ggml.model"),
        "vocabulary": tokens.count if isinstance(tokens, gguf.Counted) else None,
        "special_tokens": traits.special(first),
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
