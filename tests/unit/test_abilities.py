"""What a model can be asked for, by its files' metadata; and what is said to who asks otherwise."""

from __future__ import annotations

from typing import Any

import pytest

from kronk.shared.abilities import abilities_of, refusal
from kronk.shared.gguf import Header, Tensor
from kronk.shared.wire.values import Ability, Want


def header(architecture: str, *tensors: str, **metadata: Any) -> Header:
    known = {f"{architecture}.{key}": value for key, value in metadata.items()}
    table = tuple(Tensor(name, (8, 8), "f16", 0, 0) for name in tensors)
    return Header(3, {"general.architecture": architecture, **known}, table, 0, 0)


def clip(**encoders: bool) -> Header:
    return header("clip", **{f"has_{name}_encoder": there for name, there in encoders.items()})


ENCODER = {"attention.causal": False}


@pytest.mark.parametrize(
    ("model", "projector", "expected"),
    [
        (header("llama"), None, ("text",)),
        (header("gemma3"), clip(vision=True), ("text", "image")),
        (header("llama"), clip(audio=True), ("text", "audio")),
        (header("qwen2vl"), clip(vision=True, audio=True), ("text", "image", "audio")),
        (header("llama"), clip(vision=False), ("text",)),
        (header("bert", **ENCODER), None, ("embedding",)),
        (header("qwen3", pooling_type=3), None, ("embedding",)),
        (header("bert", "cls.weight", pooling_type=4, **ENCODER), None, ("rank",)),
        (header("bert", "cls.output.weight", **ENCODER), None, ("rank",)),
        (header("llama", pooling_type=0), None, ("text",)),
        # What cannot be loaded is not said to be anything.
        (header("bert", pooling_type=4, **ENCODER), None, ()),
        (header("t5"), None, ()),
    ],
)
def test_abilities_are_read_from_metadata(
    model: Header, projector: Header | None, expected: tuple[Ability, ...]
) -> None:
    assert abilities_of(model, projector) == expected


TEXT, EMBEDDING, RANK = Want("text"), Want("embedding"), Want("rank")
IMAGE, AUDIO = Want("image", "messages[0].content[1]"), Want("audio", "file")


@pytest.mark.parametrize(
    ("wants", "has", "words", "param"),
    [
        ((TEXT,), ("embedding",), "makes embeddings (/v1/embeddings); it does not gen", "model"),
        ((EMBEDDING,), ("text", "image"), "generates text (/v1/chat/completions); it", "model"),
        ((RANK,), ("embedding",), "it does not score documents", "model"),
        ((EMBEDDING,), ("rank",), "scores documents (/v1/rerank); it does not make", "model"),
        ((TEXT, IMAGE), ("text",), "this model does not take images", "messages[0].content[1]"),
        ((TEXT, AUDIO), ("text", "image"), "this model does not take audio", "file"),
        ((TEXT, IMAGE), ("embedding",), "it does not generate text", "model"),
    ],
)
def test_a_want_that_is_not_met_is_refused_by_name(
    wants: tuple[Want, ...], has: tuple[Ability, ...], words: str, param: str
) -> None:
    error = refusal(wants, has)
    assert error is not None
    assert words in error.message
    assert error.param == param


@pytest.mark.parametrize(
    ("wants", "has"),
    [((TEXT,), ("text",)), ((TEXT, IMAGE), ("text", "image")), ((), ("rank",)), ((RANK,), ())],
)
def test_what_is_met_or_not_known_is_not_refused(
    wants: tuple[Want, ...], has: tuple[Ability, ...]
) -> None:
    assert refusal(wants, has) is None
