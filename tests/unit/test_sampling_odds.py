"""What can be drawn, and with what odds, is what each sampler's definition says."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kronk.shared.wire.values import Sampling
from kronk.worker.engine.prefilter import candidates
from kronk.worker.engine.sampler import Candidates, Sampler
from kronk.worker.engine.sampling import Logits, Resolved, resolve

Wide = npt.NDArray[np.float64]
OFF: dict[str, Any] = {"top_k": 0, "top_p": 1.0, "seed": 1}


def softmax(logits: Wide) -> Wide:
    weights = np.exp(logits - logits.max())
    return np.asarray(weights / weights.sum())


def leading(odds: Wide, scores: Wide, share: float, *, beyond: bool) -> npt.NDArray[np.bool_]:
    """The tokens of the lowest scores whose odds together reach `share` (or go `beyond` it)."""
    order = np.argsort(scores, kind="stable")
    reached = np.cumsum(odds[order])
    enough = reached > share if beyond else reached >= share
    count = int(np.argmax(enough)) + 1 if enough.any() else order.size
    kept = np.zeros(odds.size, np.bool_)
    kept[order[:count]] = True
    return kept


def keep_top_n_sigma(logits: Wide, p: Resolved) -> npt.NDArray[np.bool_]:
    return logits >= logits.max() - p.top_n_sigma * logits.std()


def keep_top_k(logits: Wide, p: Resolved) -> npt.NDArray[np.bool_]:
    return logits >= np.sort(logits)[::-1][: p.top_k].min()


def keep_typical(logits: Wide, p: Resolved) -> npt.NDArray[np.bool_]:
    odds = softmax(logits)
    entropy = -(odds * np.log(odds)).sum()
    return leading(odds, np.abs(-np.log(odds) - entropy), p.typical_p, beyond=True)


def keep_top_p(logits: Wide, p: Resolved) -> npt.NDArray[np.bool_]:
    return leading(softmax(logits), -logits, p.top_p, beyond=False)


def keep_min_p(logits: Wide, p: Resolved) -> npt.NDArray[np.bool_]:
    odds = softmax(logits)
    return odds >= p.min_p * odds.max() * (1 - 1e-9)


def keep_xtc(logits: Wide, p: Resolved) -> npt.NDArray[np.bool_]:
    likely = np.flatnonzero(softmax(logits) >= p.xtc_threshold)
    kept = np.ones(logits.size, np.bool_)
    if likely.size > 1:
        kept[likely] = False
        kept[likely[np.argmin(logits[likely])]] = True
    return kept


Keep = Callable[[Wide, Resolved], npt.NDArray[np.bool_]]
STAGES: list[tuple[Callable[[Resolved], bool], Keep]] = [
    (lambda p: p.top_n_sigma > 0, keep_top_n_sigma),
    (lambda p: p.top_k > 0, keep_top_k),
    (lambda p: p.typical_p < 1, keep_typical),
    (lambda p: p.top_p < 1, keep_top_p),
    (lambda p: p.min_p > 0, keep_min_p),
    (lambda p: p.xtc_probability == 1 and p.xtc_threshold <= 0.5, keep_xtc),
]


def expected_odds(row: Logits, p: Resolved) -> dict[int, float]:
    """By the definitions, stage after stage, in float64."""
    ids = np.flatnonzero(row > -math.inf)
    for is_on, keep in STAGES:
        if is_on(p) and ids.size > 1:
            ids = ids[keep(row[ids].astype(np.float64), p)]
    logits = row[ids].astype(np.float64)
    odds = softmax(logits / temperature_of(logits, p))
    return dict(zip(ids.tolist(), odds.tolist(), strict=True))


def temperature_of(logits: Wide, p: Resolved) -> float:
    if p.dynatemp_range == 0 or logits.size < 2:
        return p.temperature
    odds = softmax(logits)
    entropy = -(odds[odds > 0] * np.log(odds[odds > 0])).sum()
    low, high = max(0.0, p.temperature - p.dynatemp_range), p.temperature + p.dynatemp_range
    evenness = entropy / math.log(logits.size)
    return max(float(low + (high - low) * evenness**p.dynatemp_exponent), 1e-3)


def odds_of(row: Logits, p: Resolved) -> dict[int, float]:
    """What the sampler drew from, and with what odds."""
    shared = Candidates(row.size)
    sampler = Sampler(p, shared, (), ())
    chosen = sampler.sample(row.copy())
    sampler.close()
    left = shared.array.remaining()
    odds = {int(entry["id"]): float(entry["p"]) for entry in left}
    assert chosen in odds
    return odds


def assert_same_odds(ours: dict[int, float], theirs: dict[int, float]) -> None:
    for token in ours.keys() | theirs.keys():
        assert ours.get(token, 0.0) == pytest.approx(theirs.get(token, 0.0), rel=1e-3, abs=1e-6)


def make_row(seed: int, n_vocab: int, spread: float) -> Logits:
    return np.random.default_rng(seed).normal(0, spread, n_vocab).astype(np.float32)


@st.composite
def parameters(draw: st.DrawFn) -> Resolved:
    """Any of the truncating samplers, in any combination."""

    def maybe(name: str, values: st.SearchStrategy[Any]) -> dict[str, Any]:
        return {name: draw(values)} if draw(st.booleans()) else {}

    said = {
        **OFF,
        "temperature": draw(st.sampled_from([0.3, 0.8, 1.0, 2.0])),
        **maybe("top_n_sigma", st.sampled_from([0.5, 1.0, 2.5])),
        **maybe("top_k", st.integers(2, 50)),
        **maybe("typical_p", st.sampled_from([0.2, 0.7, 0.95])),
        **maybe("top_p", st.sampled_from([0.1, 0.5, 0.9, 0.999])),
        **maybe("min_p", st.sampled_from([0.001, 0.05, 0.5])),
        **maybe("dynatemp_range", st.sampled_from([0.2, 1.0])),
        **maybe("xtc_threshold", st.sampled_from([0.01, 0.1, 0.3])),
    }
    said["xtc_probability"] = float("xtc_threshold" in said)
    return resolve(Sampling(**said))


# The same examples each time: once in many thousands a token lies within rounding of a threshold.
@settings(max_examples=400, deadline=None, derandomize=True)
@given(
    p=parameters(),
    seed=st.integers(0, 2**32 - 1),
    n_vocab=st.sampled_from([2, 5, 30, 400]),
    spread=st.sampled_from([0.1, 1.0, 4.0]),
    forbidden=st.sampled_from([0.0, 0.5]),
)
def test_the_odds_are_those_of_the_definitions(
    p: Resolved, seed: int, n_vocab: int, spread: float, forbidden: float
) -> None:
    row = make_row(seed, n_vocab, spread)
    row[: int(forbidden * n_vocab)] = -math.inf
    assert_same_odds(odds_of(row, p), expected_odds(row, p))


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 2**32 - 1),
    spread=st.sampled_from([0.5, 3.0]),
    tau=st.sampled_from([0.5, 2.0, 4.0]),
)
def test_mirostat_2_starts_with_what_surprises_by_at_most_twice_its_target(
    seed: int, spread: float, tau: float
) -> None:
    row = make_row(seed, 500, spread)
    odds = softmax(row.astype(np.float64) / 0.7)
    kept = np.flatnonzero(-np.log2(odds) <= 2 * tau)
    kept = kept if kept.size else np.array([odds.argmax()])
    theirs = odds[kept] / odds[kept].sum()
    p = resolve(Sampling(mirostat=2, mirostat_tau=tau, temperature=0.7, seed=1))
    assert_same_odds(odds_of(row, p), dict(zip(kept.tolist(), theirs.tolist(), strict=True)))


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    p=parameters(),
    seed=st.integers(0, 2**32 - 1),
    n_vocab=st.sampled_from([100, 2000]),
    spread=st.sampled_from([0.5, 4.0, 20.0]),
)
def test_the_prefilter_drops_nothing_that_has_odds(
    p: Resolved, seed: int, n_vocab: int, spread: float
) -> None:
    row = make_row(seed, n_vocab, spread)
    kept = set(candidates(row, p).tolist())
    odds = expected_odds(row, p)
    assert sum(share for token, share in odds.items() if token not in kept) < 1e-9


def test_the_prefilter_keeps_few_of_a_usual_row() -> None:
    row = make_row(1, 50_000, 2.0)
    row[:100] += 15
    assert candidates(row, resolve()).size < 500
    assert candidates(row, resolve(Sampling(mirostat=2))).size < 500
    assert candidates(row, resolve(Sampling(**(OFF | {"min_p": 0.05})))).size < 500


@pytest.mark.parametrize("n_vocab", [1, 2])
@pytest.mark.parametrize(
    "said",
    [
        {},
        {"mirostat": 1},
        {"mirostat": 2},
        {"dynatemp_range": 1.0, "top_k": 0, "top_p": 1.0},
        {"xtc_probability": 1.0, "typical_p": 0.5, "top_n_sigma": 1.0},
    ],
)
def test_the_smallest_vocabularies_are_sampled(n_vocab: int, said: dict[str, Any]) -> None:
    sampler = Sampler(resolve(Sampling(seed=1, **said)), Candidates(n_vocab), (), ())
    assert 0 <= sampler.sample(np.zeros(n_vocab, np.float32)) < n_vocab
    sampler.close()
