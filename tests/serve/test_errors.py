"""Every way to ask wrongly ends in one shape: status, code, the field at fault, and words.

A row is a request and what it is answered with; nothing of it reaches a model.
"""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest

from harness.server import Server, chat_body

CHAT = "/v1/chat/completions"
GOOD = chat_body("Count", "from 7", max_tokens=1)
USER = {"role": "user", "content": "from 7"}


def without(key: str) -> dict[str, Any]:
    return {name: value for name, value in GOOD.items() if name != key}


# What is sent, status, code, param.
BODIES: dict[str, tuple[Any, int, str, str | None]] = {
    "empty": (b"", 400, "invalid_argument", None),
    "not JSON": (b"{model: Count}", 400, "invalid_argument", None),
    "cut off": (json.dumps(GOOD).encode()[:-5], 400, "invalid_argument", None),
    "not UTF-8": (b'{"model": "\xff"}', 400, "invalid_argument", None),
    "NaN": (b'{"model": "Count", "temperature": NaN}', 400, "invalid_argument", None),
    "half a surrogate pair": (
        b'{"model": "Count", "messages": [{"role": "user", "content": "\\ud83d"}]}',
        400,
        "invalid_argument",
        "messages[0].content",
    ),
    "nested without end": (b"[" * 100_000, 400, "invalid_argument", None),
    "an array": ([GOOD], 400, "invalid_argument", None),
    "null": (b"null", 400, "invalid_argument", None),
    "no model": (without("model"), 400, "invalid_argument", "model"),
    "model is a number": (GOOD | {"model": 5}, 400, "invalid_argument", "model"),
    "model is empty": (GOOD | {"model": ""}, 400, "invalid_argument", "model"),
    "no such model": (GOOD | {"model": "nope"}, 404, "not_found", "model"),
    "a path as model": (GOOD | {"model": "../../etc/passwd"}, 404, "not_found", "model"),
    "a NUL in the model": (GOOD | {"model": "Count\0"}, 404, "not_found", "model"),
    "no messages": (without("messages"), 400, "invalid_argument", "messages"),
    "messages is a string": (GOOD | {"messages": "hi"}, 400, "invalid_argument", "messages"),
    "messages is empty": (GOOD | {"messages": []}, 400, "invalid_argument", "messages"),
    "a message is a string": (
        GOOD | {"messages": ["hi"]},
        400,
        "invalid_argument",
        "messages[0]",
    ),
    "no role": (
        GOOD | {"messages": [USER, {"content": "x"}]},
        400,
        "invalid_argument",
        "messages[1].role",
    ),
    "unknown role": (
        GOOD | {"messages": [{"role": "boss", "content": "x"}]},
        400,
        "invalid_argument",
        "messages[0].role",
    ),
    "no content": (
        GOOD | {"messages": [{"role": "user"}]},
        400,
        "invalid_argument",
        "messages[0].content",
    ),
    "content is a number": (
        GOOD | {"messages": [{"role": "user", "content": 7}]},
        400,
        "invalid_argument",
        "messages[0].content",
    ),
    "an image": (
        GOOD | {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
        400,
        "invalid_argument",
        "messages[0].content[0].type",
    ),
    "temperature is a string": (
        GOOD | {"temperature": "0"},
        400,
        "invalid_argument",
        "temperature",
    ),
    "temperature below zero": (GOOD | {"temperature": -1}, 400, "invalid_argument", "temperature"),
    "temperature too high": (GOOD | {"temperature": 2.5}, 400, "invalid_argument", "temperature"),
    "top_p above one": (GOOD | {"top_p": 1.5}, 400, "invalid_argument", "top_p"),
    "top_k below zero": (GOOD | {"top_k": -1}, 400, "invalid_argument", "top_k"),
    "min_p above one": (GOOD | {"min_p": 2}, 400, "invalid_argument", "min_p"),
    "seed is no integer": (GOOD | {"seed": 1.5}, 400, "invalid_argument", "seed"),
    "max_tokens is zero": (GOOD | {"max_tokens": 0}, 400, "invalid_argument", "max_tokens"),
    "max_tokens is a boolean": (GOOD | {"max_tokens": True}, 400, "invalid_argument", "max_tokens"),
    "two limits": (
        GOOD | {"max_completion_tokens": 2},
        400,
        "invalid_argument",
        "max_tokens",
    ),
    "stop is a number": (GOOD | {"stop": 7}, 400, "invalid_argument", "stop"),
    "stop is empty": (GOOD | {"stop": ""}, 400, "invalid_argument", "stop"),
    "too many stops": (GOOD | {"stop": ["x"] * 17}, 400, "invalid_argument", "stop"),
    "stream is a string": (GOOD | {"stream": "yes"}, 400, "invalid_argument", "stream"),
    "stream_options without a stream": (
        GOOD | {"stream_options": {"include_usage": True}},
        400,
        "invalid_argument",
        "stream_options",
    ),
    "an unknown stream option": (
        GOOD | {"stream": True, "stream_options": {"usage": True}},
        400,
        "invalid_argument",
        "stream_options.usage",
    ),
    "an unknown field": (GOOD | {"temprature": 1}, 400, "invalid_argument", "temprature"),
    "no answers": (GOOD | {"n": 0}, 400, "invalid_argument", "n"),
    "a tool without a function": (
        GOOD | {"tools": [{"type": "function"}]},
        400,
        "invalid_argument",
        "tools[0].function",
    ),
    "a call that is demanded without tools": (
        GOOD | {"tool_choice": "required"},
        400,
        "invalid_argument",
        "tool_choice",
    ),
    "too many alternatives": (GOOD | {"top_logprobs": 21}, 400, "invalid_argument", "top_logprobs"),
    "a format": (
        GOOD | {"response_format": {"type": "xml"}},
        400,
        "invalid_argument",
        "response_format.type",
    ),
    "two constraints": (GOOD | {"regex": "a", "grammar": "b"}, 400, "invalid_argument", "regex"),
    "audio": (
        GOOD | {"modalities": ["text", "audio"]},
        400,
        "invalid_argument",
        "modalities",
    ),
    "too large": (b" " * (33 * 1024 * 1024), 413, "too_large", None),
}

ROUTES = [
    ("GET", CHAT, 405, "method_not_allowed"),
    ("POST", "/v1/models", 405, "method_not_allowed"),
    ("DELETE", "/v1/models/Count", 405, "method_not_allowed"),
    ("GET", "/v1/models/nope", 404, "not_found"),
    ("GET", "/v1/nope", 404, "not_found"),
    ("POST", "/v1/chat/completions/", 404, "not_found"),
    ("GET", "/v1/models/..%2f..%2fetc%2fpasswd", 404, "not_found"),
]


def assert_one_shape(answer: Any, status: int, code: str) -> dict[str, Any]:
    """The contract of every error; returns the error."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert list(answer.json()) == ["error"]
    error: dict[str, Any] = answer.json()["error"]
    assert set(error) == {"message", "type", "code", "param"}
    assert error["code"] == code
    assert error["message"]
    assert error["type"] == ("invalid_request_error" if status < 500 else "server_error")
    assert "Traceback" not in error["message"]
    return error


@pytest.mark.parametrize("case", BODIES)
@pytest.mark.parametrize("streamed", [False, True])
def test_a_bad_body_names_the_field(house: Server, case: str, streamed: bool) -> None:
    body, status, code, param = BODIES[case]
    if isinstance(body, dict) and not case.startswith("stream"):
        # A stream's errors come before its first byte: they are real statuses too.
        body = body | ({"stream": True} if streamed else {})
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    error = assert_one_shape(house.http().post(CHAT, content=content), status, code)
    assert error["param"] == param
    if param is not None:
        assert param.rpartition(".")[2] in error["message"] or param in error["message"]


@pytest.mark.parametrize(("method", "path", "status", "code"), ROUTES)
def test_a_wrong_route_or_method_is_told_in_the_same_shape(
    house: Server, method: str, path: str, status: int, code: str
) -> None:
    answer = house.http().request(method, path)
    assert_one_shape(answer, status, code)
    if status == 405:
        assert answer.headers["allow"]


@pytest.mark.parametrize("streamed", [False, True])
def test_a_prompt_over_the_context_window_is_told_both_numbers(
    house: Server, streamed: bool
) -> None:
    # A token per byte, and one for the number.
    body = chat_body("Count", "x" * 2000 + " 7", stream=streamed)
    answer = house.http().post(CHAT, json=body)
    error = assert_one_shape(answer, 400, "context_length_exceeded")
    assert error["param"] == "messages"
    assert "1024" in error["message"]
    assert "2001" in error["message"]


def test_a_prompt_that_just_fits_is_answered_with_one_token(house: Server) -> None:
    answer = house.chat("Count", "x" * 1022 + " 7").json()
    assert answer["usage"] == answer["usage"] | {"prompt_tokens": 1023, "completion_tokens": 1}
    assert answer["choices"][0]["message"]["content"] == " 8"
    assert house.chat("Count", "x" * 1023 + " 7").status_code == 400


def test_the_official_client_raises_its_own_classes(house: Server) -> None:
    client = house.openai()
    good: list[Any] = [USER]
    with pytest.raises(openai.BadRequestError) as bad:
        client.chat.completions.create(model="Count", messages=good, temperature=9)
    assert (bad.value.code, bad.value.param) == ("invalid_argument", "temperature")
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="nope", messages=good)


def test_after_all_that_the_same_processes_serve(house: Server) -> None:
    assert house.chat("Count", "from 7", max_tokens=1).status_code == 200
    assert house.events("worker died") == []
    assert house.events("unexpected exception in a request") == []
