"""The OpenAPI document: true to what the routes have in common, and readable by its tools."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jsonschema
import pytest
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from kronk.gateway import openapi
from kronk.gateway.app import make_app
from kronk.gateway.dialects.errors import envelope
from kronk.gateway.middleware import Activity
from kronk.gateway.telemetry.telemetry import Telemetry
from kronk.shared.errors import InvalidArgument
from kronk.shared.settings import resolve


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    services: Any = SimpleNamespace(
        activity=Activity(), telemetry=Telemetry(), audit=None, settings=resolve({}, {})
    )
    return make_app(services).openapi()


def schemas(document: dict[str, Any]) -> Any:
    """Every schema of a body, with the operation it is of."""
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            for body in (operation.get("requestBody", {}), *operation["responses"].values()):
                for content in body.get("content", {}).values():
                    yield f"{method} {path}", content["schema"]


def references(value: Any) -> Any:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for item in value.values():
            yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def test_schemas_are_schemas(document: dict[str, Any]) -> None:
    for where, schema in schemas(document):
        jsonschema.Draft202012Validator.check_schema(schema)
        assert "$defs" not in str(schema), where


def test_references_lead_somewhere(document: dict[str, Any]) -> None:
    resource = Resource.from_contents(document, DRAFT202012)
    resolver = Registry().with_resource("", resource).resolver()
    found = list(references(document))
    assert found
    for reference in found:
        resolver.lookup(reference)


def test_every_operation_says_what_it_takes_and_answers(document: dict[str, Any]) -> None:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            where = f"{method} {path}"
            assert operation["summary"], where
            assert operation["description"], where
            answers = operation["responses"]
            assert "422" not in answers, where
            assert all(answer["description"] for answer in answers.values()), where
            good = [answer for status, answer in answers.items() if status < "300"]
            assert good or path.endswith("/cancel"), where
            assert all(answer["content"] for answer in answers.values()), where
            # What is cancelled is named by the path, what is left by the cookie. Keys are alike.
            without = ("/cancel", "/v1/kronk/reload", "/v1/kronk/logout", "/security/keys")
            if method == "post" and not path.endswith(without):
                assert operation["requestBody"]["content"], where


@pytest.mark.parametrize(
    "path", ["/v1/chat/completions", "/v1/messages", "/v1/messages/count_tokens", "/api/chat"]
)
def test_errors_are_described_in_the_dialect_of_their_route(path: str) -> None:
    document = openapi.complete({"paths": {path: {"get": {"responses": {"200": {}}}}}})
    answer = document["paths"][path]["get"]["responses"]["503"]
    name = answer["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    schema = document["components"]["schemas"][name]
    error = envelope(InvalidArgument("'x' is wrong", param="x"), path, "req-1")
    jsonschema.validate(error, schema)
    others = [other for key, other in document["components"]["schemas"].items() if key != name]
    assert not any(jsonschema.Draft202012Validator(other).is_valid(error) for other in others)
    assert "Retry-After" in answer["headers"]


def test_what_a_route_says_of_an_error_stays() -> None:
    mine = {"description": "Not now.", "content": {"text/plain": {"schema": {}}}}
    document = openapi.complete({"paths": {"/x": {"get": {"responses": {"503": mine}}}}})
    kept = document["paths"]["/x"]["get"]["responses"]["503"]
    assert kept["description"] == "Not now."
    assert set(kept["content"]) == {"text/plain"}


def test_the_page_about_the_api_names_every_route(document: dict[str, Any]) -> None:
    page = (Path(__file__).parents[2] / "docs" / "api.md").read_text("utf-8")
    table = page.split("## Routes")[1].split("## ")[0]
    named = set(re.findall(r"(/[a-z0-9/_{}-]+)", re.sub(r"\]\([^)]*\)", "", table)))
    assert named == set(document["paths"])
