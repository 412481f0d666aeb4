"""The context a generating model gets: from what is configured to what llama.cpp is asked for.
Pure."""

from __future__ import annotations

from dataclasses import dataclass

from kronk.shared.errors import ModelFailed
from kronk.shared.sizing.shape import DEFAULT_SLOTS, default_threads, guessed, rows
from kronk.shared.wire.loading import LoadSpec

from .context import ContextShape
from .rope import Rotation

# llama.cpp counts cells in 32 bits and does not notice when they wrap.
MOST_CELLS = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Shaped:
    """The shape, and what of the configuration it does not follow."""

    shape: ContextShape
    notes: tuple[str, ...]


def shape_context(spec: LoadSpec, rotation: Rotation, cores: int) -> Shaped:
    """A window for each slot; `cores` are those this process may use."""
    asked, window = spec.context, rotation.window
    slots = asked.slots or DEFAULT_SLOTS
    if window * slots > MOST_CELLS:
        raise ModelFailed(
            f"context_window {window} for each of {slots} slots (n_seq_max) is more than llama.cpp"
            f" can count: {MOST_CELLS} tokens in all",
            param="model",
        )
    n_batch, n_ubatch, outputs = rows(asked, window, slots, guessed(spec))
    n_threads = asked.n_threads or default_threads(cores)
    shape = ContextShape(
        n_ctx=window * slots,
        n_batch=n_batch,
        n_ubatch=n_ubatch,
        n_seq_max=slots,
        n_threads=n_threads,
        n_threads_batch=asked.n_threads_batch,
        n_outputs_max=outputs,
        cache_type_k=asked.cache_type_k,
        cache_type_v=asked.cache_type_v,
        flash_attention=asked.flash_attention or "enabled",
        swa_full=asked.swa_full,
        offload_kqv=asked.offload_kqv,
        op_offload=asked.op_offload,
        rope=rotation.spec,
    )
    notes = []
    if asked.n_ubatch < slots:
        notes.append(f"n_ubatch is {n_ubatch}, a row for each slot, instead of {asked.n_ubatch}")
    most = max(n_threads, asked.n_threads_batch or 0)
    if most > cores:
        notes.append(f"{most} threads share {cores} cores, which makes every token slower")
    return Shaped(shape, tuple(notes))
