"""The JSON Schema for editors: it is current, and it says what the parser says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kronk.shared.config import schema
from kronk.shared.model_config import examine
from kronk.shared.model_keys import ALIASES, KEYS
from kronk.shared.sampling_params import PARAMETERS

ROOT = Path(__file__).parents[2]
FILE = Path("/etc/models.yaml")
VALIDATOR = jsonschema.Draft7Validator(schema.document())


def test_the_copy_that_editors_read_is_current() -> None:
    assert (ROOT / schema.PATH).read_text("utf-8") == schema.text(), (
        f"run: python -m kronk.shared.config.schema > {schema.PATH}"
    )
    jsonschema.Draft7Validator.check_schema(json.loads(schema.text()))


def test_every_key_has_a_meaning_and_every_default_is_a_value_one_could_give() -> None:
    keys = schema.document()["definitions"]["model"]["properties"]
    assert list(keys) == list(KEYS)
    for name, key in keys.items():
        if "$ref" not in key:
            assert key["description"]
            jsonschema.validate(key.get("default"), {"anyOf": key["anyOf"]})
        assert name in KEYS


def agree(document: object) -> bool:
    """Whether it is good, which both must say."""
    _, problems = examine(yaml.safe_dump(document, sort_keys=False), FILE)
    found = list(VALIDATOR.iter_errors(document))
    assert bool(problems) == bool(found), (document, problems, found)
    return not problems


@pytest.mark.parametrize(
    ("document", "is_good"),
    [
        (None, True),
        ({}, True),
        ({"models": None}, True),
        ({"models": {"A": None, "A/IMC": {}}}, True),
        ({"models": [], "x-a": 5}, False),
        ({"x-anchors": {"a": {"anything": 1}}}, True),
        ({"anchors": {}}, False),
        ({"models": {"A": []}}, False),
        ([], False),
    ],
)
def test_documents_are_good_to_both_or_to_neither(document: object, is_good: bool) -> None:
    assert agree(document) == is_good


@pytest.mark.parametrize("name", [*KEYS, *ALIASES])
def test_every_spelling_of_a_key_is_known_to_both(name: str) -> None:
    for written in (name, name.replace("_", "-"), name.replace("_", "-", 1)):
        assert agree({"models": {"A": {written: None}}})
    assert not agree({"models": {"A": {f"{name}s": None}}})


@pytest.mark.parametrize("name", [*PARAMETERS, "repetition_penalty", "typical"])
def test_every_spelling_of_a_sampling_parameter_is_known_to_both(name: str) -> None:
    for written in (name, name.replace("_", "-")):
        assert agree({"models": {"A": {"sampling-parameters": {written: None}}}})
    assert not agree({"models": {"A": {"sampling-parameters": {f"x{name}": None}}}})


# What people write for one key or another, rightly or not.
VALUES: list[Any] = [
    None, True, False, "on", "off", "yes", "none", "all", "forever", "local", "",
    " ", "a", "a b", "a\nb", " a", "a ", "./x.gguf", "~/x", "/x\0y", "chatml", "coding", "f16",
    "q8_0", "enabled", "disabled", "auto", "layer", "yarn", "ngram", "isolate", "qwen-coder",
    "30s", "1h30m", "1.5m", "30", "soon", "5 m", "10GB", "512MiB", "1.5 g", "4096", "lots", "-1",
    "3,1", "0,0", "a=CPU", "=CPU", "a=", "a=b=CPU,c=GPU", "ffn_.*_exps=CPU", "x" * 100, "x" * 101,
    -2, -1, 0, 1, 2, 15, 16, 31, 32, 256, 257, 2048, 65537, 10**9, 10**13, 0.25, 1.5, -0.5,
    [], ["a"], ["a", ""], [1], [3, 1], [0, 0], [0, 1], [-1, 2], ["a=CPU"], ["a"] * 17, [1] * 17,
    [None], [[1]], {}, {"path": "a"}, {"path": "a", "scale": 2}, {"scale": 1},
    [{"path": "a"}, "b"], [{"path": "a", "weight": 1}], {"temperature": 1}, {"top-k": "x"},
    {"path": "a", "scale": "big"}, {"temperature": 3}, {"logit-bias": {"5": 1}},
    {"logit-bias": {"x": 1}}, {"dry_sequence_breakers": ["", "a"]}, {"seed": -1}, {"seed": 0.5},
]  # fmt: skip
# Shares may be texts in a list, which no editor needs to propose.
_LENIENT = {"tensor_split"}
# A rule between keys, and not of the value: `kronk config check` knows them.
_TOGETHER = {
    ("n_batch", 32): {"n_ubatch": 32},
    ("n_batch", 256): {"n_ubatch": 32},
    ("n_batch", 257): {"n_ubatch": 32},
    ("n_ubatch", 2048): {"n_batch": 2048},
    ("speculative", "draft"): {"draft_model": "x"},
    ("draft_min", 31): {"draft_max": 64},
    ("draft_min", 32): {"draft_max": 64},
    ("draft_max", 1): {"draft_min": 0},
}


@pytest.mark.parametrize("name", KEYS)
def test_a_value_is_good_to_both_or_to_neither(name: str) -> None:
    for value in VALUES:
        if name in _LENIENT and value in (["a"], ["a"] * 17, [None]):
            continue
        more = _TOGETHER.get((name, value), {}) if isinstance(value, int | str) else {}
        agree({"models": {"A": {name: value} | more}})


_SCALARS = (
    st.none() | st.booleans() | st.integers(-3, 70_000) | st.text("aq8_0 .=,/\\-", max_size=6)
)


@given(
    st.sampled_from(sorted(KEYS)),
    _SCALARS | st.lists(_SCALARS, max_size=3) | st.dictionaries(st.sampled_from(["path", "scale",
    "temperature", "top-p", "x"]), _SCALARS, max_size=2),
)  # fmt: skip
def test_what_the_schema_accepts_the_parser_reads(name: str, value: object) -> None:
    document = {"models": {"A": {name: value}}}
    if VALIDATOR.is_valid(document):
        _, problems = examine(yaml.safe_dump(document), FILE)
        together = ("must not exceed", "exclude each other", "needs the key", "needs flash")
        assert [each for each in problems if not any(w in each.message for w in together)] == []
