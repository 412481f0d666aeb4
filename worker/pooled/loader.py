"""From a resolved configuration to a pooled engine that has decoded once."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import structlog

from kronk.shared.errors import ModelFailed
from kronk.shared.gguf import Header
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
from .kind import Pooling, trained_positions
from .plan import Limits
from .score import Relevance, relevance_of
from .vocabulary import Vocabulary

log = structlog.get_logger()

# Texts of one decode where the configuration does not say: short ones fill a decode by then.
DEFAULT_TEXTS = 32
# Rows of a decode without flash attention: enough for a processor to be busy with.
_ROWS_PER_THREAD = 64
_UNQUANTISED = ("f32", "f16", "bf16")
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
    tokens = asked.n_ubatch
    if _flash_attention(asked) == "disabled":
        # Every row then looks at all rows of the decode, also those of other texts.
        tokens = min(tokens, _ROWS_PER_THREAD * n_threads)
    return Limits(tokens=tokens, texts=min(asked.slots or DEFAULT_TEXTS, _MOST_TEXTS), cut=cut)


def _flash_attention(asked: ContextSpec) -> str:
    """On a processor off unless asked for: it rounds keys and values to half precision, which moves
    embeddings by more than all else that llama.cpp does (a cosine of 0.9997 instead of 0.9999)."""
    if asked.flash_attention is not None:
        return asked.flash_attention
    if library.has_gpu():
        return "auto"
    # Quantised values cannot be read without it.
    return "disabled" if asked.cache_type_v in _UNQUANTISED else "enabled"


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


def default_longest(window: int, n_vocab: int, memory: int) -> int:
    """Tokens of the longest text that is decoded whole: what the model takes, or fewer.

    llama.cpp sets a row of logits aside for each token of a decode, used or not, and all of them
    may take a quarter of `memory` in bytes.
    """
    return min(window, max(_LEAST_CONTEXT, memory // _MEMORY_SHARE // (4 * n_vocab)))


def _shape(
    asked: ContextSpec,
    rotation: RopeSpec,
    pooling: Pooling,
    limits: Limits,
    longest: int,
    n_threads: int,
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
