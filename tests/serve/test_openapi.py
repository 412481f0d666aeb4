"""A running server keeps what its OpenAPI document says, whatever is sent to it.

Requests are made up from the document, good and bad ones by it; they are the same in each run,
unless KRONK_RANDOM is set, which makes up more. No answer may be a 5xx, and each must have a
status, a type, headers and a body that the document knows.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from harness import random_pooled
from harness.routes import ENDLESS_ROUTES
from harness.server import SMALL, Server, running_server
from kronk.gateway.app import make_app
from kronk.gateway.dialects.residency import MOST_SECONDS
from kronk.gateway.middleware import Activity
from kronk.gateway.telemetry.telemetry import Telemetry
from kronk.shared.settings import resolve

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
# As in the other tests that make things up.
LOOKS_FURTHER = "KRONK_RANDOM" in os.environ
# No request may keep the server busy for long.
MOST = {
    "max_tokens": 4,
    "max_completion_tokens": 4,
    "max_output_tokens": 16,
    "num_predict": 4,
    "n": 2,
}
LARGEST = dict.fromkeys(MOST, 2**31 - 1) | {"n": 128}
# Where a request that does not say so would go on to the end of the context.
BOUNDED_BY = {
    "/v1/chat/completions": "max_tokens",
    "/v1/completions": "max_tokens",
    "/v1/messages": "max_tokens",
    "/v1/responses": "max_output_tokens",
}
# Which model knows what to do.
MODELS = {"/v1/embeddings": "Mean", "/api/embed": "Mean", "rerank": "Rank"}


def _document() -> dict[str, Any]:
    services: Any = SimpleNamespace(
        activity=Activity(), telemetry=Telemetry(), audit=None, settings=resolve({}, {})
    )
    return make_app(services).openapi()


API = schemathesis.openapi.from_dict(_document())
# What is answered for as long as somebody listens is held against the document elsewhere.
ENDLESS = frozenset(route.path for route in ENDLESS_ROUTES)
OPERATIONS = [
    operation
    for result in API.get_all_operations()
    if (operation := result.ok()).path not in ENDLESS
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("models")
    files = {
        "test/tiny/Tiny.gguf": random_pooled.CHAT,
        "test/pooled/Mean.gguf": random_pooled.encoder(folder / "mean.gguf", random_pooled.MEAN),
        "test/pooled/Rank.gguf": random_pooled.RERANKER,
    }
    pooled = {"n_threads": 1}
    config: dict[str, Any] = {"Tiny": SMALL, "Mean": pooled, "Rank": pooled}
    flags = ("--cache-ttl=0", "--models-in-cache=9")
    with running_server(tmp_path_factory.mktemp("own"), files, config, *flags) as server:
        yield server


def exchange(case: Any, server: Server, session: requests.Session, mode: GenerationMode) -> Any:
    """Send it, for a model that is there and for few tokens, and hold the answer against what the
    document says."""
    if mode is GenerationMode.POSITIVE:
        case.body = written(case.body)
    if isinstance(case.body, dict):
        tame(case.body, case.operation.path)
    answer = case.call(base_url=server.url, session=session, timeout=60)
    checks = [*CHECKS, negative_data_rejection] if mode is GenerationMode.NEGATIVE else CHECKS
    case.validate_response(answer, checks=checks)
    return answer


def written(value: Any) -> Any:
    """As clients write it: whole numbers without a point, and tokens that a vocabulary has."""
    match value:
        case dict():
            return {key: written(item) for key, item in value.items()}
        case list():
            is_tokens = bool(value) and all(type(item) in (int, float) for item in value)
            return [int(item) % 2000 if is_tokens else written(item) for item in value]
        case float() if value.is_integer():
            return int(value)
    return value


def tame(body: dict[str, Any], path: str) -> None:
    """What is good stays good, and what is bad stays bad."""
    if isinstance(body.get("model"), str) and 1 <= len(body["model"]) <= 1024:
        body["model"] = next((model for part, model in MODELS.items() if part in path), "Tiny")
    if path == "/api/v1/benchmark/runs":
        # One that is begun would measure while others are tested.
        body["model"] = "nope" if isinstance(body.get("model"), str) else body.get("model")
        if isinstance(body.get("base_url"), str):
            body["base_url"] = "ftp://nope"
    parts = [body]
    if path in BOUNDED_BY:
        body.setdefault(BOUNDED_BY[path], 4)
    if path in ("/api/chat", "/api/generate"):
        options = body.setdefault("options", {})
        if isinstance(options, dict):
            options.setdefault("num_predict", 4)
            parts.append(options)
    for part in parts:
        for name, most in MOST.items():
            if type(part.get(name)) is int and most < part[name] <= LARGEST[name]:
                part[name] = most
    # A model that goes and comes costs a second each time.
    for name in ("ttl", "keep_alive"):
        if type(body.get(name)) in (int, float) and body[name] <= MOST_SECONDS:
            body[name] = 60


def fuzz(operation: Any, server: Server, mode: GenerationMode) -> None:
    @settings(
        max_examples=200 if LOOKS_FURTHER else 20,
        deadline=None,
        derandomize=not LOOKS_FURTHER,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy(generation_mode=mode))
    def check(case: Any) -> None:
        exchange(case, server, session, mode)

    # Of some bodies there is none that is not good.
    with requests.Session() as session, contextlib.suppress(Unsatisfiable):
        check()


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
def test_good_requests_are_answered_as_described(operation: Any, server: Server) -> None:
    fuzz(operation, server, GenerationMode.POSITIVE)


@pytest.mark.parametrize(
    "operation", [one for one in OPERATIONS if one.body], ids=lambda operation: operation.label
)
def test_bad_requests_are_refused_as_described(operation: Any, server: Server) -> None:
    fuzz(operation, server, GenerationMode.NEGATIVE)
