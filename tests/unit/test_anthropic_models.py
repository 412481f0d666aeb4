"""Anthropic's list of models, page by page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest
from anthropic.types import ModelInfo

from kronk.gateway.dialects.anthropic.models import MODELS, model, models
from kronk.shared.errors import InvalidArgument
from kronk.shared.models.index import ModelEntry


def entry(name: str) -> ModelEntry:
    return ModelEntry(name, Path(f"/models/{name}.gguf"), 1, 1700000000, True, None)


ENTRIES = [entry(f"m{number:02}") for number in range(25)]


def page(**query: str) -> tuple[list[str], bool]:
    found = models(ENTRIES, query)
    jsonschema.validate(found, MODELS)
    ids = [item["id"] for item in found["data"]]
    assert (found["first_id"], found["last_id"]) == ((ids[0], ids[-1]) if ids else (None, None))
    return ids, found["has_more"]


def named(first: int, last: int) -> list[str]:
    return [f"m{number:02}" for number in range(first, last)]


def test_a_model_is_anthropics() -> None:
    found = ModelInfo.model_validate(model(entry("org/it")))
    assert found.model_extra == {}
    assert (found.id, found.display_name) == ("org/it", "org/it")
    assert found.created_at.isoformat() == "2023-11-14T22:13:20+00:00"


@pytest.mark.parametrize(
    ("query", "ids", "has_more"),
    [
        ({}, named(0, 20), True),
        ({"limit": "1000"}, named(0, 25), False),
        ({"limit": "25"}, named(0, 25), False),
        ({"after_id": "m19"}, named(20, 25), False),
        ({"after_id": "m04", "limit": "3"}, named(5, 8), True),
        ({"after_id": "m24"}, [], False),
        ({"before_id": "m05"}, named(0, 5), False),
        ({"before_id": "m05", "limit": "3"}, named(2, 5), True),
        ({"before_id": "m00"}, [], False),
        ({"unknown": "x"}, named(0, 20), True),
    ],
)
def test_a_page_is_what_was_asked_for(
    query: dict[str, str], ids: list[str], has_more: bool
) -> None:
    assert page(**query) == (ids, has_more)


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "1001"}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"limit": "\uff11"}, "limit"),
        ({"limit": "9" * 5000}, "limit"),
        ({"after_id": "nobody"}, "after_id"),
        ({"before_id": ""}, "before_id"),
        ({"after_id": "m01", "before_id": "m02"}, "before_id"),
    ],
)
def test_a_page_that_cannot_be_is_refused(query: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        models(ENTRIES, query)
    assert caught.value.param == param


def test_no_models_are_an_empty_page() -> None:
    found = models([], {})
    assert found == {"data": [], "has_more": False, "first_id": None, "last_id": None}
