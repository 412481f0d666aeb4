"""Predicted sizes against what llama.cpp reports and the kernel counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness import random_gguf, random_pooled
from harness.load_once import Took, load_once
from kronk.shared.errors import InsufficientMemory
from kronk.shared.load_spec import Surroundings, load_spec
from kronk.shared.model_config import parse
from kronk.shared.sizing.look import look
from kronk.shared.sizing.predict import Machine, Prediction, predict
from kronk.shared.sizing.shape import Host
from kronk.shared.wire.loading import LoadSpec
from kronk.worker import gguf_file
from kronk.worker.library import LlamaLog
from kronk.worker.loader import cores, load

MODELS = Path(__file__).parents[1] / "models"
TINY = MODELS / "tiny-chat-q8_0.gguf"
MIB = 2**20
HERE = Machine(Host(threads=cores(), memory_bytes=16 * 2**30))
# llama.cpp prints sizes of buffers in hundredths of a MiB, and there are two at most.
PRINTED = 2 * 0.01 * MIB

# What a process takes once it has decoded, for threads and the libraries' own.
STARTED = 11 * MIB

QUANTISED = {"cache_type_k": "q8_0", "cache_type_v": "q4_0"}
CASES: list[tuple[str, dict[str, Any]]] = [
    ("tiny", {"context_window": 1024, "n_seq_max": 8}),
    ("tiny", {"context_window": 300, "n_seq_max": 3, "n_ubatch": 64, **QUANTISED}),
    ("tiny", {"context_window": 2048, "n_seq_max": 1, "flash_attention": "disabled"}),
    ("tiny", {"context_window": 2048, "n_seq_max": 2, "use_mmap": False}),
    ("llama", {"context_window": 1000, "n_seq_max": 2}),
    ("swa", {"context_window": 2048, "n_seq_max": 3}),
    ("swa", {"context_window": 2048, "n_seq_max": 3, "swa_full": False, **QUANTISED}),
    ("swa", {"context_window": 256, "n_seq_max": 1, "swa_full": False}),
    ("mamba", {"context_window": 1024, "n_seq_max": 5}),
    ("hybrid", {"context_window": 1024, "n_seq_max": 3}),
    ("moe", {"context_window": 1024, "n_seq_max": 2, "n_ubatch": 128}),
    ("rerank", {}),
    ("decoder", {"n_seq_max": 4, "context_window": 1024}),
]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("sizing")
    found = {"tiny": TINY, "rerank": MODELS / "tiny-rerank-q8_0.gguf"}
    for kind in random_gguf.KINDS:
        found[kind.name] = folder / f"{kind.name}.gguf"
        random_gguf.write(found[kind.name], kind)
    found["decoder"] = folder / "decoder.gguf"
    random_pooled.decoder(found["decoder"], random_pooled.LAST)
    return found


def spec_of(path: Path, config: dict[str, Any], around: Surroundings) -> LoadSpec:
    return load_spec(path.stem, path, parse(config, "test"), around)


def check(spec: LoadSpec) -> Prediction:
    """Load it, and hold the prediction to what was found."""
    expected = predict(spec, look(spec, gguf_file.read), HERE)
    took = load_once(spec)
    shape = expected.shape
    assert (shape.window, shape.slots, shape.n_ubatch) == (took.n_ctx, took.slots, took.n_ubatch)
    assert expected.part("kv") == pytest.approx(took.kv_bytes, abs=PRINTED)
    # Never less than the graph needs, and not much more.
    assert 0.97 * took.compute_bytes <= expected.part("scratch")
    assert expected.part("scratch") <= 1.15 * took.compute_bytes + MIB
    total = total_of(expected, took)
    found = took.private_bytes + took.mapped_bytes
    # Some of what is set aside is not touched before long prompts come.
    assert 0.97 * found <= total <= 1.1 * found + apart_of(expected)
    return expected


def apart_of(expected: Prediction) -> int:
    """What is set aside and written to when contexts are full."""
    return sum(expected.part(name) for name in ("scratch", "work", "outputs"))


def total_of(expected: Prediction, took: Took) -> int:
    """The prediction, but for what the bare process takes: pages of libraries that are in memory
    come and go with the age of their files, by a tenth of it and more."""
    process = expected.part("process")
    assert took.bare_bytes + STARTED == pytest.approx(process, rel=0.2)
    return sum(expected.by_device.values()) - process + took.bare_bytes + STARTED


@pytest.mark.parametrize(("model", "config"), CASES, ids=lambda value: str(value))
def test_a_model_takes_what_was_predicted(
    files: dict[str, Path], model: str, config: dict[str, Any]
) -> None:
    check(spec_of(files[model], config, Surroundings()))


@pytest.mark.parametrize(
    ("model", "config"),
    [
        ("tiny", {"context_window": 1024, "n_seq_max": 4}),
        ("tiny", {"context_window": 512, "n_seq_max": 8, "speculative": "ngram"}),
        ("tiny", {"context_window": 1024, "n_seq_max": 4, "flash_attention": "disabled"}),
        ("swa", {"context_window": 512, "n_seq_max": 2}),
        ("rerank", {}),
    ],
    ids=lambda value: str(value),
)
def test_a_model_whose_slots_are_full_takes_what_was_predicted(
    files: dict[str, Path], model: str, config: dict[str, Any]
) -> None:
    spec = spec_of(files[model], config, Surroundings())
    took = load_once(spec, "all cells")
    expected = predict(spec, look(spec, gguf_file.read), HERE)
    assert 0.97 * took.all_bytes <= total_of(expected, took) <= 1.1 * took.all_bytes


def test_tensors_that_go_by_their_names_take_as_much(files: dict[str, Path]) -> None:
    config = {"context_window": 512, "tensor_buffer_overrides": [r"ffn_(up|down)=CPU"]}
    check(spec_of(files["tiny"], config, Surroundings()))


def test_a_draft_model_counts_with_a_context_of_its_own(files: dict[str, Path]) -> None:
    config = {"context_window": 1024, "n_seq_max": 2, "draft_model": "./draft.gguf"}
    around = Surroundings(draft=MODELS / "tiny-chat-f16.gguf")
    spec = spec_of(TINY, config, around)
    expected = predict(spec, look(spec, gguf_file.read), HERE)
    took = load_once(spec)
    found = took.private_bytes + took.mapped_bytes
    apart = 2 * apart_of(expected)
    total = total_of(expected, took)
    assert expected.part("draft") > expected.part("kv")
    assert 0.97 * found <= total <= 1.1 * found + apart


def test_a_context_that_cannot_be_had_is_said_to_be_for_want_of_memory() -> None:
    spec = spec_of(TINY, {"context_window": 1_000_000, "n_seq_max": 200}, Surroundings())
    with pytest.raises(InsufficientMemory, match="cannot create a context of 200000000 tokens"):
        load(spec, log_lines=LlamaLog(), report=lambda _: None, emit=lambda _: None)


@pytest.mark.starter
@pytest.mark.parametrize("config", [{}, {"context_window": 2048, "n_seq_max": 2, **QUANTISED}])
def test_the_starter_model_takes_what_was_predicted(starter: Path, config: dict[str, Any]) -> None:
    spec = spec_of(starter, config, Surroundings())
    expected = check(spec)
    took = load_once(spec)
    found = took.private_bytes + took.mapped_bytes
    assert total_of(expected, took) == pytest.approx(found, rel=0.1)
