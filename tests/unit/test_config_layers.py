"""Which source of a setting wins, and what is told of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kronk.shared.config import in_force
from kronk.shared.errors import InvalidArgument
from kronk.shared.model_config import (
    Effective,
    ModelConfig,
    effective_of,
    parse_file,
    parse_recommended,
)

FILE = Path("/etc/kronk/models.yaml")


def of(text: str, recommended: dict[str, Any], name: str = "A", file: str = "A") -> Effective:
    return effective_of(parse_file(text, FILE).over({"A": recommended}), (name,), file)


def test_the_file_comes_before_the_catalog_and_that_before_the_default() -> None:
    found = of(
        "models:\n  A:\n    n_batch: 512\n    n_seq_max: null\n",
        {"n_batch": 1024, "n-seq-max": 2, "cache_type_k": "q8_0"},
    )
    config, origins = found.config, found.origins
    assert (config.n_batch, config.n_seq_max, config.cache_type_k) == (512, 2, "q8_0")
    assert (config.n_ubatch, config.context_window) == (512, None)
    told = ("n_batch", "n_seq_max", "cache_type_k", "n_ubatch", "sampling_parameters")
    assert [origins[key] for key in told] == [
        "file models.yaml:3",
        "catalog",
        "catalog",
        "default",
        "default",
    ]


def test_sampling_parameters_are_layered_one_by_one() -> None:
    found = of(
        "models:\n  A:\n    sampling-parameters:\n      top-p: 0.5\n",
        {"sampling_parameters": {"temperature": 0.6, "top_p": 0.95}},
    )
    sampling = found.config.sampling_parameters
    assert (sampling.temperature, sampling.top_p, sampling.top_k) == (0.6, 0.5, None)
    assert {key: origin for key, origin in found.origins.items() if "." in key} == {
        "sampling_parameters.temperature": "catalog",
        "sampling_parameters.top_p": "file models.yaml:4",
    }


def test_a_variant_has_its_files_recommendations_and_its_own_settings_alone() -> None:
    text = "models: {A: {n_batch: 1024}, A/IMC: {incremental_cache: true}}"
    found = of(text, {"cache_type_k": "q8_0"}, "A/IMC")
    config = found.config
    assert (config.n_batch, config.cache_type_k, config.incremental_cache) == (2048, "q8_0", True)


def test_a_model_that_nobody_says_anything_of_has_the_defaults() -> None:
    found = of("models: {B: {n_batch: 512}}", {"n_batch": 1024}, "C", "C")
    assert found.config == ModelConfig()
    assert set(found.origins.values()) == {"default"}


@pytest.mark.parametrize(
    ("own", "recommended", "kept"),
    [
        ("{system_prompt_cache: true}", {"incremental_cache": True, "n_batch": 600}, "n_batch"),
        ("{n_ubatch: 1024}", {"n_batch": 512, "n_ubatch": 256, "cache_ram": 5}, "cache_ram"),
        ("{flash_attention: disabled}", {"cache_type_v": "q8_0", "cache_ram": 5}, "cache_ram"),
        ("{speculative: ngram}", {"draft_model": "small", "cache_ram": 5}, "cache_ram"),
    ],
)
def test_a_recommendation_that_the_file_excludes_is_not_followed(
    own: str, recommended: dict[str, Any], kept: str
) -> None:
    alone = parse_file(f"models: {{A: {own}}}", FILE)["A"]
    found = of(f"models: {{A: {own}}}", recommended)
    assert [key for key, origin in found.origins.items() if origin == "catalog"] == [kept]
    assert getattr(found.config, kept) == recommended[kept]
    # Nothing else is different from the file's own.
    assert [
        key for key in found.origins if "." not in key and key != kept
        and getattr(found.config, key) != getattr(alone, key)
    ] == []  # fmt: skip


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"pin": True}, "c.pin: is not for a catalog to say"),
        ({"aliases": ["gpt-4o"]}, "c.aliases: is not for"),
        ({"projector": "/etc/passwd"}, "c.projector: is not for"),
        ({"draft_model": "../x"}, "c.draft_model: is not for"),
        ({"n_bath": 1}, "c.n_bath: no such key; did you mean n_batch"),
        ({"n_batch": 32}, "c.n_ubatch: must not exceed n_batch"),
    ],
)
def test_a_catalog_recommends_what_a_model_needs_and_nothing_else(
    keys: dict[str, Any], words: str
) -> None:
    with pytest.raises(InvalidArgument, match=words):
        parse_recommended(keys, "c")
    # One that was not checked has no effect either.
    refused = [key for key in keys if key in ModelConfig.__dataclass_fields__ and key != "n_batch"]
    assert all(of("", keys).origins[key] == "default" for key in refused)


def test_what_is_in_force_comes_back_as_it_was_kept() -> None:
    kept = in_force.encode("models: {A: {}}\n", {"A": {"n_batch": 512}})
    assert in_force.decode(kept) == ("models: {A: {}}\n", {"A": {"n_batch": 512}})


@pytest.mark.parametrize(
    "data", [b"", b"\xff", b"[]", b"{}", b'{"text": 1, "recommended": {}}',
             b'{"text": "", "recommended": {"A": 1}}', b'{"text": "", "recommended": []}']
)  # fmt: skip
def test_what_is_not_a_configuration_in_force_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidArgument, match="cannot be read"):
        in_force.decode(data)
