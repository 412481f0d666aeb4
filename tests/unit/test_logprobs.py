"""Log-probabilities are the model's own, exact, finite and in order."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from kronk.shared.wire.values import TokenLogprob
from kronk.worker.engine.logprobs import LEAST, Scorer

Row = npt.NDArray[np.float32]


def name(token: int) -> bytes:
    return b"<%d>" % token


def score(row: Row, token: int, top: int = 0) -> TokenLogprob:
    scorer = Scorer(top)
    scorer.observe(row)
    return scorer.report(token, name)


def log_softmax(row: Row) -> npt.NDArray[np.float64]:
    wide = row.astype(np.float64)
    wide -= wide.max()
    return np.asarray(wide - np.log(np.exp(wide).sum()))


rows = arrays.arrays(
    np.float32,
    st.integers(1, 60),
    elements=st.floats(-200, 200, width=32) | st.sampled_from([0.0, 1.0, -math.inf]),
).filter(lambda row: bool(np.isfinite(row.max())))


@settings(max_examples=300, deadline=None)
@given(row=rows, top=st.integers(0, 20), data=st.data())
def test_they_are_the_log_softmax_of_the_row(row: Row, top: int, data: st.DataObject) -> None:
    token = data.draw(st.integers(0, row.size - 1))
    expected = np.maximum(log_softmax(row), LEAST)
    reported = score(row, token, top)
    assert reported.piece == name(token)
    assert reported.logprob == pytest.approx(expected[token], abs=2e-5)
    assert reported.logprob <= 0.0
    # Likeliest first, ties by id.
    order = sorted(range(row.size), key=lambda other: (-row[other], other))[:top]
    assert [alternative.piece for alternative in reported.top] == [name(i) for i in order]
    for other, alternative in zip(order, reported.top, strict=True):
        assert alternative.logprob == pytest.approx(expected[other], abs=2e-5)
        assert alternative.logprob <= 0.0


@pytest.mark.parametrize("n_vocab", [1000, 49_152, 262_144])
@pytest.mark.parametrize("offset", [-1e4, 0.0, 1e4])
def test_large_rows_and_large_logits_lose_no_precision(n_vocab: int, offset: float) -> None:
    row = np.random.default_rng(n_vocab).normal(0, 3, n_vocab).astype(np.float32)
    row += np.float32(offset)
    expected = log_softmax(row)
    for token in (0, int(row.argmax()), int(row.argmin())):
        assert score(row, token).logprob == pytest.approx(expected[token], abs=5e-6)


def test_an_even_row_gives_each_token_its_share() -> None:
    reported = score(np.zeros(50_000, np.float32), 49_999, top=3)
    assert reported.logprob == pytest.approx(-math.log(50_000))
    assert [alternative.piece for alternative in reported.top] == [name(0), name(1), name(2)]


def test_the_likeliest_are_found_however_far_below_the_best() -> None:
    row = np.full(1000, -500.0, np.float32)
    row[[7, 5, 900]] = (50.0, -100.0, -300.0)
    reported = score(row, 7, top=5)
    assert [alternative.piece for alternative in reported.top] == [
        name(token) for token in (7, 5, 900, 0, 1)
    ]
    assert reported.logprob == 0.0


def test_what_writes_into_the_row_afterwards_changes_nothing() -> None:
    row = np.array([1.0, 3.0, 2.0], np.float32)
    expected = score(row.copy(), 2, top=2)
    scorer = Scorer(2)
    scorer.observe(row)
    row[:] = -math.inf
    assert scorer.report(2, name) == expected


def test_each_row_is_scored_by_itself() -> None:
    scorer = Scorer(1)
    for row in (np.array([9.0, 1.0], np.float32), np.array([1.0, 9.0, 2.0], np.float32)):
        scorer.observe(row)
        assert scorer.report(0, name) == score(row, 0, top=1)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_row_that_is_no_distribution_has_finite_numbers(value: float) -> None:
    reported = score(np.array([value, value, value], np.float32), 1, top=2)
    assert reported == TokenLogprob(name(1), LEAST, ())


def test_an_impossible_token_has_a_finite_number() -> None:
    row = np.array([0.0, -math.inf], np.float32)
    assert score(row, 1).logprob == LEAST
    assert score(row, 0).logprob == 0.0
