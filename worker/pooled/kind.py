"""What a model makes of a whole text: read from the GGUF's header. Pure."""

from __future__ import annotations

from kronk.shared.abilities import UNSUPPORTED, Pooling, has_classifier, pooling
from kronk.shared.errors import InvalidArgument, ModelFailed
from kronk.shared.gguf import Header


def pooling_of(header: Header) -> Pooling | None:
    """How this model pools; None for one that generates text.

    `InvalidArgument` for what neither generates nor pools; `ModelFailed` for a classifier without
    its head, which llama.cpp would load all the same.
    """
    architecture = header.metadata.get("general.architecture")
    if architecture in UNSUPPORTED:
        raise InvalidArgument(
            f"models of the architecture {architecture} are not supported by this version of Kronk",
            param="model",
        )
    found = pooling(header)
    if found is Pooling.RANK and not has_classifier(header):
        raise ModelFailed(
            "the GGUF asks for rank pooling and has no classifier (cls tensors)", param="model"
        )
    return found


def trained_positions(header: Header) -> int | None:
    """The rows of the table of positions, past which llama.cpp aborts; None without a table."""
    table = (t.shape[-1] for t in header.tensors if t.name == "position_embd.weight")
    return next(table, None)
