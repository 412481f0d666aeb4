"""An estimate as JSON: what the API answers and `kronk model vram --json` prints. Pure."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from .estimate import Estimate
from .promise import Bytes
from .shape import Shape
from .subject import Subject


def to_json(subject: Subject, found: Estimate, measured: Bytes | None) -> dict[str, Any]:
    """Sizes in bytes, each by device and in all. `measured` is what exactly this load took the
    last time, if it ever ran here."""
    model, need = found.files.model, found.promise
    return {
        "object": "estimate",
        "model": subject.id,
        "origin": subject.origin,
        "fetched_bytes": subject.fetched_bytes,
        "architecture": model.architecture,
        "parameters": model.parameters,
        "file_bytes": model.file_bytes,
        "trained_context": model.trained or None,
        "layers": {
            "count": len(model.layers),
            "on_gpus": found.gpu_layers,
            "kinds": dict(found.layer_kinds),
        },
        "experts": asdict(found.experts) if found.experts is not None else None,
        "settings": _settings(found, found.prediction.shape),
        "parts": [
            {
                "part": part.part,
                "kind": part.kind,
                "devices": dict(part.devices),
                "bytes": part.total_bytes,
            }
            for part in found.parts
        ],
        "predicted": _sizes(found.total),
        "measured": _sizes(measured) if measured is not None else None,
        "set_aside": {
            **_sizes(need.bytes),
            "prefix_cache_bytes": need.cache_bytes,
            "kept_media_bytes": found.prediction.clip_bytes,
        },
        "machine": {
            "imagined": found.ground.imagined,
            "devices": [asdict(room) for room in found.ground.rooms],
        },
        "verdict": found.verdict,
        "largest_context": found.largest_window,
        "most_slots": found.most_slots,
        "grid": [asdict(cell) for cell in found.grid],
        "advice": list(found.advice),
    }


def _settings(found: Estimate, shape: Shape) -> dict[str, Any]:
    """What is in force, with what was derived of it."""
    asked = found.spec.context
    return {
        "context_window": shape.window,
        "n_seq_max": shape.slots,
        "n_batch": shape.n_batch,
        "n_ubatch": shape.n_ubatch,
        "cache_type_k": asked.cache_type_k,
        "cache_type_v": asked.cache_type_v,
        "flash_attention": shape.flash_attention,
        "swa_full": asked.swa_full,
        "n_cpu_moe": found.spec.placement.n_cpu_moe,
        "speculative": found.spec.speculation.mode,
    }


def _sizes(devices: Bytes) -> dict[str, Any]:
    return {"devices": dict(devices), "bytes": sum(devices.values())}
