"""Each parameter is what the nearest source says."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kronk.shared.errors import InvalidArgument
from kronk.shared.wire.values import Sampling
from kronk.worker.engine.sampling import Resolved, recommended, require_known_tokens, resolve

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
    for source in (Sampling(), Sampling(seed=-1)):
        assert len({resolve(source).seed for _ in range(8)}) > 1


@pytest.mark.parametrize("seed", [0, -2, -(2**63), 2**32 - 1, 2**32, 2**64 - 1])
def test_every_seed_repeats(seed: int) -> None:
    resolved = resolve(Sampling(seed=seed)).seed
    assert resolved == seed % 2**64
    assert resolve(Sampling(seed=seed)).seed == resolved


@given(seed=st.integers(-(2**63), 2**64 - 1))
def test_the_answers_to_one_request_have_seeds_of_their_own(seed: int) -> None:
    params = resolve(Sampling(seed=seed))
    assert params.for_choice(0) == params
    assert len({params.for_choice(index).seed for index in range(128)}) == 128


def test_every_parameter_of_the_wire_resolves() -> None:
    names = {field.name for field in dataclasses.fields(Sampling)} - {"preset"}
    assert {field.name for field in dataclasses.fields(Resolved)} == names
    assert all(getattr(resolve(), name) is not None for name in names)


def test_without_a_word_penalties_and_the_rare_samplers_are_off() -> None:
    params = resolve()
    assert (params.temperature, params.top_k, params.top_p) == (0.8, 40, 0.9)
    assert not params.penalizes
    assert not params.is_dry
    assert (params.min_p, params.typical_p, params.top_n_sigma) == (0.0, 1.0, 0.0)
    assert (params.xtc_probability, params.mirostat, params.dynatemp_range) == (0.0, 0, 0.0)
    assert (params.repeat_last_n, params.logit_bias) == (64, {})


@pytest.mark.parametrize(
    ("said", "is_greedy"),
    [
        ({"temperature": 0.0}, True),
        ({"top_k": 1}, True),
        ({"temperature": 0.0, "mirostat": 2, "dynatemp_range": 1.0}, True),
        # Mirostat does its own truncation.
        ({"top_k": 1, "mirostat": 2}, False),
        ({}, False),
    ],
)
def test_when_the_best_token_is_taken(said: dict[str, Any], is_greedy: bool) -> None:
    assert resolve(Sampling(**said)).is_greedy is is_greedy


@pytest.mark.parametrize("token", ["49152", "999999999"])
def test_a_bias_on_a_token_that_is_none_is_refused(token: str) -> None:
    params = resolve(Sampling(logit_bias={"7": 1.0, token: 2.0}))
    with pytest.raises(InvalidArgument, match=f"token {token}.*0 to 49151") as caught:
        require_known_tokens(params, 49152)
    assert caught.value.param == "logit_bias"
    require_known_tokens(resolve(Sampling(logit_bias={"49151": 1.0})), 49152)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, Sampling()),
        ({"general.sampling.temp": "0.6"}, Sampling(temperature=0.6)),
        ({"general.sampling.top_k": "20"}, Sampling(top_k=20)),
        ({"general.sampling.temp": "warm", "general.sampling.top_p": "nan"}, Sampling()),
        ({"general.sampling.top_k": "-5"}, Sampling()),
        # A GGUF says numbers as text, and whole ones as whole ones.
        ({"general.sampling.top_k": "20.5"}, Sampling()),
        ({"general.sampling.temp": "3.0"}, Sampling()),
        ({"general.sampling.top_k": "9" * 400, "general.sampling.min_p": "inf"}, Sampling()),
        ({"general.sampling.penalty_repeat": "1.1"}, Sampling(repeat_penalty=1.1)),
        ({"general.sampling.penalty_last_n": "-1"}, Sampling(repeat_last_n=-1)),
        (
            {"general.sampling.mirostat": "2", "general.sampling.mirostat_tau": "3.5"},
            Sampling(mirostat=2, mirostat_tau=3.5),
        ),
        (
            {
                "general.sampling.xtc_probability": "0.5",
                "general.sampling.xtc_threshold": "0.2",
            },
            Sampling(xtc_probability=0.5, xtc_threshold=0.2),
        ),
    ],
)
def test_what_a_gguf_recommends(values: dict[str, str], expected: Sampling) -> None:
    assert recommended(values.get) == expected
