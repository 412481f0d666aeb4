"""Ollama's lists and descriptions of models. Pure."""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields
from typing import Any

from kronk.shared.gguf import Header
from kronk.shared.models.index import ModelEntry
from kronk.shared.wire.loading import Fitted
from kronk.shared.wire.status import ModelStatus
from kronk.shared.wire.values import Sampling

from .details import Details, capabilities, model_info
from .figures import rfc3339

# What Ollama's API could do when it was this version, so can this one; clients ask for it.
VERSION = "0.13.0"
_SECOND = 10**9
# Where Ollama's clients print "Forever".
_FOREVER = 300 * 365 * 86400 * _SECOND


def tag(entry: ModelEntry, details: Details) -> dict[str, Any]:
    """A model in /api/tags."""
    return {
        "name": entry.id,
        "model": entry.id,
        "modified_at": rfc3339(entry.modified * _SECOND),
        "size": entry.size_bytes,
        "digest": digest(entry),
        "details": details.json(),
    }


def digest(entry: ModelEntry) -> str:
    """What tells one state of a model from another: of its name, size and time, not its bytes,
    which would take minutes to read."""
    text = f"{entry.id}\n{entry.size_bytes}\n{entry.modified}"
    return hashlib.sha256(text.encode()).hexdigest()


def running(entry: ModelEntry, details: Details, row: ModelStatus, now: int) -> dict[str, Any]:
    """A loaded model in /api/ps; `now` is Unix time in nanoseconds."""
    assert row.fitted is not None
    size = row.fitted.weights_bytes + row.fitted.kv_bytes + row.fitted.compute_bytes
    left = _FOREVER if row.ttl is None else round(_left(row) * _SECOND)
    return {
        "name": entry.id,
        "model": entry.id,
        "size": size,
        "digest": digest(entry),
        "details": details.json(),
        "expires_at": rfc3339(now + left),
        "size_vram": _on_gpu(row.fitted, size),
        "context_length": row.fitted.n_ctx,
    }


def _left(row: ModelStatus) -> float:
    """Seconds until it expires if nobody asks for it any more; one that is used starts anew."""
    assert row.ttl is not None
    return row.ttl if row.expires_in is None else row.expires_in


def _on_gpu(fitted: Fitted, size: int) -> int:
    layers = max(fitted.layers, 1)
    return size * min(fitted.gpu_layers, layers) // layers


def shown(
    entry: ModelEntry,
    header: Header,
    details: Details,
    template: str | None,
    projector: Header | None,
    sampling: Sampling,
) -> dict[str, Any]:
    """/api/show."""
    parameters = _parameters(sampling)
    license_name = header.metadata.get("general.license")
    answer: dict[str, Any] = {
        "modelfile": "\n".join([f"FROM {entry.path}", *[f"PARAMETER {row}" for row in parameters]]),
        "parameters": "\n".join(parameters),
        "template": template or "",
        "details": details.json(),
        "model_info": model_info(header, details.parameters),
        "capabilities": capabilities(header, template, projector),
        "modified_at": rfc3339(entry.modified * _SECOND),
    }
    if isinstance(license_name, str):
        answer["license"] = license_name
    if projector is not None:
        answer["projector_info"] = model_info(projector, 0)
    return answer


def _parameters(sampling: Sampling) -> list[str]:
    """What the model's configuration says, one `name value` each."""
    said = {field.name: getattr(sampling, field.name) for field in fields(sampling)}
    return [f"{name} {json.dumps(value)}" for name, value in said.items() if value is not None]
