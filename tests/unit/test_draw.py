"""Random numbers by position: those of SplitMix64, even, and with nothing to do with each other."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kronk.shared.wire.values import Sampling
from kronk.worker.engine.draw import Draw
from kronk.worker.engine.sampler import Candidates, Sampler
from kronk.worker.engine.sampling import Logits, resolve

# The first outputs of SplitMix64 for the seed 0, as its authors' reference implementation has them.
KNOWN = (0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F, 0xF88BB8A8724C81EC)


def test_the_numbers_are_those_of_the_generator() -> None:
    draw = Draw(0)
    numbers = [draw.for_token(0), draw.for_xtc(0), draw.for_token(1), draw.for_xtc(1)]
    assert numbers == [(bits >> 11) / 2**53 for bits in KNOWN]


def chi_square(counts: Any, expected: Any) -> float:
    """How far counts are from what is expected, in standard deviations of that distance."""
    counts, expected = np.asarray(counts, float), np.asarray(expected, float)
    distance = float(((counts - expected) ** 2 / expected).sum())
    freedom = counts.size - 1
    return (distance - freedom) / math.sqrt(2 * freedom)


@pytest.mark.parametrize("seed", [0, 1, 2, 2**32 - 2, 2**64 - 1, -3])
def test_the_numbers_of_a_seed_are_even(seed: int) -> None:
    draw = Draw(seed)
    numbers = np.array([draw.for_token(position) for position in range(20_000)])
    assert numbers.min() >= 0
    assert numbers.max() < 1
    counts = np.histogram(numbers, 100, (0, 1))[0]
    assert abs(chi_square(counts, np.full(100, 200))) < 4


def pairs(kind: str) -> list[tuple[float, float]]:
    """Numbers that are neighbours in some way."""
    count = 20_000
    match kind:
        case "positions":
            draw = Draw(7)
            return [(draw.for_token(i), draw.for_token(i + 1)) for i in range(count)]
        case "uses":
            draw = Draw(7)
            return [(draw.for_token(i), draw.for_xtc(i)) for i in range(count)]
        case "seeds":
            return [(Draw(i).for_token(3), Draw(i + 1).for_token(3)) for i in range(count)]
        case _:
            one, other = Draw(41), Draw(42)
            return [(one.for_token(i), other.for_token(i)) for i in range(count)]


@pytest.mark.parametrize("kind", ["positions", "uses", "seeds", "choices"])
def test_neighbours_know_nothing_of_each_other(kind: str) -> None:
    one, other = np.array(pairs(kind)).T
    counts = np.histogram2d(one, other, 10, ((0, 1), (0, 1)))[0]
    assert abs(chi_square(counts.ravel(), np.full(100, 200))) < 4


def row(seed: int, spread: float) -> Logits:
    return np.random.default_rng(seed).normal(0, spread, 40).astype(np.float32)


@pytest.mark.parametrize(
    "said",
    [
        {"temperature": 1.0},
        {"temperature": 0.7, "top_k": 12, "top_p": 0.95},
        {"temperature": 1.3, "min_p": 0.1},
        {"temperature": 1.0, "xtc_probability": 0.4, "xtc_threshold": 0.08},
        {"temperature": 1.0, "dynatemp_range": 0.5},
        {"temperature": 1.0, "top_k": 100, "mirostat": 2, "mirostat_eta": 0.0},
    ],
)
def test_tokens_come_as_often_as_their_odds_say(said: dict[str, Any]) -> None:
    params = resolve(Sampling(**({"top_k": 0, "top_p": 1.0, "seed": 5} | said)))
    shared = Candidates(40)
    sampler = Sampler(params, shared, (), ())
    logits = row(3, 1.5)
    counts, expected, count = np.zeros(40), np.zeros(40), 4000
    for _ in range(count):
        token = sampler.sample(logits.copy())
        counts[token] += 1
        left = shared.array.remaining()
        # What there is to choose from is another where XTC strikes.
        expected[left["id"]] += left["p"]
        sampler.accept(token)
    sampler.close()
    seen = expected >= 8
    assert counts[expected == 0].sum() == 0
    rest = count - counts[seen].sum(), max(1e-9, count - expected[seen].sum())
    assert abs(rest[0] - rest[1]) < 4 * math.sqrt(rest[1]) + 4
    assert chi_square(counts[seen], expected[seen]) < 4


@pytest.mark.parametrize("probability", [0.1, 0.5, 0.9])
def test_xtc_strikes_as_often_as_its_chance_says(probability: float) -> None:
    params = resolve(
        Sampling(top_k=0, top_p=1.0, xtc_probability=probability, xtc_threshold=0.1, seed=2)
    )
    shared = Candidates(3)
    sampler = Sampler(params, shared, (), ())
    logits, struck, count = np.array([2.0, 1.5, -9.0], np.float32), 0, 2000
    for _ in range(count):
        sampler.accept(sampler.sample(logits.copy()))
        struck += 0 not in shared.array.remaining()["id"]
    sampler.close()
    assert abs(struck - count * probability) < 4 * math.sqrt(count * probability)


SAMPLERS: list[dict[str, Any]] = [
    {},
    {"top_k": 0, "top_p": 1.0, "temperature": 1.5},
    {"xtc_probability": 0.5, "xtc_threshold": 0.05},
    {"dynatemp_range": 0.6},
    {"typical_p": 0.8, "min_p": 0.02},
    {"top_n_sigma": 1.5},
    {"repeat_penalty": 1.3, "presence_penalty": 0.5},
]


@given(
    said=st.sampled_from(SAMPLERS),
    seed=st.integers(0, 2**64 - 1),
    position=st.integers(0, 60),
    again=st.integers(0, 3),
)
def test_a_token_depends_on_its_place_and_not_on_what_was_drawn_before(
    said: dict[str, Any], seed: int, position: int, again: int
) -> None:
    params = resolve(Sampling(seed=seed, **said))
    shared = Candidates(40)
    one, other = (Sampler(params, shared, (), ()) for _ in range(2))
    for place in range(position):
        one.sample(row(place, 2.0))
        for sampler in (one, other):
            # Forced, or guessed and right: no number was needed.
            sampler.accept(place % 40)
    for _ in range(again):
        other.sample(row(99, 2.0))
    assert one.sample(row(7, 2.0)) == other.sample(row(7, 2.0))
    one.close()
    other.close()
