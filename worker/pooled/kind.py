"""What a model makes of a whole text: read from the GGUF's header. Pure."""

from __future__ import annotations

import enum

from kronk.shared.errors import InvalidArgument, ModelFailed
from kronk.shared.gguf import Header

# Their text is made by denoising: not causal, and still not models of embeddings.
_DIFFUSION = frozenset({"dream", "llada", "llada-moe", "rnd1"})
# An encoder before a decoder: llama.cpp runs them in two calls, which nothing here does.
_ENCODER_DECODER = frozenset({"t5", "t5encoder"})
_HEADS = frozenset({"cls.weight", "cls.output.weight"})


class Pooling(enum.Enum):
    """How the outputs of all tokens become one: llama.cpp's `llama_pooling_type`."""

    MEAN = 1
    CLS = 2
    LAST = 3
    # The last or first token through a classifier: scores instead of an embedding.
    RANK = 4


def pooling_of(header: Header) -> Pooling | None:
    """How this model pools; None for one that generates text.

    `InvalidArgument` for what neither generates nor pools; `ModelFailed` for a classifier without
    its head, which llama.cpp would load all the same.
    """
    architecture = header.metadata.get("general.architecture")
    if architecture in _DIFFUSION | _ENCODER_DECODER:
        raise InvalidArgument(
            f"models of the architecture {architecture} are not supported by this version of Kronk",
            param="model",
        )
    has_head = any(tensor.name in _HEADS for tensor in header.tensors)
    said = header.metadata.get(f"{architecture}.pooling_type")
    if said in (1, 2, 3, 4):
        pooling = Pooling(said)
        if pooling is Pooling.RANK and not has_head:
            raise ModelFailed(
                "the GGUF asks for rank pooling and has no classifier (cls tensors)", param="model"
            )
        return pooling
    if header.metadata.get(f"{architecture}.attention.causal", True):
        return None
    # Files of converters that did not write the key yet; a mean is what most encoders mean.
    return Pooling.RANK if has_head else Pooling.MEAN


def trained_positions(header: Header) -> int | None:
    """The rows of the table of positions, past which llama.cpp aborts; None without a table."""
    table = (t.shape[-1] for t in header.tensors if t.name == "position_embd.weight")
    return next(table, None)
