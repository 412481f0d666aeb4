"""Presets: sampling parameters under one name, in configurations and in requests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kronk.gateway.dialects.generation import sampling
from kronk.gateway.dialects.ollama.options import options
from kronk.shared.errors import InvalidArgument
from kronk.shared.model_config import effective_of, parse_file
from kronk.shared.sampling_params import parse_value
from kronk.shared.sampling_presets import NAMES, PRESETS, RECOMMENDED, values
from kronk.shared.wire.values import Sampling

FILE = Path("/etc/models.yaml")


@pytest.mark.parametrize("name", NAMES)
def test_a_preset_says_what_could_be_said_one_by_one(name: str) -> None:
    assert {key: parse_value(key, value, key) for key, value in values(name).items()} == values(
        name
    )


def test_presets_that_replace_each_other_say_the_same_parameters() -> None:
    assert len({tuple(values(name)) for name in PRESETS}) == 1


@pytest.mark.parametrize("read", [sampling, lambda given: options(given).sampling])
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"sampling_preset": None}, Sampling()),
        ({"sampling_preset": "coding"}, PRESETS["coding"].sampling),
        (
            {"temperature": 0, "sampling_preset": "creative", "top_p": None, "seed": 4},
            Sampling(0.0, 0, 0.95, 0.05, repeat_penalty=1.0, seed=4),
        ),
        (
            {"sampling_preset": RECOMMENDED, "top_k": 3},
            Sampling(top_k=3, preset="recommended"),
        ),
    ],
)
def test_what_a_request_says_stands_above_its_preset(
    read: Any, given: dict[str, Any], expected: Sampling
) -> None:
    assert read(given) == expected


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("codng", "one of balanced, coding, .*got 'codng'; did you mean coding"),
        ("Precise", "did you mean precise"),
        ("", "got ''$"),
        (5, "got 5$"),
        (["coding"], "got "),
        ("x" * 1000, r"\.\.\.$"),
    ],
)
def test_a_name_that_no_preset_has_is_refused_with_the_nearest(name: object, words: str) -> None:
    with pytest.raises(InvalidArgument, match=words) as refused:
        sampling({"sampling_preset": name})
    assert refused.value.param == "sampling_preset"
    with pytest.raises(InvalidArgument) as refused:
        options({"sampling_preset": name})
    assert refused.value.param == "options.sampling_preset"


def test_in_a_configuration_a_preset_stands_below_the_parameters_beside_it() -> None:
    text = "models:\n  A:\n    sampling-preset: coding\n    sampling-parameters: {top-p: 1}"
    configs = parse_file(text, FILE).over(
        {"A": {"sampling_preset": "creative", "sampling_parameters": {"top_p": 0.3, "seed": 1}}}
    )
    found = effective_of(configs, ["A"], "A")
    assert found.config.sampling_parameters == Sampling(
        0.2, 40, 1.0, 0.05, repeat_penalty=1.0, seed=1
    )
    assert found.origins["sampling_parameters.temperature"] == "preset coding"
    assert found.origins["sampling_parameters.top_p"] == "file models.yaml:4"
    assert found.origins["sampling_parameters.seed"] == "catalog"
    assert found.recommended == Sampling(1.0, 0, 0.3, 0.05, repeat_penalty=1.0, seed=1)
