"""Parameters resolve from the nearest source, and the prefilter never changes the result."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kronk.shared.wire.values import Sampling
from kronk.worker.engine.sampling import Resolved, candidates, recommended, resolve

WARM = Sampling(temperature=0.6)
CONFIGURED = Sampling(temperature=0.5, top_k=9)


@pytest.mark.parametrize(
    ("request_", "config", "gguf", "temperature", "top_k"),
    [
        (Sampling(), Sampling(), Sampling(), 0.8, 40),
        (Sampling(), Sampling(), WARM, 0.6, 40),
        (Sampling(), CONFIGURED, WARM, 0.5, 9),
        (Sampling(temperature=0.1, top_k=7), CONFIGURED, WARM, 0.1, 7),
        # Zero is zero.
        (Sampling(temperature=0.0, top_k=0), CONFIGURED, WARM, 0.0, 0),
    ],
)
def test_the_request_wins_over_the_config_over_the_gguf_over_the_baseline(
    request_: Sampling, config: Sampling, gguf: Sampling, temperature: float, top_k: int
) -> None:
    resolved = resolve(request_, config, gguf)
    assert (resolved.temperature, resolved.top_k) == (temperature, top_k)


def test_a_seed_is_kept_and_without_one_each_request_draws_its_own() -> None:
    assert resolve(Sampling(seed=7)).seed == 7
    assert resolve(Sampling(seed=-1)).seed == 0xFFFFFFFF
    assert len({resolve(Sampling()).seed for _ in range(8)}) > 1


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, Sampling()),
        ({"general.sampling.temp": "0.6"}, Sampling(temperature=0.6)),
        ({"general.sampling.top_k": "20"}, Sampling(top_k=20)),
        ({"general.sampling.temp": "warm", "general.sampling.top_p": "nan"}, Sampling()),
        ({"general.sampling.top_k": "-5"}, Sampling()),
    ],
)
def test_what_a_gguf_recommends(values: dict[str, str], expected: Sampling) -> None:
    assert recommended(values.get) == expected


@settings(max_examples=200)
@given(
    seed=st.integers(0, 2**32 - 1),
    spread=st.sampled_from([0.01, 1.0, 3.0, 10.0]),
    top_k=st.integers(1, 255),
)
def test_the_prefilter_keeps_all_of_the_top_k(seed: int, spread: float, top_k: int) -> None:
    logits = np.random.default_rng(seed).normal(0, spread, 256).astype(np.float32)
    kept = candidates(logits, Resolved(0.8, top_k, 0.9, 0.0, 0))
    best = np.sort(logits)[-top_k:]
    assert np.isin(best, logits[kept]).all()


@settings(max_examples=100)
@given(
    seed=st.integers(0, 2**32 - 1),
    spread=st.sampled_from([1.0, 10.0, 40.0]),
    temperature=st.sampled_from([0.5, 1.0, 2.0]),
)
def test_without_top_k_the_prefilter_drops_no_probability(
    seed: int, spread: float, temperature: float
) -> None:
    logits = np.random.default_rng(seed).normal(0, spread, 4096).astype(np.float32)
    weights = np.exp((logits.astype(np.float64) - logits.max()) / temperature)
    kept = candidates(logits, Resolved(temperature, 0, 1.0, 0.0, 0))
    assert weights[kept].sum() / weights.sum() > 1 - 1e-9
