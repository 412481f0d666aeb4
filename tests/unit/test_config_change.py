"""One setting changed in the text of a model-config file by a form."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kronk.shared.config.change import changed
from kronk.shared.config.edit import CannotEdit
from kronk.shared.config.written import written
from kronk.shared.errors import InvalidArgument
from kronk.shared.model_config import examine, parse_file

FILE = Path("/etc/models.yaml")
TWO = (
    "# ours\nmodels:\n  A:  # first\n    n-batch: 64  # small\n    ttl: 30m\n\n"
    "  M:\n    pin: true\n"
)


@pytest.mark.parametrize(
    ("text", "model", "key", "value", "new"),
    [
        ("", "M", "pin", True, "models:\n  M:\n    pin: true\n"),
        ("# later\n", "M", "pin", True, "# later\nmodels:\n  M:\n    pin: true\n"),
        ("models:\n", "M", "pin", True, "models:\n  M:\n    pin: true\n"),
        ("models: {}\n", "M", "pin", True, "models:\n  M:\n    pin: true\n"),
        ("models:\n  M: null\n", "M", "pin", True, "models:\n  M:\n    pin: true\n"),
        ("models:\n  M:\n  B:\n", "M", "pin", True, "models:\n  M:\n    pin: true\n  B:\n"),
        (TWO, "A", "n_batch", 128, TWO.replace("64", "128")),
        (TWO, "A", "n_batch", None, TWO.replace("    n-batch: 64  # small\n", "")),
        (TWO, "A", "n_ubatch", 32, TWO.replace("30m\n", "30m\n    n_ubatch: 32\n")),
        (TWO, "M", "pin", None, TWO.replace("    pin: true\n", "")),
        (TWO, "M", "n_batch", None, TWO),
        (TWO, "N/IMC", "pin", True, TWO + "  N/IMC:\n    pin: true\n"),
        (
            TWO,
            "M",
            "sampling_parameters.temperature",
            0.5,
            TWO + "    sampling_parameters:\n      temperature: 0.5\n",
        ),
        (
            "models:\n  M:\n    sampling-parameters:\n      top_k: 5\n",
            "M",
            "sampling_parameters.top_k",
            9,
            "models:\n  M:\n    sampling-parameters:\n      top_k: 9\n",
        ),
        (TWO, "M", "aliases", ["gpt-4o", "x"], TWO + "    aliases: [gpt-4o, x]\n"),
        (
            "models:\n  M:\n    aliases:\n      - a\n      - b\n    pin: true\n",
            "M",
            "aliases",
            ["c"],
            "models:\n  M:\n    aliases: [c]\n    pin: true\n",
        ),
        (TWO, "A", "ttl", "forever", TWO.replace("30m", "forever")),
        ("models:\n  M:\n    pin: true", "M", "pin", False, "models:\n  M:\n    pin: false\n"),
        # What is wrong elsewhere is left for the editor to show.
        (
            "models:\n  M:\n    no: 1\n",
            "M",
            "pin",
            True,
            "models:\n  M:\n    no: 1\n    pin: true\n",
        ),
    ],
)
def test_one_setting_changes_and_all_else_stays(
    text: str, model: str, key: str, value: Any, new: str
) -> None:
    assert changed(text, FILE, model, key, value) == new


@pytest.mark.parametrize(
    ("text", "key", "value", "why"),
    [
        ("models: {M: {pin: true}}\n", "pin", False, "not written as a map of lines"),
        ("models:\n  A: &a\n    pin: true\n  M: *a\n", "pin", False, "alias"),
        ("models:\n  M: &m\n    n_batch: 64\n  B:\n    <<: *m\n", "n_batch", 128, "other models"),
        ("x-a: &a\n  pin: true\nmodels:\n  M:\n    <<: *a\n", "pin", None, "another map"),
        ("models:\n  M:\n    aliases:\n      - a  # mine\n", "aliases", ["b"], "several lines"),
        ("models: [\n", "pin", True, "not YAML"),
        ("- a\n", "pin", True, "the file is not written as a map"),
    ],
)
def test_what_cannot_be_changed_safely_is_left(text: str, key: str, value: Any, why: str) -> None:
    with pytest.raises(CannotEdit, match=why):
        changed(text, FILE, "M", key, value)


@pytest.mark.parametrize(
    ("key", "value", "param"),
    [
        ("n_batch", "many", "value"),
        ("n_batch", 1, "value"),
        ("n-batch", 64, "key"),
        ("nonsense", 1, "key"),
        ("pin.x", 1, "key"),
        ("sampling_parameters.heat", 1, "key"),
        ("sampling_parameters.temperature", 9, "value"),
        ("aliases", {"a": 1}, "value"),
    ],
)
def test_a_value_that_the_key_does_not_take_is_named(key: str, value: Any, param: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        changed(TWO, FILE, "M", key, value)
    assert caught.value.param == param


NAMES = st.text("abcXYZ019-_./ :#'\"ä", min_size=1, max_size=12)
SETTINGS = st.sampled_from([("n_batch", 64), ("pin", True), ("ttl", "1h"), ("aliases", ["q w"])])


@given(models=st.dictionaries(NAMES, st.integers(1, 9), max_size=4), model=NAMES, setting=SETTINGS)
def test_what_was_set_can_be_taken_out_again(
    models: dict[str, int], model: str, setting: tuple[str, Any]
) -> None:
    key, value = setting
    document = {"models": {name: {"n_seq_max": count} for name, count in models.items()}}
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True) if models else ""
    there = changed(text, FILE, model, key, value)
    assert written(there)[model][key]["value"] == value
    gone = changed(there, FILE, model, key, None)
    before, after = parse_file(text, FILE), parse_file(gone, FILE)
    assert {name: after[name] for name in before} == dict(before)
    plain, _ = examine("models:\n  Plain:\n", FILE)
    if model not in models:
        assert dataclasses.asdict(after[model]) == dataclasses.asdict(plain["Plain"])


def test_what_is_written_is_told_with_lines_and_merges() -> None:
    text = (
        "x-a: &a\n  n-batch: 64\nmodels:\n  M:\n    <<: *a\n    ttl: 30m\n    other: 1\n"
        "    sampling_parameters:\n      temp: 1\n      temperature: .5\n  B:\n"
    )
    assert written(text) == {
        "M": {
            "n_batch": {"value": 64, "line": 2, "merged": True},
            "ttl": {"value": "30m", "line": 6, "merged": False},
            "sampling_parameters.temperature": {"value": 0.5, "line": 10, "merged": False},
        },
        "B": {},
    }


@pytest.mark.parametrize("text", ["", "models: [", "a", "models: 5\n", "models:\n  M: 5\n"])
def test_a_text_that_says_nothing_has_nothing_written(text: str) -> None:
    assert written(text) in ({}, {"M": {}})
