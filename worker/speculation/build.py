"""What a model's configuration asks for in the way of speculation, loaded."""

from __future__ import annotations

from pathlib import Path

import llama_cpp.llama_cpp as lib

from kronk.shared.errors import InvalidArgument, ModelFailed
from kronk.shared.wire.loading import LoadSpec
from kronk.worker import gguf_file
from kronk.worker.cache.memory import Memory, MemoryKind
from kronk.worker.context import Batch, Context, ContextShape
from kronk.worker.library import LlamaLog
from kronk.worker.model import Model

from .draft_model import ModelDrafter
from .drafter import Drafter, NgramDrafter

# Vocabularies of one family differ by a few unused tokens at their end; llama.cpp allows as many.
_MOST_EXTRA_TOKENS = 128


def build_drafter(
    spec: LoadSpec, model: Model, memory: MemoryKind, shape: ContextShape, log: LlamaLog
) -> Drafter | None:
    """None where tokens come one at a time.

    Raises `ModelFailed` where the configuration cannot be honoured: wrong guesses have to be taken
    back, and not every memory can do that.
    """
    asked = spec.speculation
    if asked.mode == "none":
        return None
    if memory.is_recurrent or (memory.window and not memory.swa_full):
        raise ModelFailed(
            f"speculative: {asked.mode} cannot work with this model: wrong guesses cannot be taken"
            " back from its memory ("
            + ("recurrent layers" if memory.is_recurrent else "sliding window; set swa_full")
            + ")",
            param="speculative",
        )
    if asked.mode == "ngram":
        return NgramDrafter(asked.ngram_size)
    assert asked.draft_path is not None, "resolved with the model's own path"
    return _load_draft(spec, Path(asked.draft_path), model, shape, log)


def _load_draft(
    spec: LoadSpec, path: Path, model: Model, shape: ContextShape, log: LlamaLog
) -> ModelDrafter:
    name = spec.speculation.draft_model or path.name
    try:
        gguf_file.check(path)
    except InvalidArgument as error:
        raise ModelFailed(f"draft model {name}: {error.message}", param="draft_model") from error
    draft = Model(
        path,
        placement=spec.placement,
        extra_buffers=spec.extra_buffers,
        log=log,
        on_progress=lambda _: None,
    )
    require_same_vocabulary(model, draft, name)
    kind = MemoryKind(draft.is_recurrent, draft.window, swa_full=True)
    if kind.is_recurrent:
        raise ModelFailed(
            f"draft model {name}: its memory is recurrent and cannot take back wrong guesses",
            param="draft_model",
        )
    context = Context(
        draft,
        ContextShape(
            n_ctx=shape.n_ctx,
            n_batch=shape.n_batch,
            n_ubatch=shape.n_ubatch,
            n_seq_max=shape.n_seq_max,
            n_threads=shape.n_threads,
            flash_attention=shape.flash_attention,
        ),
        log,
    )
    memory = Memory(context.handle, kind)
    return ModelDrafter(draft, context, memory, Batch(shape.n_ubatch), spec.speculation.draft_p_min)


def require_same_vocabulary(model: Model, draft: Model, name: str) -> None:
    """`ModelFailed` unless both models mean the same by every token."""
    if abs(model.n_vocab - draft.n_vocab) > _MOST_EXTRA_TOKENS:
        raise ModelFailed(
            f"draft model {name}: its vocabulary has {draft.n_vocab} tokens, the model's"
            f" {model.n_vocab}; a draft model needs the same vocabulary",
            param="draft_model",
        )
    for token in range(min(model.n_vocab, draft.n_vocab)):
        mine, other = (lib.llama_vocab_get_text(one.vocab, token) for one in (model, draft))
        if mine != other:
            raise ModelFailed(
                f"draft model {name}: token {token} is {other!r} there and {mine!r} in the model;"
                " a draft model needs the same vocabulary",
                param="draft_model",
            )
