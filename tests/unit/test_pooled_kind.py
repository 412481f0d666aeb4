"""What a GGUF's header says a model makes of a text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kronk.shared import gguf
from kronk.shared.abilities import Pooling
from kronk.shared.errors import InvalidArgument, ModelFailed
from kronk.worker import gguf_file
from kronk.worker.pooled.kind import pooling_of, trained_positions

MODELS = Path(__file__).parents[1] / "models"


def header(
    architecture: str, *tensors: str, pooling: int | None = None, causal: bool | None = None
) -> gguf.Header:
    metadata: dict[str, Any] = {"general.architecture": architecture}
    if pooling is not None:
        metadata[f"{architecture}.pooling_type"] = pooling
    if causal is not None:
        metadata[f"{architecture}.attention.causal"] = causal
    table = tuple(gguf.Tensor(name, (128, 512), "f16", 0, 0) for name in tensors)
    return gguf.Header(3, metadata, table, 0, 0)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (header("llama"), None),
        (header("llama", causal=True), None),
        (header("llama", pooling=0), None),
        (header("qwen3", pooling=3), Pooling.LAST),
        (header("qwen3", "cls.output.weight", pooling=4), Pooling.RANK),
        (header("bert", causal=False, pooling=1), Pooling.MEAN),
        (header("bert", causal=False, pooling=2), Pooling.CLS),
        (header("bert", "cls.weight", causal=False, pooling=4), Pooling.RANK),
        (header("bert", "cls.weight", causal=False, pooling=2), Pooling.CLS),
        (header("bert", causal=False), Pooling.MEAN),
        (header("bert", "cls.output.weight", causal=False), Pooling.RANK),
        (header("bert", causal=False, pooling=0), Pooling.MEAN),
    ],
)
def test_the_header_decides(given: gguf.Header, expected: Pooling | None) -> None:
    assert pooling_of(given) is expected


@pytest.mark.parametrize("architecture", ["t5", "t5encoder", "dream", "llada"])
def test_what_neither_generates_nor_pools_is_refused(architecture: str) -> None:
    with pytest.raises(InvalidArgument, match=architecture):
        pooling_of(header(architecture, causal=False))


def test_a_classifier_without_its_head_is_a_broken_file() -> None:
    with pytest.raises(ModelFailed, match="no classifier"):
        pooling_of(header("bert", causal=False, pooling=4))


def test_the_models_of_the_tests_are_what_they_are() -> None:
    assert pooling_of(gguf_file.check(MODELS / "tiny-chat-q8_0.gguf")) is None
    reranker = gguf_file.check(MODELS / "tiny-rerank-q8_0.gguf")
    assert pooling_of(reranker) is Pooling.RANK
    assert trained_positions(reranker) == 512


def test_a_model_without_a_table_of_positions_has_no_limit_of_them() -> None:
    assert trained_positions(header("qwen3", "token_embd.weight")) is None
