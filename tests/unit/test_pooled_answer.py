"""From pooled rows to messages: vectors of length 1, scores from 0 to 1."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kronk.shared.errors import Internal
from kronk.shared.sizing.shape import default_longest
from kronk.shared.wire.to_gateway import Done, Scores, Vectors
from kronk.worker.pooled.job import Embeddings, Job, Ranking, Work, normalized
from kronk.worker.pooled.score import relevance, relevance_of

GIB = 2**30


def work(texts: int, answer: Any) -> Work:
    return Work(Job(7, [[1, 2]] * texts, answer, submitted=10.0))


def vectors(message: Vectors) -> np.ndarray:
    return np.frombuffer(message.values, "<f4").reshape(-1, message.dimensions)


@given(texts=st.integers(1, 40), dimensions=st.integers(1, 2000))
def test_vectors_come_in_order_and_each_once(texts: int, dimensions: int) -> None:
    rows = np.random.default_rng(0).standard_normal((texts, 2000)).astype(np.float32)
    running = work(texts, Embeddings(7, dimensions))
    messages = [message for row in rows for message in running.take(row, 11.0)]
    *found, done = messages
    assert isinstance(done, Done)
    assert done.usage.prompt_tokens == 2 * texts
    firsts = [message.first for message in found]
    counts = [len(vectors(message)) for message in found]
    assert firsts == [sum(counts[:n]) for n in range(len(counts))]
    assert sum(counts) == texts
    expected = rows[:, :dimensions]
    expected = expected / np.linalg.norm(expected, axis=1, keepdims=True)
    together = np.concatenate([vectors(message) for message in found])
    np.testing.assert_allclose(together, expected, atol=1e-6)


def test_a_row_of_zeros_has_no_direction_and_stays() -> None:
    assert normalized(np.zeros((1, 4), np.float32)).tolist() == [[0.0] * 4]


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("make", [lambda: Embeddings(7, 2), lambda: Ranking(7, relevance)])
def test_numbers_that_json_cannot_say_are_an_error(make: Callable[[], Any], bad: float) -> None:
    with pytest.raises(Internal, match="not finite"):
        work(1, make()).take(np.array([bad, 1.0], np.float32), 11.0)


def test_scores_come_together_at_the_end() -> None:
    running = work(3, Ranking(7, lambda row: float(row[0])))
    assert running.take(np.array([0.5], np.float32), 11.0) == []
    assert running.take(np.array([0.25], np.float32), 11.0) == []
    scores, done = running.take(np.array([1.0], np.float32), 11.0)
    assert scores == Scores(7, (0.5, 0.25, 1.0))
    assert isinstance(done, Done)


@pytest.mark.parametrize(
    ("outputs", "expected"),
    [
        ([0.0], 0.5),
        ([2.0], 1 / (1 + math.exp(-2.0))),
        ([-1000.0], 0.0),
        ([1000.0], 1.0),
        ([1.0, 1.0], 0.5),
        ([1000.0, -1000.0], 1.0),
        ([0.0, math.log(3.0)], 0.25),
    ],
)
def test_a_relevance_is_a_probability(outputs: list[float], expected: float) -> None:
    assert relevance(outputs) == pytest.approx(expected)


def test_an_architecture_that_gives_probabilities_is_taken_at_its_word() -> None:
    assert relevance_of("qwen3")([0.9, 0.1]) == 0.9
    assert relevance_of("bert")([0.0]) == 0.5


@pytest.mark.parametrize(
    ("window", "n_vocab", "memory", "expected"),
    [
        (512, 30_000, 8 * GIB, 512),
        (8192, 30_000, 8 * GIB, 8192),
        # A row of logits for each token: 1 MB of a large vocabulary.
        (8192, 262_144, 16 * GIB, 4096),
        (8192, 262_144, GIB // 8, 256),
        (128, 262_144, GIB // 8, 128),
    ],
)
def test_the_longest_text_by_default(window: int, n_vocab: int, memory: int, expected: int) -> None:
    assert default_longest(window, n_vocab, memory) == expected
