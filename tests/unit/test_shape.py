"""What a configuration comes to as a context: sizes, threads and rows of logits."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kronk.shared.errors import ModelFailed
from kronk.shared.wire.loading import ContextSpec, LoadSpec, RopeSpec, SpeculationSpec
from kronk.worker.rope import Trained, derive
from kronk.worker.shape import MOST_CELLS, Shaped, shape_context


def shaped(cores: int = 8, guess: int = 0, **asked: Any) -> Shaped:
    speculation = SpeculationSpec("ngram", draft_max=guess) if guess else SpeculationSpec()
    spec = LoadSpec("m", "m.gguf", context=ContextSpec(**asked), speculation=speculation)
    return shape_context(spec, derive(RopeSpec(), spec.context.window, Trained(32768)), cores)


def test_each_slot_has_the_whole_window() -> None:
    shape = shaped(window=4096, slots=3).shape
    assert (shape.n_ctx, shape.n_seq_max) == (3 * 4096, 3)
    assert shaped().shape.n_ctx == 4 * 8192


@pytest.mark.parametrize(
    ("asked", "batch"),
    [
        ({}, (2048, 512)),
        ({"window": 1024}, (1024, 512)),
        ({"window": 300}, (300, 300)),
        ({"n_batch": 100, "n_ubatch": 64}, (100, 64)),
        ({"slots": 64, "n_batch": 32, "n_ubatch": 32}, (64, 64)),
    ],
)
def test_a_batch_is_no_longer_than_a_window_and_has_a_row_for_each_slot(
    asked: dict[str, Any], batch: tuple[int, int]
) -> None:
    shape = shaped(**asked).shape
    assert (shape.n_batch, shape.n_ubatch) == batch


@pytest.mark.parametrize(
    ("cores", "asked", "threads"),
    [
        (1, {}, (1, None)),
        (4, {}, (4, None)),
        (5, {}, (4, None)),
        (16, {"n_threads": 3}, (3, None)),
        (16, {"n_threads_batch": 16}, (15, 16)),
    ],
)
def test_threads_leave_a_core_to_others_where_there_are_many(
    cores: int, asked: dict[str, Any], threads: tuple[int, int | None]
) -> None:
    shape = shaped(cores, **asked).shape
    assert (shape.n_threads, shape.n_threads_batch) == threads


@pytest.mark.parametrize(
    ("cores", "asked", "words"),
    [
        (4, {"n_threads": 8}, "8 threads share 4 cores"),
        (4, {"n_threads_batch": 5}, "5 threads share 4 cores"),
        (4, {"slots": 64, "n_batch": 64, "n_ubatch": 32}, "n_ubatch is 64"),
    ],
)
def test_what_is_not_as_configured_or_not_wise_is_noted(
    cores: int, asked: dict[str, Any], words: str
) -> None:
    (note,) = shaped(cores, **asked).notes
    assert words in note
    assert shaped(cores).notes == ()


def test_more_cells_than_llama_cpp_can_count_are_refused() -> None:
    with pytest.raises(ModelFailed, match=r"more than llama\.cpp can count"):
        shaped(window=16_777_216, slots=128)
    assert shaped(window=16_777_216, slots=127).shape.n_ctx <= MOST_CELLS


@given(
    slots=st.integers(1, 256),
    window=st.integers(256, 100_000),
    batch=st.integers(32, 65_536),
    ubatch=st.integers(32, 65_536),
    guess=st.integers(0, 64),
)
def test_the_shape_keeps_what_llama_cpp_aborts_without(
    slots: int, window: int, batch: int, ubatch: int, guess: int
) -> None:
    shape = shaped(
        guess=guess, slots=slots, window=window, n_batch=max(batch, ubatch), n_ubatch=ubatch
    ).shape
    assert shape.n_outputs_max is not None
    assert slots <= shape.n_outputs_max <= shape.n_batch
    assert slots <= shape.n_ubatch <= shape.n_batch
    assert shape.n_outputs_max >= min(slots * (1 + guess), shape.n_batch)
