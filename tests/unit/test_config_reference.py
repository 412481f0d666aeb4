"""`deploy/model_config.yaml`, which people copy: it is right, and about models there are."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest
import yaml

from kronk.shared.config import schema
from kronk.shared.model_config import Configs, examine, parse_file
from kronk.shared.models import catalog
from kronk.shared.models.catalog import CatalogEntry

ROOT = Path(__file__).parents[2]
FILE = ROOT / "deploy" / "model_config.yaml"
TEXT = FILE.read_text("utf-8")


@pytest.fixture(scope="module")
def configs() -> Configs:
    return parse_file(TEXT, FILE)


@pytest.fixture(scope="module")
def entries() -> dict[str, CatalogEntry]:
    return {entry.id: entry for entry in catalog.load()}


def test_it_has_no_mistakes() -> None:
    assert [problem.line(FILE.name) for problem in examine(TEXT, FILE)[1]] == []


def test_editors_find_no_mistake_in_it_and_are_pointed_at_the_schema() -> None:
    jsonschema.validate(yaml.safe_load(TEXT), schema.document())
    line = TEXT.splitlines()[0]
    assert line.startswith("# yaml-language-server: $schema=")
    assert (FILE.parent / line.partition("=")[2]).resolve() == (ROOT / schema.PATH).resolve()


def test_its_models_are_in_the_catalog(configs: Configs, entries: dict[str, CatalogEntry]) -> None:
    models = {model.partition("/")[0] for model in configs}
    drafts = {config.draft_model for config in configs.values() if config.draft_model}
    assert models | drafts <= entries.keys()
    assert {entries[model].category for model in models} == set(catalog.CATEGORIES)


def test_it_shows_what_it_is_said_to_show(configs: Configs) -> None:
    settings = list(configs.values())
    assert any(config.incremental_cache for config in settings)
    assert any(config.system_prompt_cache for config in settings)
    assert any(config.rope_scaling == "yarn" for config in settings)
    assert any(config.sampling_preset for config in settings)
    assert any(config.n_cpu_moe for config in settings)
    assert any(config.draft_model for config in settings)


def test_the_catalogs_recommendations_go_with_it(
    configs: Configs, entries: dict[str, CatalogEntry]
) -> None:
    """Nothing of the file is lost where the two exclude each other."""
    recommended = {model: entry.config for model, entry in entries.items()}
    for model, own in configs.items():
        found = configs.over(recommended).effective([model], model.partition("/")[0])
        said = {key for key, origin in found.origins.items() if origin.startswith("file")}
        for key in said & {"context_window", "n_batch", "n_ubatch", "cache_type_v"}:
            assert getattr(found.config, key) == getattr(own, key), (model, key)
