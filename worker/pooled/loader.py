"""From a resolved configuration to a pooled engine that has decoded once."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import structlog

from kronk.shared.errors import InvalidArgument, ModelFailed
from kronk.shared.gguf import Header
from kronk.shared.wire.to_supervisor import LoadProgress
from kronk.shared.wire.values import (
    CacheSpec,
    ContextSpec,
    Fitted,
    LoadSpec,
    SpeculationSpec,
    TemplateSpec,
)
from kronk.worker import adapters, library
from kronk.worker.context import ContextShape, DecodeResult
from kronk.worker.engine.crowding import Crowding
from kronk.worker.library import LlamaLog
from kronk.worker.model import Model
from kronk.worker.report import Serving
from kronk.worker.report import fitted as fit

from .context import PooledBatch, PooledContext
from .engine import PooledEngine
from .kind import Pooling, trained_positions
from .plan import Limits
from .score import Relevance, relevance_of
from .vocabulary import Vocabulary

log = structlog.get_logger()

# Texts of one decode where the configuration does not say: short ones fill a decode by then.
DEFAULT_TEXTS = 32
# The manual's default (3.1) for all models.
DEFAULT_CONTEXT = 8192
# llama.cpp's limit on sequences, less the one of an unfinished text.
_MOST_TEXTS = 255
# The share of the machine's memory that the outputs of the longest text may take by default.
_MEMORY_SHARE = 4
# Shorter texts than this make no use of a model.
_LEAST_CONTEXT = 256
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
    asked = spec.context
    limits = _limits(asked, pooling, header, model)
    longest = _longest(asked.window, limits, model, trained_positions(header))
    shape = _shape(asked, pooling, limits, longest, n_threads)
    context = PooledContext(model, shape, log_lines)
    adapters.apply(model, context, spec.adapters, log_lines)
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
    # Nothing is generated, so nothing is kept or guessed and nobody chats.
    kept = replace(spec, cache=_NO_CACHE, speculation=SpeculationSpec(), template=TemplateSpec())
    serving = Serving(longest, limits.texts, queue, "none")
    fitted = fit(kept, model, shape, log_lines.measured, serving)
    relevance = relevance_of(model.architecture) if pooling is Pooling.RANK else None
    return PooledLoaded(
        Vocabulary(model), engine, pooling, context.width, relevance, longest, fitted
    )


def _limits(asked: ContextSpec, pooling: Pooling, header: Header, model: Model) -> Limits:
    is_causal = header.metadata.get(f"{model.architecture}.attention.causal", True)
    # Pooling that takes the last token's output needs no other part of the text beside it.
    cut = bool(is_causal) and pooling in (Pooling.LAST, Pooling.RANK) and not model.is_recurrent
    return Limits(
        tokens=asked.n_ubatch, texts=min(asked.slots or DEFAULT_TEXTS, _MOST_TEXTS), cut=cut
    )


def _longest(wanted: int | None, limits: Limits, model: Model, positions: int | None) -> int:
    if wanted is None:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        return default_longest(model.n_ctx_train, model.n_vocab, memory, cut=limits.cut)
    if positions is not None and wanted > positions:
        raise InvalidArgument(
            f"context_window: this model has {positions} positions, got {wanted}", param="model"
        )
    return wanted


def default_longest(trained: int, n_vocab: int, memory: int, *, cut: bool) -> int:
    """Tokens of the longest text: what the model was trained for, 8192 at most.

    Where texts are decoded whole, fewer if need be: llama.cpp sets a row of logits aside for each
    token of a decode, used or not, and all of them may take a quarter of `memory` in bytes.
    """
    longest = min(trained or DEFAULT_CONTEXT, DEFAULT_CONTEXT)
    if cut:
        return longest
    affordable = memory // _MEMORY_SHARE // (4 * n_vocab)
    return min(longest, max(_LEAST_CONTEXT, affordable))


def _shape(
    asked: ContextSpec, pooling: Pooling, limits: Limits, longest: int, n_threads: int
) -> ContextShape:
    sequences = limits.texts + 1
    rows = limits.tokens if limits.cut else max(limits.tokens, longest)
    # llama.cpp plans with as many rows for each sequence, and aborts over those it has to add.
    rows = -(-rows // sequences) * sequences
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
        flash_attention=asked.flash_attention,
        swa_full=asked.swa_full,
        offload_kqv=asked.offload_kqv,
        op_offload=asked.op_offload,
        rope=asked.rope,
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
