"""One table says what each sampling parameter is; files and requests are held to it."""

from __future__ import annotations

import dataclasses
import typing
from pathlib import Path
from typing import Any

import pytest

from kronk.shared import sampling_table
from kronk.shared.errors import InvalidArgument
from kronk.shared.sampling_params import (
    ALIASES,
    MOST_BIASES,
    MOST_BREAKERS,
    PARAMETERS,
    SAMPLING_LIMITS,
    parse_sampling,
    parse_value,
)
from kronk.shared.wire.values import Sampling

TYPES = {
    "float": float | None,
    "int": int | None,
    "bool": bool | None,
    "strings": tuple[str, ...] | None,
    "bias": dict[str, float] | None,
}


def test_the_table_has_a_row_of_the_right_kind_for_every_field_of_the_wire() -> None:
    kinds = {name: TYPES[parameter.kind] for name, parameter in PARAMETERS.items()}
    fields = typing.get_type_hints(Sampling)
    # A preset's parameters are said by others, which only its worker has.
    del fields["preset"]
    assert kinds == fields
    assert list(PARAMETERS) == [field.name for field in dataclasses.fields(Sampling)][:-1]


@pytest.mark.parametrize("name", PARAMETERS)
def test_every_default_is_a_value_one_could_give(name: str) -> None:
    default = PARAMETERS[name].default
    assert default is None or parse_value(name, default, name) == default
    assert PARAMETERS[name].meaning


def test_aliases_lead_to_parameters_and_hide_none() -> None:
    assert set(ALIASES.values()) <= set(PARAMETERS)
    assert not set(ALIASES) & set(PARAMETERS)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, Sampling()),
        ({"temperature": 0}, Sampling(temperature=0.0)),
        ({"top-k": 7, "min_p": 0.1}, Sampling(top_k=7, min_p=0.1)),
        ({"repetition-penalty": 1.1}, Sampling(repeat_penalty=1.1)),
        ({"typical": 0.9}, Sampling(typical_p=0.9)),
        ({"repeat-last-n": -1, "dry_penalty_last_n": -1}, None),
        ({"seed": -1}, Sampling(seed=-1)),
        ({"seed": 2**64 - 1}, Sampling(seed=2**64 - 1)),
        ({"ignore-eos": True, "min-tokens": 3}, Sampling(ignore_eos=True, min_tokens=3)),
        ({"dry-sequence-breakers": ["\n", "."]}, Sampling(dry_sequence_breakers=("\n", "."))),
        ({"dry-sequence-breakers": []}, Sampling(dry_sequence_breakers=())),
        # YAML reads an id as a number.
        ({"logit-bias": {5: 1, "6": -100}}, Sampling(logit_bias={"5": 1.0, "6": -100.0})),
        # "top_k:" with nothing after it.
        ({"top_k": None}, Sampling()),
    ],
)
def test_a_file_says_parameters_in_either_spelling(
    given: dict[Any, Any], expected: Sampling | None
) -> None:
    expected = expected or Sampling(repeat_last_n=-1, dry_penalty_last_n=-1)
    assert parse_sampling(given, "m.sampling-parameters") == expected


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], r"^s: expected a map"),
        ({"temprature": 1}, r"^s\.temprature: no such .*; did you mean temperature\?"),
        ({"zzz": 1}, r"^s\.zzz: no such sampling parameter$"),
        ({"top-k": 1, "top_k": 2}, r"^s\.top_k: top_k is given twice"),
        ({"repeat_penalty": 1, "repetition_penalty": 1}, "given twice"),
        ({"temperature": 2.1}, r"^s\.temperature: expected a number from 0 to 2, got 2\.1"),
        ({"temperature": float("nan")}, "got nan"),
        ({"temperature": True}, "got True"),
        ({"temperature": "0.5"}, "got '0.5'"),
        ({"top_k": 1.0}, "expected a whole number from 0 to 1000000, got 1.0"),
        ({"repeat_last_n": -2}, "from -1 to"),
        ({"repeat_penalty": 0}, "from 0.01 to 10"),
        ({"frequency_penalty": -2.5}, "from -2 to 2"),
        ({"mirostat": 3}, "from 0 to 2"),
        ({"ignore_eos": 1}, "expected true or false"),
        ({"min_tokens": -1}, "got -1"),
        ({"seed": 2**64}, "expected a whole number from"),
        ({"dry_sequence_breakers": "\n"}, "strings of 1 to 40"),
        ({"dry_sequence_breakers": [""]}, "strings of 1 to 40"),
        ({"dry_sequence_breakers": ["x" * 41]}, "strings of 1 to 40"),
        ({"dry_sequence_breakers": ["x"] * (MOST_BREAKERS + 1)}, "at most 64"),
        ({"logit_bias": {"5": 101}}, "to numbers from -100 to 100"),
        ({"logit_bias": {"five": 1}}, "token ids"),
        ({"logit_bias": {"-5": 1}}, "token ids"),
        ({"logit_bias": {"\u0665": 1}}, "token ids"),
        ({"logit_bias": {"5": True}}, "token ids"),
        ({"logit_bias": [5]}, "a map"),
        ({"logit_bias": {str(i): 1 for i in range(MOST_BIASES + 1)}}, r"\.\.\.$"),
    ],
)
def test_a_file_that_is_wrong_is_told_what_was_expected(given: Any, message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        parse_sampling(given, "s")


def test_the_limits_are_those_of_the_table() -> None:
    assert SAMPLING_LIMITS["temperature"] == (0.0, 2.0)
    assert SAMPLING_LIMITS["presence_penalty"] == (-2.0, 2.0)
    assert "ignore_eos" not in SAMPLING_LIMITS


def test_the_documentation_is_the_table() -> None:
    page = Path(__file__).parents[2] / "docs" / "sampling.md"
    assert page.read_text() == sampling_table.document(), (
        "run: python -m kronk.shared.sampling_table > docs/sampling.md"
    )
