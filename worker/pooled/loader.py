"""From a resolved configuration to a pooled engine that has decoded once."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import structlog

from kronk.shared.abilities import Pooling
from kronk.shared.errors import ModelFailed
from kronk.shared.gguf import Header
from kronk.shared.sizing.shape import (
    DEFAULT_TEXTS,
    MOST_TEXTS,
    default_longest,
    pooled_flash_attention,
    pooled_rows,
    pooled_tokens,
)
from kronk.shared.wire.loading import (
    CacheSpec,
    ContextSpec,
    Fitted,
    LoadSpec,
    RopeSpec,
    SpeculationSpec,
    TemplateSpec,
)
from kronk.shared.wire.to_supervisor import LoadProgress
from kronk.worker import adapters, library, rope
from kronk.worker.context import ContextShape, DecodeResult
from kronk.worker.engine.crowding import Crowding
from kronk.worker.library import LlamaLog, Measured
from kronk.worker.model import Model
from kronk.worker.report import Serving
from kronk.worker.report import fitted as fit

from .context import PooledBatch, PooledContext
from .engine import PooledEngine
from .kind import trained_positions
from .plan import Limits
from .score import Relevance, relevance_of
from .vocabulary import Vocabulary

log = structlog.get_logger()

# Enough rows to reach the matrix kernels that a miscompiled build dies in.
_CANARY_ROWS = 32
# A token that fits every vocabulary; what it means does not matter.
_CANARY_TOKEN = 1
_NO_CACHE = CacheSpec(mode="off")


@dataclass(frozen=True, slots=True)
class PooledLoaded:
    """A model of embeddings or scores that is ready to serve."""

    vocabulary: Vocabulary
    engine: PooledEngine
    pooling: Pooling
    # Numbers in one embedding.
    width: int
    # How its outputs become a score; None where they are embeddings.
    relevance: Relevance | None
    # Tokens of one text, at most.
    longest: int
    fitted: Fitted


def load(
    spec: LoadSpec,
    pooling: Pooling,
    header: Header,
    model: Model,
    *,
    n_threads: int,
    log_lines: LlamaLog,
    report: Callable[[LoadProgress], None],
    emit: Callable[[list[Any]], None],
) -> PooledLoaded:
    """The rest of a load, once the weights are there; what follows runs the engine."""
    report(LoadProgress("context", 0.0))
    asked, trained = spec.context, model.trained(trained_positions(header))
    rotation = rope.derive(asked.rope, asked.window, trained)
    limits = _limits(asked, pooling, header, model, n_threads)
    longest, notes = _longest(asked, rotation.window, limits, model.n_vocab)
    shape = _shape(asked, rotation.spec, pooling, limits, longest, n_threads)
    context = PooledContext(model, shape, log_lines)
    adapters.apply(model, context, spec.adapters, log_lines)
    measured, log_lines.measured = log_lines.measured, Measured()
    report(LoadProgress("first_decode", 0.0))
    _first_decode(context, min(_CANARY_ROWS, longest))
    queue = spec.queue_depth * limits.texts
    engine = PooledEngine(
        context,
        limits,
        rows=shape.n_batch,
        queue=queue,
        crowding=None if library.has_gpu() else Crowding(n_threads),
        emit=emit,
    )
    serving = Serving(longest, limits.texts, queue, template="none")
    notes = (*rotation.notes, *notes)
    # Nothing is generated, so nothing is kept or guessed and nobody chats.
    kept = replace(spec, cache=_NO_CACHE, speculation=SpeculationSpec(), template=TemplateSpec())
    fitted = fit(kept, model, shape, measured, serving, rotation.fitted, notes)
    for note in fitted.notes:
        log.warning("not as configured", model=spec.model, reason=note)
    relevance = relevance_of(model.architecture) if pooling is Pooling.RANK else None
    return PooledLoaded(
        Vocabulary(model), engine, pooling, context.width, relevance, longest, fitted
    )


def _limits(
    asked: ContextSpec, pooling: Pooling, header: Header, model: Model, n_threads: int
) -> Limits:
    is_causal = header.metadata.get(f"{model.architecture}.attention.causal", True)
    # Pooling that takes the last token's output needs no other part of the text beside it.
    cut = bool(is_causal) and pooling in (Pooling.LAST, Pooling.RANK) and not model.is_recurrent
    tokens = pooled_tokens(asked, _flash_attention(asked), n_threads)
    return Limits(tokens=tokens, texts=min(asked.slots or DEFAULT_TEXTS, MOST_TEXTS), cut=cut)


def _flash_attention(asked: ContextSpec) -> str:
    return pooled_flash_attention(asked, has_gpu=library.has_gpu())


def _longest(
    asked: ContextSpec, window: int, limits: Limits, n_vocab: int
) -> tuple[int, tuple[str, ...]]:
    """Tokens of one text, and what is to be said about that."""
    if asked.window is not None or limits.cut:
        return window, ()
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    longest = default_longest(window, n_vocab, memory)
    if longest == window:
        return window, ()
    return longest, (
        f"texts of up to {longest} tokens instead of {window}: llama.cpp sets {4 * n_vocab} bytes"
        " aside for each; set context_window if there is memory for more",
    )


def _shape(
    asked: ContextSpec,
    rotation: RopeSpec,
    pooling: Pooling,
    limits: Limits,
    longest: int,
    n_threads: int,
) -> ContextShape:
    sequences = limits.texts + 1
    rows = pooled_rows(limits.tokens, longest, sequences, cut=limits.cut)
    return ContextShape(
        # One unfinished text, and a decode of others.
        n_ctx=longest + rows if limits.cut else rows,
        n_batch=rows,
        n_ubatch=rows,
        n_seq_max=sequences,
        n_threads=n_threads,
        n_threads_batch=asked.n_threads_batch,
        # Every row of a pooled decode is an output.
        n_outputs_max=rows,
        cache_type_k=asked.cache_type_k,
        cache_type_v=asked.cache_type_v,
        flash_attention=_flash_attention(asked),
        swa_full=asked.swa_full,
        offload_kqv=asked.offload_kqv,
        op_offload=asked.op_offload,
        rope=rotation,
        pooling=pooling.value,
    )


def _first_decode(context: PooledContext, rows: int) -> None:
    """Decode a few rows and forget them: a build that does not fit this CPU dies here."""
    batch = PooledBatch(rows)
    for count in (rows, 1):
        batch.clear()
        batch.add(0, 0, [_CANARY_TOKEN] * count)
        result = context.decode(batch)
        if result is not DecodeResult.OK:
            raise ModelFailed(f"the first decode of {count} tokens failed: {result.name}")
        context.pooled([0])
        context.forget(0)
