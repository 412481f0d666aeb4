"""`keep_alive` and `ttl`: how long a request's model stays loaded."""

from __future__ import annotations

import json
import math
from types import SimpleNamespace
from typing import Any

import pytest

from kronk.gateway import operations
from kronk.gateway.dialects import residency
from kronk.shared.errors import InvalidArgument

EVER = math.inf


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        (0, 0.0),
        (300, 300.0),
        (1.5, 1.5),
        (-1, EVER),
        (-0.5, EVER),
        (-(10**400), EVER),
        ("0", 0.0),
        ("0s", 0.0),
        ("300", 300.0),
        ("5m", 300.0),
        ("1h30m", 5400.0),
        ("250ms", 0.25),
        ("1.5m", 90.0),
        ("-1", EVER),
        ("-1m", EVER),
        (" 5m ", 300.0),
    ],
)
def test_a_span_is_a_number_of_seconds_or_a_duration(value: Any, seconds: float | None) -> None:
    assert residency.seconds(value, "keep_alive") == seconds


@pytest.mark.parametrize(
    "value",
    ["", "soon", "5 m", "-", "--1", "m", "1e3", "9" * 400, True, [], {}, 10**400, 4e9],
)
def test_what_is_no_span_is_refused_by_name(value: Any) -> None:
    with pytest.raises(InvalidArgument) as caught:
        residency.seconds(value, "ttl")
    assert caught.value.param == "ttl"
    assert "'ttl'" in caught.value.message


@pytest.mark.parametrize(
    ("keep_alive", "ttl", "seconds"), [(None, None, None), ("5m", None, 300.0), (None, 60, 60.0)]
)
def test_either_field_says_it(keep_alive: Any, ttl: Any, seconds: float | None) -> None:
    assert residency.ttl(SimpleNamespace(keep_alive=keep_alive, ttl=ttl)) == seconds


def test_both_fields_at_once_are_refused() -> None:
    with pytest.raises(InvalidArgument, match="send one of them"):
        residency.ttl(SimpleNamespace(keep_alive=0, ttl=0))


@pytest.mark.parametrize("extra", [{}, {"keep_alive": -1}, {"ttl": "10m"}, {"keep_alive": 0}])
@pytest.mark.parametrize(
    ("parse", "body"),
    [
        (operations.chat_operation, {"messages": [{"role": "user", "content": "Hi"}]}),
        (operations.completion_operation, {"prompt": ["a", "b"]}),
        (operations.embedding_operation, {"input": "a"}),
        (operations.rerank_operation, {"query": "a", "documents": ["b"]}),
    ],
)
def test_every_kind_of_request_takes_them(parse: Any, body: Any, extra: Any) -> None:
    operation = parse(json.dumps({"model": "m", **body, **extra}).encode())
    expected = residency.ttl(SimpleNamespace(**{"keep_alive": None, "ttl": None} | extra))
    assert {job.ttl for job in operation.jobs} == {expected}
