"""The random models are what they claim to be: llama.cpp agrees, and they decode."""

from __future__ import annotations

from pathlib import Path

import llama_cpp.llama_cpp as lib
import numpy as np
import pytest

from harness import random_gguf
from harness.random_gguf import KINDS, Kind
from kronk.worker import gguf_file
from kronk.worker.context import Batch, Context, ContextShape, DecodeResult
from kronk.worker.library import LlamaLog
from kronk.worker.model import Model

LOG = LlamaLog()
SHAPE = ContextShape(n_ctx=512, n_batch=256, n_ubatch=256, n_seq_max=1, n_threads=1)
TEXT = "<|im_start|>user\nCount from 1 to 50<|im_end|>\n<|im_start|>assistant\n"


def load(path: Path) -> Model:
    return Model(path, log=LOG, on_progress=lambda _: None)


def greedy(model: Model, count: int) -> tuple[list[int], list[float]]:
    """The answer's tokens, and the lead of each over the second best."""
    context = Context(model, SHAPE, LOG)
    rows, at, said, leads = model.tokenize(TEXT), 0, [], []
    for _ in range(count):
        batch = Batch(256)
        batch.add(0, at, rows, output_last=True)
        assert context.decode(batch) is DecodeResult.OK
        at += len(rows)
        logits = context.outputs(1)[0]
        second, best = np.sort(logits)[-2:]
        rows = [int(logits.argmax())]
        said += rows
        leads.append(float(best - second))
    lib.llama_free(context.handle)
    return said, leads


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_random_model_loads_and_says_the_same_each_time(kind: Kind, tmp_path: Path) -> None:
    path, again = tmp_path / "one.gguf", tmp_path / "two.gguf"
    random_gguf.write(path, kind)
    random_gguf.write(again, kind)
    assert path.read_bytes() == again.read_bytes()
    header = gguf_file.check(path)
    assert header.metadata["general.architecture"] == kind.architecture
    model = load(path)
    assert lib.llama_model_is_recurrent(model.handle) == kind.is_recurrent
    assert lib.llama_model_is_hybrid(model.handle) == kind.is_hybrid
    assert lib.llama_model_n_swa(model.handle) == kind.window
    assert "<|im_start|>" in (model.chat_template() or "")
    model.require_generation()

    said, leads = greedy(model, 40)
    assert said == greedy(load(again), 40)[0]
    assert len(set(said)) > 10, "it says one thing for ever"
    assert not set(said) & set(model.ends)
    # Rounding is some hundredths (see test_memory_reuse).
    assert np.median(leads) > 0.3


def test_another_seed_is_another_model(tmp_path: Path) -> None:
    said = []
    for seed in (0, 1):
        path = tmp_path / f"{seed}.gguf"
        random_gguf.write(path, random_gguf.LLAMA, seed=seed)
        said.append(greedy(load(path), 5)[0])
    assert said[0] != said[1]
