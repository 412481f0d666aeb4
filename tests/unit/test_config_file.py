"""The model-config file as text: where its mistakes are, what merges do, what an empty one says."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kronk.shared.config import marks
from kronk.shared.config.problems import BadFile, Place, Problem
from kronk.shared.model_config import ModelConfig, examine, load_file, parse_file

FILE = Path("/etc/kronk/models.yaml")


def problems(text: str) -> list[str]:
    """What is wrong, as `line:column: text`."""
    return [each.line("")[1:] for each in examine(dedent(text), FILE)[1]]


@pytest.mark.parametrize(
    "text",
    ["", "---", "# nothing yet\n", "models:", "models: {}", "models: ~", "x-base: {n_batch: 1}"],
)
def test_a_file_that_says_nothing_is_fine(text: str) -> None:
    assert dict(parse_file(text, FILE)) == {}


@pytest.mark.parametrize("text", ["models: {A: }", "models: {A: {}}", "models: {A: {ttl: ~}}"])
def test_a_model_without_keys_has_the_defaults(text: str) -> None:
    assert dict(parse_file(text, FILE)) == {"A": ModelConfig()}


def test_a_mistake_is_told_with_line_column_model_key_and_the_nearest_key() -> None:
    text = """\
        models:
          Qwen3-8B:
            contextwindow: 4096
    """
    (found,) = examine(dedent(text), FILE)[1]
    assert found == Problem(
        "models.Qwen3-8B.contextwindow",
        "no such key; did you mean context_window?",
        Place(3, 5),
        "contextwindow",
        "Qwen3-8B",
    )
    with pytest.raises(BadFile) as refused:
        parse_file(dedent(text), FILE)
    assert refused.value.message == (
        "/etc/kronk/models.yaml:3:5: models.Qwen3-8B.contextwindow: no such key;"
        " did you mean context_window?"
    )


def test_all_mistakes_of_a_file_are_found_at_once_from_top_to_bottom() -> None:
    text = """\
        models:
          A:
            n_batch: lots
            n_batch: 512
            nbatch: 512
            sampling-parameters:
              temprature: 1
              top-p: 7
              top_p: 0.5
            system_prompt_cache: true
            incremental_cache: true
          B: [1]
          C: {aliases: [A], xyzzy: 1}
        model: {}
    """
    assert problems(text) == [
        "3:14: models.A.n_batch: expected a whole number from 32 to 65536, got 'lots'",
        "4:5: models.A.n_batch: is given twice, first in line 3",
        "5:5: models.A.nbatch: n_batch is given twice",
        "7:7: models.A.sampling-parameters.temprature: no such sampling parameter;"
        " did you mean temperature?",
        "8:7: models.A.sampling-parameters.top-p: expected a number from 0 to 1, got 7",
        "9:7: models.A.sampling-parameters.top_p: top_p is given twice",
        "10:5: models.A: system_prompt_cache and incremental_cache exclude each other"
        " (incremental_cache keeps the system prompt too)",
        "12:6: models.B: expected a map of keys, got [1]",
        "13:7: models.C.aliases: 'A' is the id of another model of this file",
        "13:21: models.C.xyzzy: no such key",
        "14:1: model: no such key; did you mean models?",
    ]


def test_the_refusal_of_a_server_has_the_first_mistake_and_the_number_of_the_others(
    tmp_path: Path,
) -> None:
    file = tmp_path / "m.yaml"
    file.write_text("models:\n  A: {x: 1, y: 2}\n  B: {z: 3}\n")
    with pytest.raises(BadFile) as refused:
        load_file(file)
    assert refused.value.message == (
        f"{file}:2:7: models.A.x: no such key (and 2 more: `kronk config check` lists them)"
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("models: [", "not YAML: expected the node content"),
        ("models:\n\tA: {}", "2:1: not YAML: found character '\\t'"),
        ("models: {A: {n_batch: !!python/name:os.system }}", "1:23: not YAML: could not determine"),
        ("models: {A: *nobody}", "1:13: not YAML: found undefined alias 'nobody'"),
        ("models: {}\n---\nmodels: {}", "2:1: not YAML: but found another document"),
        ("models: {A: {ttl: 2026-02-30}}", "not YAML: day is out of range"),
        ("models: {\x00}", "1:10: not YAML: special characters are not allowed"),
        ("[" * 2000, "not YAML that can be read: too many things within each other"),
        ("[]", "1:1: expected a map with the key `models`"),
        ("models: []", "1:9: models: expected a map of models"),
        ("models: {A: &a {n_batch: 512, x: *a}}", "models.A.x: an alias of what it stands in"),
        ("models: {? [1] : {}}", "1:12: models: expected a name for a key"),
        ("models: {A: {}, A: {}}", "1:17: models.A: is given twice, first in line 1"),
        ("models: {}\nmodels: {}", "2:1: models: is given twice, first in line 1"),
        ("models: {A: {<<: 5}}", "1:18: models.A.<<: expected a map, or a list of maps, to merge"),
        ("x-a: &a {}\nmodels: {A: {<<: *a, <<: *a}}", "2:22: models.A.<<: is given twice"),
        (
            "anchors: {}",
            "1:1: anchors: no such key; settings go below `models`, and maps that are only there"
            " to be merged below a key such as `x-anchors`",
        ),
        ("Models: {}", "1:1: Models: no such key; did you mean models?"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place(text: str, words: str) -> None:
    assert words in "\n".join(problems(text))


def test_what_a_model_says_comes_before_what_it_merges_whatever_the_spelling() -> None:
    configs = parse_file(
        dedent("""\
            x-small: &small {n-batch: 512, n-ubatch: 256}
            x-fast: &fast {n_ubatch: 128, cache_type_k: q8_0}
            models:
              A: {nubatch: 64, <<: [*small, *fast]}
              B: &b {<<: *small, aliases: [b], sampling_parameters: {top_k: 1}}
              B/LONG: {<<: *b, sampling_parameters: {top_p: 0.5}}
        """),
        FILE,
    )
    assert (configs["A"].n_batch, configs["A"].n_ubatch, configs["A"].cache_type_k) == (
        512,
        64,
        "q8_0",
    )
    # A map within a map is replaced, not joined, and names are one model's own.
    long = configs["B/LONG"]
    assert (long.n_ubatch, long.aliases, long.sampling_parameters.top_k) == (256, (), None)
    assert configs["B"].aliases == ("b",)


def test_a_mistake_that_several_models_merge_is_told_once() -> None:
    text = "x-a: &a\n  n_bath: 1\nmodels: {A: {<<: *a}, B: {<<: *a}}"
    assert problems(text) == ["2:3: models.A.n_bath: no such key; did you mean n_batch?"]


def test_a_models_id_is_the_text_that_stands_there() -> None:
    assert list(parse_file("models: {1.50: {}, on: {}, 2026-01-01: {}}", FILE)) == [
        "1.50",
        "on",
        "2026-01-01",
    ]


def test_a_model_that_inherits_nothing_is_a_variant() -> None:
    configs = parse_file("models: {A: {n_batch: 512}, A/IMC: {incremental_cache: true}}", FILE)
    assert configs["A/IMC"].n_batch == ModelConfig().n_batch


@given(st.text(st.sampled_from("models: {}[]&*<->|?!%#'\"\n\tAab1.,~x\\"), max_size=60))
def test_whatever_a_file_has_it_is_read_or_refused_with_a_place(text: str) -> None:
    configs, found = examine(text, FILE)
    assert all(each.place is None or each.place.line >= 1 for each in found)
    assert found or all(isinstance(config, ModelConfig) for config in configs.values())


_KEYS = st.text("abc", min_size=1, max_size=2)
_VALUES = st.recursive(
    st.integers() | st.booleans() | st.none() | st.text("abc ", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(_KEYS, _VALUES, max_size=4))
def test_values_are_the_same_as_yamls_own(document: dict[str, object]) -> None:
    found: list[Problem] = []
    read = marks.read(yaml.safe_dump(document), found.append)
    assert read is not None and read.value == document
    assert found == []
