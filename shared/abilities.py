"""What a model can be asked for, and what is said to who asks for something else. Pure.

Decided from the metadata of its files, never from its name, before a process is started for it; and
again by the worker that has it, in the same words.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from typing import Literal

from .errors import InvalidArgument
from .gguf import Header
from .wire.values import Ability, Want

# Architectures whose text is made by denoising: not causal, and still not models of embeddings. And
# those of an encoder before a decoder, which llama.cpp runs in two calls; nothing here does.
UNSUPPORTED = frozenset({"dream", "llada", "llada-moe", "rnd1", "t5", "t5encoder"})
_HEADS = ("cls.weight", "cls.output.weight")


class Pooling(enum.Enum):
    """How the outputs of all tokens become one: llama.cpp's `llama_pooling_type`."""

    MEAN = 1
    CLS = 2
    LAST = 3
    # The last or first token through a classifier: scores instead of an embedding.
    RANK = 4


_DOES: Mapping[Ability, str] = {
    "text": "generates text (/v1/chat/completions)",
    "embedding": "makes embeddings (/v1/embeddings)",
    "rank": "scores documents (/v1/rerank)",
}
_ASKED: Mapping[Ability, str] = {
    "text": "generate text",
    "embedding": "make embeddings",
    "rank": "score documents",
}
_FILES: Mapping[Ability, str] = {"image": "images", "audio": "audio"}


def abilities_of(header: Header, projector: Header | None) -> tuple[Ability, ...]:
    """Those of the model with that header, and the projector that is loaded with it; none of what
    cannot be loaded."""
    if header.metadata.get("general.architecture") in UNSUPPORTED:
        return ()
    pools = pooling(header)
    if pools is Pooling.RANK and not has_classifier(header):
        return ()
    if pools is not None:
        return ("rank",) if pools is Pooling.RANK else ("embedding",)
    seen: list[Ability] = ["text"]
    if encodes(projector, "vision"):
        seen.append("image")
    if encodes(projector, "audio"):
        seen.append("audio")
    return tuple(seen)


def pooling(header: Header) -> Pooling | None:
    """How this model pools; None for one that generates text."""
    architecture = header.metadata.get("general.architecture")
    said = header.metadata.get(f"{architecture}.pooling_type")
    if said in (1, 2, 3, 4):
        return Pooling(said)
    if header.metadata.get(f"{architecture}.attention.causal", True):
        return None
    # Files of converters that did not write the key yet; a mean is what most encoders mean.
    return Pooling.RANK if has_classifier(header) else Pooling.MEAN


def has_classifier(header: Header) -> bool:
    """Whether there are the tensors that make scores."""
    return any(tensor.name in _HEADS for tensor in header.tensors)


def encodes(projector: Header | None, what: Literal["vision", "audio"]) -> bool:
    """Whether the projector has an encoder for that."""
    return projector is not None and bool(projector.metadata.get(f"clip.has_{what}_encoder"))


def refusal(wants: Iterable[Want], has: Iterable[Ability]) -> InvalidArgument | None:
    """What is wrong with asking this of a model with those abilities; nothing is, where they are
    not known."""
    able = tuple(has)
    if not able:
        return None
    missing = (want for want in wants if want.ability not in able)
    return next((_refusal(want, able) for want in missing), None)


def _refusal(want: Want, able: tuple[Ability, ...]) -> InvalidArgument:
    if want.ability in _FILES and "text" in able:
        return wrong_media(want)
    return wrong_model(able[0], want.ability)


def wrong_model(does: Ability, asked: Ability) -> InvalidArgument:
    """For a model that does one of text, embedding and rank, and is asked for another."""
    words = _ASKED.get(asked, _ASKED["text"])
    return InvalidArgument(f"this model {does_what(does)}; it does not {words}", param="model")


def does_what(ability: Ability) -> str:
    """In words, with the route that asks for it."""
    return _DOES[ability]


def wrong_media(want: Want) -> InvalidArgument:
    """For a model that generates text and does not take files of that kind."""
    return InvalidArgument(
        f"'{want.param}': this model does not take {_FILES[want.ability]}", param=want.param
    )
