"""What was really fitted, gathered once a model is loaded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kronk.shared.wire.loading import Fitted, FittedRope, LoadSpec

from . import adapters
from .context import ContextShape
from .library import Measured
from .model import Model


@dataclass(frozen=True, slots=True)
class Serving:
    """What the parts above the context decided."""

    # Tokens of one request.
    n_ctx: int
    slots: int
    queue: int
    # "model", "file", "chatml"; "none" where nobody chats.
    template: str
    tool_parser: str | None = None


def fitted(
    spec: LoadSpec,
    model: Model,
    shape: ContextShape,
    measured: Measured,
    serving: Serving,
    rope: FittedRope | None = None,
    notes: tuple[str, ...] = (),
) -> Fitted:
    """`measured` is llama.cpp's log from the load of the weights to that of the context."""
    speculation = spec.speculation
    return Fitted(
        n_ctx=serving.n_ctx,
        slots=serving.slots,
        queue=serving.queue,
        n_threads=shape.n_threads,
        parameters=model.parameters,
        weights_bytes=model.weights_bytes,
        architecture=model.architecture,
        template=serving.template,
        template_name=spec.template.name or _file_name(spec.template.path),
        tool_parser=serving.tool_parser,
        n_ctx_train=model.n_ctx_train,
        n_batch=shape.n_batch,
        n_ubatch=shape.n_ubatch,
        n_threads_batch=shape.n_threads_batch or shape.n_threads,
        cache_type_k=shape.cache_type_k,
        cache_type_v=shape.cache_type_v,
        flash_attention=measured.flash_attention,
        swa_full=shape.swa_full,
        gpu_layers=measured.gpu_layers,
        layers=model.layers,
        kv_bytes=measured.memory,
        compute_bytes=sum(measured.scratch.values()),
        rope=rope,
        adapters=adapters.names(spec.adapters),
        cache=spec.cache.mode,
        speculation=speculation.mode,
        draft_model=speculation.draft_model,
        notes=(*model.notes, *notes, *_notes(shape, measured)),
    )


def _file_name(path: str | None) -> str | None:
    return Path(path).name if path is not None else None


def _notes(shape: ContextShape, measured: Measured) -> Iterator[str]:
    if shape.flash_attention == "enabled" and not measured.flash_attention:
        yield "flash_attention is off: this model or device has none"
    if measured.is_unlocked:
        yield "use_mlock: the system let only part of the weights be locked (see `ulimit -l`)"
