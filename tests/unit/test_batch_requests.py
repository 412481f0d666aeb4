"""What may be asked of files and batches."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import jsonschema
import pytest

from kronk.gateway.batches.endpoints import operation_makers
from kronk.gateway.batches.names import BATCH, FILE, is_name, new_name
from kronk.gateway.batches.patience import wait_before_retry
from kronk.gateway.batches.requests import (
    ENDPOINTS,
    BatchBody,
    BatchRequest,
    Upload,
    list_query,
    page_of,
    parse_batch,
    parse_upload,
)
from kronk.gateway.dialects.paging import Paging
from kronk.shared.errors import (
    Internal,
    InvalidArgument,
    KronkError,
    ModelCrashed,
    ModelFailed,
    NotFound,
    Overloaded,
    Timeout,
)
from kronk.shared.security.identity import OPEN

ASKED = {
    "input_file_id": "file-1",
    "endpoint": "/v1/embeddings",
    "completion_window": "24h",
}
ANCHOR, SECONDS = "expires_after[anchor]", "expires_after[seconds]"


def batch(**changes: Any) -> BatchRequest:
    whole = {name: value for name, value in (ASKED | changes).items() if value is not ...}
    return parse_batch(json.dumps(whole).encode())


def test_a_batch_is_asked_for_in_openais_words() -> None:
    kept = {"anchor": "created_at", "seconds": 7200}
    asked = batch(metadata={"a": "b"}, output_expires_after=kept)
    assert asked == BatchRequest("file-1", "/v1/embeddings", "24h", 86400, {"a": "b"}, 7200)


@pytest.mark.parametrize(("window", "seconds"), [("1s", 1), ("90m", 5400), ("720h", 2592000)])
def test_a_window_may_be_of_another_length(window: str, seconds: int) -> None:
    assert batch(completion_window=window).window == seconds


BAD_BATCHES: list[tuple[dict[str, Any], str, str]] = [
    ({"input_file_id": ...}, "input_file_id", "missing"),
    ({"input_file_id": 7}, "input_file_id", "string"),
    ({"endpoint": ...}, "endpoint", "missing"),
    ({"endpoint": "/v1/moderations"}, "endpoint", "/v1/chat/completions, /v1/completions"),
    ({"completion_window": ...}, "completion_window", "missing"),
    ({"completion_window": "a day"}, "completion_window", "24h"),
    ({"completion_window": "0"}, "completion_window", "from 1s"),
    ({"completion_window": "721h"}, "completion_window", "to 720h"),
    ({"metadata": []}, "metadata", "object"),
    ({"metadata": {str(n): "x" for n in range(17)}}, "metadata", "16"),
    ({"metadata": {"a": "x" * 513}}, "metadata.a", "512"),
    ({"metadata": {"a": 1}}, "metadata.a", "string"),
    ({"output_expires_after": {"anchor": "now", "seconds": 3600}}, "output_expires_after", "crea"),
    (
        {"output_expires_after": {"anchor": "created_at", "seconds": 3599}},
        "output_expires_after.seconds",
        "3600",
    ),
    ({"priority": "low"}, "priority", "Unrecognized"),
]


@pytest.mark.parametrize(("changes", "param", "says"), BAD_BATCHES)
def test_what_is_wrong_with_a_batch_is_named(
    changes: dict[str, Any], param: str, says: str
) -> None:
    with pytest.raises(InvalidArgument) as refused:
        batch(**changes)
    assert (refused.value.param or "").startswith(param)
    assert says in refused.value.message


@pytest.mark.parametrize(
    ("fields", "upload"),
    [
        ({"purpose": "batch"}, Upload("batch", 30 * 86400)),
        ({"purpose": "user_data"}, Upload("user_data", None)),
        ({"purpose": "batch", ANCHOR: "created_at", SECONDS: "3600"}, Upload("batch", 3600)),
    ],
)
def test_an_upload_says_what_it_is_for_and_how_long_it_is_kept(
    fields: dict[str, str], upload: Upload
) -> None:
    assert parse_upload(fields) == upload


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({}, "purpose"),
        ({"purpose": "batch_output"}, "purpose"),
        ({"purpose": "batch", SECONDS: "3600"}, ANCHOR),
        ({"purpose": "batch", ANCHOR: "now", SECONDS: "3600"}, ANCHOR),
        ({"purpose": "batch", ANCHOR: "created_at"}, SECONDS),
        ({"purpose": "batch", ANCHOR: "created_at", SECONDS: "3599"}, SECONDS),
        ({"purpose": "batch", ANCHOR: "created_at", SECONDS: "2592001"}, SECONDS),
        ({"purpose": "batch", ANCHOR: "created_at", SECONDS: "9" * 5000}, SECONDS),
        ({"purpose": "batch", ANCHOR: "created_at", SECONDS: "\u0663" * 4}, SECONDS),
        ({"purpose": "batch", "colour": "blue"}, "colour"),
    ],
)
def test_what_is_wrong_with_an_upload_is_named(fields: dict[str, str], param: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        parse_upload(fields)
    assert refused.value.param == param


def test_every_endpoint_can_be_asked_for_and_is_run() -> None:
    services: Any = SimpleNamespace(responses=SimpleNamespace(of=lambda identity: None))
    assert set(operation_makers(services, OPEN)) == set(ENDPOINTS)
    assert all(batch(endpoint=endpoint).endpoint == endpoint for endpoint in ENDPOINTS)


def test_the_schema_takes_what_is_taken() -> None:
    schema = BatchBody.model_json_schema()
    jsonschema.validate(ASKED, schema)
    for window in ("1s", "90m", "1h30m", "1.5h", "30d"):
        jsonschema.validate(ASKED | {"completion_window": window}, schema)
        batch(completion_window=window)
    wrong = jsonschema.Draft202012Validator(schema)
    for changes in ({"endpoint": "/v1/moderations"}, {"completion_window": "a day"}, {"x": 1}):
        assert not wrong.is_valid(ASKED | changes)


# Lists.


def test_names_are_in_the_order_they_were_made_in() -> None:
    for prefix, length in ((FILE, 5 + 24), (BATCH, 6 + 32)):
        names = [new_name(prefix) for _ in range(1000)]
        times = [name[: len(prefix) + 13] for name in names]
        assert times == sorted(times)
        assert len(set(names)) == 1000
        assert all(len(name) == length and is_name(prefix, name) for name in names)


@pytest.mark.parametrize("name", ["", "file-", "file-../../etc", "file-" + "g" * 24, "x" * 29])
def test_what_is_no_name_is_never_made_a_path_of(name: str) -> None:
    assert not is_name(FILE, name)


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("limit", [1, 2, 3, 4])
def test_pages_together_are_the_list(order: str, limit: int) -> None:
    names = sorted(new_name(FILE) for _ in range(7))
    found: list[str] = []
    after: dict[str, str] = {}
    has_more = True
    while has_more:
        query = {"order": order, "limit": str(limit)} | after
        page, has_more = page_of(names, list_query(query, FILE, 100, 20))
        assert len(page) == limit or not has_more
        found += page
        after = {"after": page[-1]}
    assert found == (names if order == "asc" else names[::-1])


def test_a_page_goes_on_where_something_was_deleted() -> None:
    names = sorted(new_name(FILE) for _ in range(3))
    assert page_of([names[0], names[2]], Paging(10, "asc", names[1])) == ([names[2]], False)


def test_a_list_is_the_newest_first_of_the_usual_length() -> None:
    assert list_query({}, BATCH, 100, 20) == Paging(20, "desc", None)


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "101"}, "limit"),
        ({"limit": "-1"}, "limit"),
        ({"limit": "x"}, "limit"),
        ({"limit": ""}, "limit"),
        ({"order": "up"}, "order"),
        ({"after": "file-1"}, "after"),
    ],
)
def test_what_is_wrong_with_a_query_is_named(query: dict[str, str], param: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        list_query(query, BATCH, 100, 20)
    assert refused.value.param == param


# Trying again.


@pytest.mark.parametrize(
    ("error", "attempts"),
    [
        (InvalidArgument("no"), 1),
        (NotFound("no model"), 1),
        (Internal("a bug"), 2),
        (Timeout("too long"), 2),
        (ModelCrashed("died"), 3),
        (ModelFailed("cannot be loaded"), 8),
    ],
)
def test_what_may_pass_is_tried_again_a_number_of_times(error: KronkError, attempts: int) -> None:
    waits = [wait_before_retry(error, tried, 0.0) for tried in range(1, attempts + 1)]
    assert waits[-1] is None
    assert None not in waits[:-1]


def test_being_busy_is_no_failure_however_long_it_lasts() -> None:
    busy = Overloaded("full")
    assert [wait_before_retry(busy, tried, 0.0) for tried in (1, 2, 3, 7, 5000)] == [
        1.0,
        2.0,
        4.0,
        60.0,
        60.0,
    ]


def test_a_wait_that_is_asked_for_is_kept_and_those_of_many_differ() -> None:
    failed = ModelFailed("later", retry_after=300.0)
    assert wait_before_retry(failed, 1, 0.0) == 300.0
    assert wait_before_retry(failed, 1, 1.0) == 450.0
