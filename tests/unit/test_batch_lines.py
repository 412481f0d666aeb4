"""What a batch's input may look like, and what is said of one that does not."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kronk.gateway.batches import lines
from kronk.gateway.batches.lines import MOST_FAULTS, MOST_LINES, Line, Validation
from kronk.gateway.batches.records import Fault
from kronk.gateway.body import MAX_BODY_BYTES

CHAT = "/v1/chat/completions"
BODY = {"model": "m", "messages": []}


def request(**changes: Any) -> dict[str, Any]:
    whole = {"custom_id": "a", "method": "POST", "url": CHAT, "body": BODY} | changes
    return {name: value for name, value in whole.items() if value is not ...}


def validated(*requests: dict[str, Any] | str) -> Validation:
    text = "\n".join(one if isinstance(one, str) else json.dumps(one) for one in requests)
    validation = Validation(CHAT)
    for number, raw in lines.read(io.BytesIO(text.encode())):
        if not validation.look(number, raw):
            return validation
    validation.end()
    return validation


FAULTS: list[tuple[dict[str, Any] | str, str, str | None, str]] = [
    ("{", "invalid_json_line", None, "not parseable as valid JSON"),
    ("\ufeff{", "invalid_json_line", None, "not parseable"),
    ('{"custom_id": NaN}', "invalid_json_line", None, "not parseable"),
    ('"text"', "invalid_json_line", None, "must be a JSON object, got a string"),
    (request(custom_id=...), "missing_required_parameter", "custom_id", "'custom_id'"),
    (request(custom_id=""), "missing_required_parameter", "custom_id", "'custom_id'"),
    (request(custom_id=7), "invalid_type", "custom_id", "must be a string, got 7"),
    (request(custom_id="x" * 513), "invalid_custom_id", "custom_id", "limit of 512"),
    (request(method=...), "missing_required_parameter", "method", "'method'"),
    (request(method="GET"), "invalid_method", "method", "must be 'POST'"),
    (request(url=...), "missing_required_parameter", "url", "'url'"),
    (request(url="/v1/embeddings"), "url_mismatch", "url", f"'{CHAT}'"),
    (request(body=...), "missing_required_parameter", "body", "'body'"),
    (request(body=[]), "invalid_type", "body", "must be an object, got an array"),
    (request(body={}), "missing_required_parameter", "body.model", "'body.model'"),
    (request(body={"model": 1}), "invalid_type", "body.model", "must be a string"),
    (request(colour="blue"), "unknown_parameter", "colour", "supplied: colour"),
]


@pytest.mark.parametrize(("line", "code", "param", "says"), FAULTS)
def test_a_bad_line_is_named_with_what_is_wrong(
    line: dict[str, Any] | str, code: str, param: str | None, says: str
) -> None:
    good = request(custom_id="good")
    (fault,) = validated(good, line, request(custom_id="too")).faults
    assert (fault.code, fault.line, fault.param) == (code, 2, param)
    assert says in fault.message


def test_good_lines_are_counted_and_name_their_model() -> None:
    validation = validated(*(request(custom_id=str(number)) for number in range(5)))
    assert (validation.faults, validation.total, validation.model) == ([], 5, "m")


def test_a_custom_id_may_be_there_once_only() -> None:
    (fault,) = validated(request(), request(custom_id="b"), request()).faults
    assert (fault.code, fault.line, fault.param) == ("duplicate_custom_id", 3, "custom_id")
    assert "line 1" in fault.message


def test_all_lines_name_one_model() -> None:
    other = request(custom_id="b", body={"model": "n"})
    (fault,) = validated(request(), other).faults
    assert (fault.code, fault.line, fault.param) == ("model_mismatch", 2, "body.model")


@pytest.mark.parametrize("text", ["", "\n", " \n\t\n"])
def test_a_file_without_requests_is_refused(text: str) -> None:
    (fault,) = validated(text).faults
    assert (fault.code, fault.line) == ("empty_file", None)


def test_more_lines_than_the_limit_are_refused() -> None:
    validation = Validation(CHAT)
    for number in range(1, MOST_LINES + 1):
        assert validation.look(number, json.dumps(request(custom_id=str(number))).encode())
    assert not validation.look(MOST_LINES + 1, json.dumps(request()).encode())
    (fault,) = validation.faults
    assert (fault.code, fault.line) == ("too_many_tasks", MOST_LINES + 1)
    assert str(MOST_LINES) in fault.message


def test_the_faults_of_a_file_that_is_no_batch_at_all_are_bounded() -> None:
    assert len(validated("\n".join(["no"] * 1000)).faults) == MOST_FAULTS


def test_blank_lines_and_a_byte_order_mark_are_passed_over_and_numbers_stay() -> None:
    text = b"\xef\xbb\xbf" + b"one\r\n\n  \ntwo\nthree"
    assert list(lines.read(io.BytesIO(text))) == [(1, b"one\r\n"), (4, b"two\n"), (5, b"three")]


def test_a_line_that_is_no_request_by_its_length_is_passed_over_whole() -> None:
    long = b'"' + b"x" * (MAX_BODY_BYTES * 2 + 5) + b'"'
    found = list(lines.read(io.BytesIO(b"one\n" + long + b"\nthree\n" + long)))
    assert found == [(1, b"one\n"), (2, None), (3, b"three\n"), (4, None)]
    fault = lines.parse(2, None, CHAT)
    assert isinstance(fault, Fault)
    assert (fault.code, fault.line) == ("line_too_long", 2)
    assert str(MAX_BODY_BYTES) in fault.message


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), _JSON, max_size=4), st.text(min_size=1, max_size=20))
def test_a_body_reaches_its_route_as_it_was_written(extra: dict[str, Any], custom_id: str) -> None:
    body = extra | {"model": "m"}
    raw = json.dumps(request(custom_id=custom_id, body=body)).encode()
    line = lines.parse(9, raw, CHAT)
    assert isinstance(line, Line)
    assert (line.number, line.custom_id, line.model) == (9, custom_id, "m")
    assert json.loads(line.body) == body
