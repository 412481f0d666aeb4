"""What mtmd's own helper functions make of a prompt with files: a second opinion on ours."""

from __future__ import annotations

import ctypes

import llama_cpp.llama_cpp as lib
import llama_cpp.mtmd_cpp as mtmd
import numpy as np

from kronk.shared.wire.values import Prompt
from kronk.worker.loader import Loaded
from kronk.worker.rendering import render_chat

_MARKER = "<__media__>"


def answer(loaded: Loaded, prompt: Prompt, most: int) -> list[int]:
    """The greedy answer's tokens, computed in a context that has seen nothing else."""
    assert loaded.projector is not None
    chat = render_chat(loaded.template, loaded.model, loaded.family, prompt, ())
    text = chat.markers.named(chat.text).encode()
    order = [part for part in chat.markers.split(chat.text) if isinstance(part, int)]
    projector = loaded.projector._encoder.handle
    bitmaps = [_bitmap(projector, prompt.media[number].data) for number in order]
    chunks = mtmd.mtmd_input_chunks_init()
    whole = mtmd.mtmd_input_text(text, len(text), True, True)
    row = (mtmd.mtmd_bitmap_p_ctypes * len(bitmaps))(*bitmaps)
    assert mtmd.mtmd_tokenize(projector, chunks, ctypes.byref(whole), row, len(bitmaps)) == 0
    params = lib.llama_context_default_params()
    params.n_ctx, params.n_threads, params.n_threads_batch = 1024, 1, 1
    context = lib.llama_init_from_model(loaded.model.handle, params)
    past = lib.llama_pos(0)
    read = mtmd.mtmd_helper_eval_chunks(
        projector, context, chunks, 0, 0, 512, True, ctypes.byref(past)
    )
    assert read == 0
    tokens = _generate(context, loaded, most)
    lib.llama_free(context)
    mtmd.mtmd_input_chunks_free(chunks)
    for bitmap in bitmaps:
        mtmd.mtmd_bitmap_free(bitmap)
    return tokens


def _bitmap(projector: int, data: bytes) -> int:
    buffer = (ctypes.c_uint8 * len(data)).from_buffer_copy(data)
    bitmap = mtmd.mtmd_helper_bitmap_init_from_buf(projector, buffer, len(data), False)
    assert bitmap
    return int(bitmap)


def _generate(context: int, loaded: Loaded, most: int) -> list[int]:
    tokens: list[int] = []
    while len(tokens) < most:
        logits = lib.llama_get_logits_ith(context, -1)
        token = int(np.ctypeslib.as_array(logits, (loaded.model.n_vocab,)).argmax())
        if token in loaded.model.ends:
            break
        tokens.append(token)
        row = (lib.llama_token * 1)(token)
        assert lib.llama_decode(context, lib.llama_batch_get_one(row, 1)) == 0
    return tokens
