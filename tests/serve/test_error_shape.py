"""Every way to ask wrongly, on every route, ends in one shape.

The contract: a 4xx with the right code, in the envelope of the route's dialect, that names the
field at fault in its words and in `param`; whatever was sent, never a 500, never a guess. A route
that is not in the tables of `harness.routes` fails the first test here.
"""

from __future__ import annotations

import base64
import contextlib
import copy
import http.client
import json
import re
import socket
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from harness import random_pooled
from harness.error_shape import (
    NO_METHOD,
    NO_ROUTE,
    TOO_LARGE,
    Refusal,
    assert_refused,
    bad,
    missing,
)
from harness.random_pooled import MEAN, RERANKER
from harness.routes import (
    BY_PATH,
    FORM_ROUTES,
    JSON_ROUTES,
    PLAIN_ROUTES,
    FormRoute,
    JsonRoute,
    known,
    said,
    served,
)
from harness.server import SMALL, Server, running_server

CHAT, COMPLETIONS, MESSAGES = "/v1/chat/completions", "/v1/completions", "/v1/messages"
RESPONSES = "/v1/responses"
COUNT, EMBEDDINGS, RERANK = "/v1/messages/count_tokens", "/v1/embeddings", "/v1/rerank"
BOUNDARY = "b0undary"
FORM = f"multipart/form-data; boundary={BOUNDARY}"
HUNDRED_MB = 100 * 1024 * 1024
DEEP = 10_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("models")
    files = {
        "test/tiny/Tiny.gguf": random_pooled.CHAT,
        "test/pooled/Mean.gguf": random_pooled.encoder(folder / "mean.gguf", MEAN),
        "test/pooled/Rank.gguf": RERANKER,
    }
    config: dict[str, Any] = {"Mean": {"n_threads": 1}, "Rank": {"n_threads": 1}}
    base = tmp_path_factory.mktemp("shapes")
    flags = ("--cache-ttl=0", "--models-in-cache=9")
    with running_server(base, files, config | {"Tiny": SMALL}, *flags) as server:
        yield server
        # All of it was in a day's work: no traceback, no dead worker.
        assert server.alarms() == []


@pytest.fixture(scope="module")
def client(server: Server) -> httpx.Client:
    return server.http()


def test_every_route_has_its_cases_here() -> None:
    assert served() == known()


@pytest.mark.parametrize("route", JSON_ROUTES, ids=lambda route: route.path)
def test_the_good_requests_are_good(client: httpx.Client, route: JsonRoute) -> None:
    answer = client.post(route.path, json=route.good)
    assert answer.status_code == route.status, answer.text


# Bodies that are no requests at all.


def nested(opening: str, closing: str) -> bytes:
    return (opening * DEEP + closing * DEEP).encode()


def replaced(route: JsonRoute, value: Any) -> dict[str, Any]:
    """The route's good body with another value for its text."""
    body = copy.deepcopy(route.good)
    inner: Any = body
    for step in route.text[:-1]:
        inner = inner[step]
    inner[route.text[-1]] = value
    return body


def text_param(route: JsonRoute) -> str:
    first, *rest = route.text
    return str(first) + "".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in rest)


def with_raw(route: JsonRoute, value: bytes) -> bytes:
    """The good body with these bytes for its text."""
    mark = "@@@"
    return json.dumps(replaced(route, mark)).encode().replace(b'"@@@"', value)


RAW: dict[str, tuple[bytes, Refusal]] = {
    "nothing": (b"", bad(None)),
    "white space": (b"  \n", bad(None)),
    "words": (b"{model: Tiny}", bad(None)),
    "an array": (b"[]", bad(None)),
    "null": (b"null", bad(None)),
    "a text": (b'"Tiny"', bad(None)),
    "a number": (b"1e400", bad(None)),
    "bytes that are not UTF-8": (b'{"model": "\xff"}', bad(None)),
    "UTF-16": ('{"model": "Tiny"}'.encode("utf-16"), bad(None)),
    "NUL bytes": (b"\0" * 64, bad(None)),
    "10,000 arrays": (nested("[", "]"), bad(None)),
    "10,000 objects": (nested('{"model":', "}").replace(b":}", b":1}"), bad(None)),
    "arrays without end": (b"[" * 1_000_000, bad(None)),
    "a form": (b"model=Tiny&prompt=x", bad(None)),
}


@pytest.mark.parametrize("case", RAW)
@pytest.mark.parametrize("route", JSON_ROUTES, ids=lambda route: route.path)
def test_a_body_that_is_no_request(client: httpx.Client, route: JsonRoute, case: str) -> None:
    content, expected = RAW[case]
    assert_refused(client.post(route.path, content=content), expected)


# What the text of a request may not be: as it is sent, and whether the field is named.
TEXTS: dict[str, tuple[bytes, bool]] = {
    "half a surrogate pair": (b'"\\ud83d"', True),
    "the other half": (b'"x\\udc00"', True),
    "bytes that are not UTF-8": (b'"\xc3("', False),
    "an encoded surrogate": (b'"\xed\xa0\x80"', False),
    "a raw NUL": (b'"a\0b"', False),
    "NaN": (b"NaN", False),
    "Infinity": (b"-Infinity", False),
    "10,000 arrays": (nested("[", "]"), False),
    "a number": (b"5", True),
    "a boolean": (b"true", True),
    "an object": (b"{}", True),
    "a number out of any range": (b"1e999", True),
}


@pytest.mark.parametrize("case", TEXTS)
@pytest.mark.parametrize("route", JSON_ROUTES, ids=lambda route: route.path)
def test_a_text_that_is_none(client: httpx.Client, route: JsonRoute, case: str) -> None:
    value, is_named = TEXTS[case]
    answer = client.post(route.path, content=with_raw(route, value))
    assert_refused(answer, bad(text_param(route) if is_named else None))


@pytest.mark.parametrize("route", JSON_ROUTES, ids=lambda route: route.path)
def test_a_body_that_is_cut_off(client: httpx.Client, route: JsonRoute) -> None:
    whole = json.dumps(route.good).encode()
    for end in (1, len(whole) // 2, len(whole) - 1):
        assert_refused(client.post(route.path, content=whole[:end]), bad(None))


@pytest.mark.parametrize("route", [*JSON_ROUTES, *FORM_ROUTES], ids=lambda route: route.path)
def test_a_body_of_100_mb_is_refused_before_it_is_sent(
    server: Server, route: JsonRoute | FormRoute
) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    with contextlib.closing(connection):
        connection.putrequest("POST", route.path)
        size = HUNDRED_MB if isinstance(route, JsonRoute) else route.too_large
        connection.putheader("Content-Length", str(size))
        connection.putheader("Content-Type", FORM)
        connection.endheaders()
        with connection.getresponse() as got:
            content = got.read()
    request = httpx.Request("POST", f"{server.url}{route.path}")
    answer = httpx.Response(got.status, headers=got.getheaders(), content=content, request=request)
    named = None if isinstance(route, JsonRoute) else route.too_large_param
    assert_refused(answer, TOO_LARGE._replace(param=named))


@pytest.mark.parametrize("route", [*JSON_ROUTES, *FORM_ROUTES[:2]], ids=lambda route: route.path)
def test_a_body_that_grows_too_large_is_refused(
    client: httpx.Client, route: JsonRoute | FormRoute
) -> None:
    # Without its length, so that only counting finds out.
    parts = (b" " * 2**20 for _ in range(40))
    answer = client.post(route.path, content=parts, headers={"content-type": FORM})
    assert_refused(answer, TOO_LARGE)


@pytest.mark.parametrize("route", JSON_ROUTES, ids=lambda route: route.path)
def test_a_client_that_leaves_in_the_middle_of_its_body_leaves_nothing(
    server: Server, route: JsonRoute
) -> None:
    body = json.dumps(route.good).encode()
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        head = f"POST {route.path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body[:9])
    assert server.status()["data"] is not None


# Which model.

MODELS: dict[str, tuple[Any, Refusal]] = {
    "null": (None, bad("model")),
    "a number": (5, bad("model")),
    "an array": (["Tiny"], bad("model")),
    "empty": ("", bad("model")),
    "very long": ("x" * 5000, bad("model")),
    "not there": ("nope", missing("model")),
    "a path": ("../../etc/passwd", missing("model")),
    "an absolute path": ("/etc/passwd", missing("model")),
    "with a NUL": ("Tiny\0", missing("model")),
    "of a variant that is not there": ("Tiny/NOPE", missing("model")),
    "with a line's end": ("Tiny\n", missing("model")),
}


OF_MODELS = [route for route in JSON_ROUTES if route.has_model]


@pytest.mark.parametrize("case", MODELS)
@pytest.mark.parametrize("route", OF_MODELS, ids=lambda route: route.path)
def test_a_model_that_is_none(client: httpx.Client, route: JsonRoute, case: str) -> None:
    model, expected = MODELS[case]
    assert_refused(client.post(route.path, json=route.body(model=model)), expected)
    if route.streams:
        streamed = route.body(model=model, stream=True)
        assert_refused(client.post(route.path, json=streamed), expected)


@pytest.mark.parametrize("route", JSON_ROUTES, ids=lambda route: route.path)
def test_each_field_that_must_be_there(client: httpx.Client, route: JsonRoute) -> None:
    for name in route.required:
        body = {key: value for key, value in route.good.items() if key != name}
        assert_refused(client.post(route.path, json=body), bad(name))


@pytest.mark.parametrize("route", JSON_ROUTES, ids=lambda route: route.path)
def test_a_field_that_nobody_knows(client: httpx.Client, route: JsonRoute) -> None:
    for name in ("temprature", "x" * 64, "\u00e4", "__proto__", "a\0b"):
        assert_refused(client.post(route.path, json=route.body(**{name: 1})), bad(name))


@pytest.mark.parametrize("route", OF_MODELS, ids=lambda route: route.path)
def test_of_a_field_that_is_there_twice_the_last_counts(
    client: httpx.Client, route: JsonRoute
) -> None:
    """As JavaScript and Python have it; what does not count is not looked at."""
    good = json.dumps(route.good)
    wrong = good.replace(json.dumps(route.good["model"]), '"nope"')
    for first, last, status in ((good, wrong, 404), (wrong, good, 200)):
        twice = f"{first[:-1]},{last[1:]}"
        assert client.post(route.path, content=twice).status_code == status


# A NUL that is written as an escape is a character like any other.


@pytest.mark.parametrize(
    "route", [route for route in JSON_ROUTES if route.is_text], ids=lambda route: route.path
)
def test_a_text_with_a_nul_is_read_to_its_end(client: httpx.Client, route: JsonRoute) -> None:
    tokens = [
        input_tokens(client.post(route.path, json=replaced(route, text)))
        for text in ("a", "a\0 and so on to the end", "\0" * 100)
    ]
    assert tokens[0] < tokens[1]


def input_tokens(answer: httpx.Response) -> int:
    assert answer.status_code == 200, answer.text
    body = answer.json()
    for name in ("tokens", "prompt"):
        if name in body:
            return len(body[name])
    found = body.get("usage", body)
    names = ("prompt_tokens", "input_tokens", "prompt_eval_count")
    return int(next(found[name] for name in names if name in found))


# What a field of a request may not be.

# What is sent beside a good request, and the field that is named, or more where it is not a 400.
Cases = dict[str, tuple[dict[str, Any], str | Refusal]]


def tool(**fields: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": "f", **fields}}


def schema(value: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "n", "schema": value}}


LONG = {"type": "string", "minLength": 40}
SCHEMA_TOOL = {"type": "object", "properties": {"a": {"type": "int"}}}
DEEP_SCHEMA: dict[str, Any] = {}
for _ in range(97):
    DEEP_SCHEMA = {"type": "object", "properties": {"a": DEEP_SCHEMA}}

# The sampling parameters of all that generates, by their names on the wire.
SAMPLING: Cases = {
    "temperature is a text": ({"temperature": "0"}, "temperature"),
    "temperature is true": ({"temperature": True}, "temperature"),
    "temperature is negative": ({"temperature": -1}, "temperature"),
    "temperature is too high": ({"temperature": 9}, "temperature"),
    "top_p above one": ({"top_p": 1.5}, "top_p"),
    "top_p below zero": ({"top_p": -0.1}, "top_p"),
    "top_k is negative": ({"top_k": -1}, "top_k"),
    "top_k is a fraction": ({"top_k": 1.5}, "top_k"),
    "min_p above one": ({"min_p": 2}, "min_p"),
    "seed is a fraction": ({"seed": 1.5}, "seed"),
    "logit_bias of no token": ({"logit_bias": {"x": 1}}, "logit_bias"),
    "logit_bias of a token that is not there": ({"logit_bias": {"999999": 1}}, "logit_bias"),
}
LIMITS: Cases = {
    "max_tokens is negative": ({"max_tokens": -1}, "max_tokens"),
    "max_tokens is a fraction": ({"max_tokens": 1.5}, "max_tokens"),
    "max_tokens is a text": ({"max_tokens": "5"}, "max_tokens"),
    "max_tokens is huge": ({"max_tokens": 2**63}, "max_tokens"),
}
STREAM: Cases = {
    "stream is a text": ({"stream": "yes"}, "stream"),
    "stream is a number": ({"stream": 1}, "stream"),
}
OPENAI_FORM: Cases = {
    "max_tokens is zero": ({"max_tokens": 0}, "max_tokens"),
    "no choices": ({"n": 0}, "n"),
    "negative choices": ({"n": -1}, "n"),
    "too many choices": ({"n": 129}, "n"),
    "stop is a number": ({"stop": 5}, "stop"),
    "stop is empty": ({"stop": ""}, "stop"),
    "stop has a number": ({"stop": ["a", 5]}, "stop"),
    "too many stops": ({"stop": ["x"] * 17}, "stop"),
    "a format of no type": ({"response_format": {}}, "response_format.type"),
    "an unknown format": ({"response_format": {"type": "xml"}}, "response_format.type"),
    "a bad regex": ({"regex": "(unclosed"}, "regex"),
    "a regex with a NUL": ({"regex": "a\0("}, "regex"),
    "a bad grammar": ({"grammar": "root ::= other"}, "grammar"),
    "a grammar with a NUL": ({"grammar": 'root ::= "a\0" | other'}, "grammar"),
    "two forms": ({"regex": "a", "grammar": 'root ::= "a"'}, "regex"),
    "a bad schema": ({"json_schema": {"type": "objekt"}}, "json_schema.type"),
    "a schema with a bad reference": ({"json_schema": {"$ref": "#/nowhere"}}, "json_schema.$ref"),
    "a schema that is a text": ({"json_schema": "{}"}, "json_schema"),
    "a schema of 97 levels": ({"json_schema": DEEP_SCHEMA}, "json_schema"),
    "stream_options without a stream": ({"stream_options": {}}, "stream_options"),
}
CONVERSATION: Cases = {
    "messages is a text": ({"messages": "hi"}, "messages"),
    "messages is an object": ({"messages": {}}, "messages"),
    "messages is empty": ({"messages": []}, "messages"),
    "messages is null": ({"messages": None}, "messages"),
    "a message is a text": ({"messages": ["hi"]}, "messages[0]"),
    "a message is null": ({"messages": [None]}, "messages[0]"),
    "no role": ({"messages": [*said(), {"content": "x"}]}, "messages[1].role"),
    "a role that is none": (
        {"messages": [{"role": "boss", "content": "x"}]},
        "messages[0].role",
    ),
    "no content": ({"messages": [{"role": "user"}]}, "messages[0].content"),
    "content is null": ({"messages": [{"role": "user", "content": None}]}, "messages[0].content"),
    "a part is a text": (
        {"messages": [{"role": "user", "content": ["x"]}]},
        "messages[0].content[0]",
    ),
    "a part of no type": (
        {"messages": [{"role": "user", "content": [{"text": "x"}]}]},
        "messages[0].content[0].type",
    ),
    "a part of an unknown type": (
        {"messages": [{"role": "user", "content": [{"type": "smell"}]}]},
        "messages[0].content[0].type",
    ),
    "a part without its text": (
        {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
        "messages[0].content[0].text",
    ),
    "tools is an object": ({"tools": {}}, "tools"),
    "a tool is a text": ({"tools": ["f"]}, "tools[0]"),
    "a message has an unknown field": (
        {"messages": [{"role": "user", "content": "x", "wat": 1}]},
        "messages[0].wat",
    ),
}


def shown(url: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]


# One black pixel.
PIXEL = base64.b64encode(
    bytes.fromhex(
        "89504e470d0a1a0a0000000d4948445200000001000000010800000000"
        "3a7e9b550000000a49444154789c6360000000020001e221bc330000000049454e44ae426082"
    )
).decode()
IMAGE = "messages[0].content[0].image_url.url"
CHAT_FIELDS: Cases = {
    "an image for a model of texts": ({"messages": shown(f"data:image/png;base64,{PIXEL}")}, IMAGE),
    "an image that is none": ({"messages": shown("data:image/png;base64,AAAA")}, IMAGE),
    "an image that is no base64": ({"messages": shown("data:image/png;base64,%%%")}, IMAGE),
    "an image of another place": ({"messages": shown("http://example.com/a.png")}, IMAGE),
    "an image in a file": ({"messages": shown("file:///etc/passwd")}, IMAGE),
    "a tool message without its call": (
        {"messages": [{"role": "tool", "content": "x"}]},
        "messages[0].tool_call_id",
    ),
    "two limits": ({"max_tokens": 1, "max_completion_tokens": 2}, "max_tokens"),
    "too many alternatives": ({"top_logprobs": 21}, "top_logprobs"),
    "a tool of no type": ({"tools": [{}]}, "tools[0].type"),
    "a custom tool": ({"tools": [{"type": "custom", "custom": {"name": "f"}}]}, "tools[0].type"),
    "a tool without a function": ({"tools": [{"type": "function"}]}, "tools[0].function"),
    "a tool without a name": (
        {"tools": [{"type": "function", "function": {}}]},
        "tools[0].function.name",
    ),
    "a tool with an odd name": ({"tools": [tool(name="a b")]}, "tools[0].function.name"),
    "a tool with a NUL in its name": ({"tools": [tool(name="a\0")]}, "tools[0].function.name"),
    "two tools of one name": ({"tools": [tool(), tool()]}, "tools[1].function.name"),
    "a tool's schema is a list": ({"tools": [tool(parameters=[])]}, "tools[0].function.parameters"),
    "a call without tools": ({"tool_choice": "required"}, "tool_choice"),
    "a call of no tool": (
        {"tools": [tool()], "tool_choice": tool(name="g")},
        "tool_choice.function.name",
    ),
    "a choice that is none": ({"tools": [tool()], "tool_choice": "any"}, "tool_choice"),
    "functions": ({"functions": [{"name": "f"}]}, "functions"),
    "a schema without a name": (
        {"response_format": {"type": "json_schema", "json_schema": {"schema": {}}}},
        "response_format.json_schema.name",
    ),
    "audio": ({"modalities": ["audio"]}, "modalities"),
    "too much metadata": ({"metadata": {str(at): "" for at in range(17)}}, "metadata"),
}
CHAT_RUN: Cases = {
    "a limit that no answer fits": ({"max_tokens": 2, "regex": "[0-9]{40}"}, "max_tokens"),
    "a format's bad schema": (
        {"response_format": schema({"type": "objekt"})},
        "response_format.json_schema.schema.type",
    ),
    "a tool's schema is bad where it matters": (
        {"tools": [tool(parameters=SCHEMA_TOOL)], "tool_choice": "required"},
        "tools[0].function.parameters.properties.a.type",
    ),
}
COMPLETION_FIELDS: Cases = {
    "prompt is null": ({"prompt": None}, "prompt"),
    "prompt is an empty list": ({"prompt": []}, "prompt"),
    "prompts of two kinds": ({"prompt": ["a", 1]}, "prompt[1]"),
    "a prompt of no tokens": ({"prompt": [[]]}, "prompt[0]"),
    "a negative token": ({"prompt": [1, -5]}, "prompt[1]"),
    "a token that is not there": ({"prompt": [1, 10**6]}, "prompt[1]"),
    "a fraction of a token": ({"prompt": [1.5]}, "prompt[0]"),
    "more than the best": ({"best_of": 2}, "best_of"),
    "too many logprobs": ({"logprobs": 6}, "logprobs"),
    "a gap for a model without gaps": ({"suffix": "x"}, "suffix"),
}


def block(**fields: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [fields]}]


BLOCK = "messages[0].content[0]"
MESSAGE_FIELDS: Cases = {
    "an image for a model of texts": (
        {
            "messages": block(
                type="image",
                source={"type": "base64", "media_type": "image/png", "data": PIXEL},
            )
        },
        f"{BLOCK}.source.data",
    ),
    "an image that is none": (
        {
            "messages": block(
                type="image",
                source={"type": "base64", "media_type": "image/png", "data": "AAAA"},
            )
        },
        f"{BLOCK}.source.data",
    ),
    "a result of no call": (
        {"messages": block(type="tool_result", tool_use_id="x", content="y")},
        f"{BLOCK}.tool_use_id",
    ),
    "a tool without a name": ({"tools": [{"input_schema": {"type": "object"}}]}, "tools[0].name"),
    "a tool without a schema": ({"tools": [{"name": "f"}]}, "tools[0].input_schema"),
    "a tool of the vendor's": (
        {"tools": [{"type": "bash_20250124", "name": "bash"}]},
        "tools[0].type",
    ),
    "two tools of one name": (
        {"tools": [{"name": "f", "input_schema": {"type": "object"}}] * 2},
        "tools[1].name",
    ),
    "a call without tools": ({"tool_choice": {"type": "any"}}, "tool_choice"),
    "a call of no tool": (
        {
            "tools": [{"name": "f", "input_schema": {"type": "object"}}],
            "tool_choice": {"type": "tool", "name": "g"},
        },
        "tool_choice.name",
    ),
    "a choice that is none": ({"tool_choice": {"type": "some"}}, "tool_choice.type"),
    "system is a number": ({"system": 5}, "system"),
    "thinking without a budget": ({"thinking": {"type": "enabled"}}, "thinking.budget_tokens"),
}
MESSAGE_RUN: Cases = {
    "a tool's schema is bad where it matters": (
        {
            "tools": [{"name": "f", "input_schema": SCHEMA_TOOL}],
            "tool_choice": {"type": "any"},
        },
        "tools[0].input_schema.properties.a.type",
    ),
    "stop_sequences is a text": ({"stop_sequences": "x"}, "stop_sequences"),
    "an empty stop": ({"stop_sequences": [""]}, "stop_sequences[0]"),
    "too many stops": ({"stop_sequences": ["x"] * 17}, "stop_sequences"),
    "metadata is a text": ({"metadata": "x"}, "metadata"),
}


def item(**fields: Any) -> dict[str, Any]:
    return {"input": [fields]}


def saying(content: Any) -> dict[str, Any]:
    return item(role="user", content=content)


PART = "input[0].content[0]"
RESPONSE_FIELDS: Cases = {
    "input is empty": ({"input": []}, "input"),
    "input is null": ({"input": None}, "input"),
    "an item is a text": ({"input": ["hi"]}, "input[0]"),
    "an item of no type": (item(content="x"), "input[0].type"),
    "an item of an unknown type": (item(type="smell"), "input[0].type"),
    "a role that is none": (item(role="boss", content="x"), "input[0].role"),
    "no content": (item(role="user"), "input[0].content"),
    "content is a number": (saying(5), "input[0].content"),
    "a part is a text": (saying(["x"]), PART),
    "a part of no type": (saying([{"text": "x"}]), f"{PART}.type"),
    "a part of an unknown type": (saying([{"type": "smell"}]), f"{PART}.type"),
    "a part without its text": (saying([{"type": "input_text"}]), f"{PART}.text"),
    "an image that is none": (
        saying([{"type": "input_image", "image_url": "data:image/png;base64,AAAA"}]),
        f"{PART}.image_url",
    ),
    "an image for a model of texts": (
        saying([{"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}"}]),
        f"{PART}.image_url",
    ),
    "an image of another place": (
        saying([{"type": "input_image", "image_url": "http://example.com/a.png"}]),
        f"{PART}.image_url",
    ),
    "a file": (saying([{"type": "input_file", "file_id": "x"}]), f"{PART}.type"),
    "an output of no call": (
        item(type="function_call_output", call_id="x", output="y"),
        "input",
    ),
    "a call's arguments are no JSON": (
        item(type="function_call", call_id="x", name="f", arguments="{"),
        "input[0].arguments",
    ),
    "instructions is a number": ({"instructions": 5}, "instructions"),
    "max_output_tokens is zero": ({"max_output_tokens": 0}, "max_output_tokens"),
    "max_output_tokens is negative": ({"max_output_tokens": -1}, "max_output_tokens"),
    "the old name of a limit": ({"max_tokens": 5}, "max_tokens"),
    "the old name of the input": ({"messages": []}, "messages"),
    "an effort that is none": ({"reasoning": {"effort": "huge"}}, "reasoning.effort"),
    "a format that is none": ({"text": {"format": {"type": "xml"}}}, "text.format.type"),
    "tools is an object": ({"tools": {}}, "tools"),
    "a tool is a text": ({"tools": ["f"]}, "tools[0]"),
    "a tool of no type": ({"tools": [{"name": "f"}]}, "tools[0].type"),
    "a tool of the vendor's": ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
    "a tool without a name": ({"tools": [{"type": "function"}]}, "tools[0].name"),
    "a call without tools": ({"tool_choice": "required"}, "tool_choice"),
    "a call of no tool": (
        {
            "tools": [{"type": "function", "name": "f"}],
            "tool_choice": {"type": "function", "name": "g"},
        },
        "tool_choice.name",
    ),
    "a choice that is none": ({"tool_choice": "any"}, "tool_choice"),
    "too many alternatives": ({"top_logprobs": 21}, "top_logprobs"),
    "including what is not": ({"include": ["smell"]}, "include[0]"),
    "in the background": ({"background": True}, "background"),
    "truncation of a kind that is none": ({"truncation": "some"}, "truncation"),
    "too much metadata": ({"metadata": {str(at): "" for at in range(17)}}, "metadata"),
    "store is a text": ({"store": "yes"}, "store"),
}
RESPONSE_RUN: Cases = {
    "a limit that no answer fits": (
        {
            "max_output_tokens": 2,
            "text": {"format": {"type": "json_schema", "name": "n", "schema": LONG}},
        },
        "max_output_tokens",
    ),
    "a format's bad schema": (
        {"text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "objekt"}}}},
        "text.format.schema.type",
    ),
    "a tool's schema is bad where it matters": (
        {
            "tools": [{"type": "function", "name": "f", "parameters": SCHEMA_TOOL}],
            "tool_choice": "required",
        },
        "tools[0].parameters.properties.a.type",
    ),
}
TOKENIZE_FIELDS: Cases = {
    "two texts": ({"content": "x"}, "prompt"),
    "a flag is a text": ({"add_special": "yes"}, "add_special"),
    "flags that differ": ({"add_special": True, "add_special_tokens": False}, "add_special_tokens"),
    "a chat without messages": ({"prompt": None, "messages": []}, "prompt"),
}
DETOKENIZE_FIELDS: Cases = {
    "null": ({"tokens": None}, "tokens"),
    "a negative token": ({"tokens": [1, -5]}, "tokens[1]"),
    "a token that is not there": ({"tokens": [10**6]}, "tokens[0]"),
    "a token of 40 digits": ({"tokens": [10**40]}, "tokens[0]"),
    "a fraction of a token": ({"tokens": [1.5]}, "tokens[0]"),
    "a boolean": ({"tokens": [True]}, "tokens[0]"),
}
EMBEDDING_FIELDS: Cases = {
    "an empty text": ({"input": ""}, "input"),
    "an empty list": ({"input": []}, "input"),
    "null": ({"input": None}, "input"),
    "an empty text among others": ({"input": ["a", ""]}, "input[1]"),
    "two kinds": ({"input": ["a", 5]}, "input[1]"),
    "a token that is not there": ({"input": [[1], [10**6]]}, "input[1][0]"),
    "a negative token": ({"input": [-1]}, "input[0]"),
    "too many": ({"input": ["a"] * 2049}, "input"),
    "a format": ({"encoding_format": "hex"}, "encoding_format"),
    "no dimensions": ({"dimensions": 0}, "dimensions"),
    "negative dimensions": ({"dimensions": -1}, "dimensions"),
    "too many dimensions": ({"dimensions": 10**6}, "dimensions"),
    "a text for a model that chats": ({"model": "Tiny"}, "model"),
    "a text for a model that ranks": ({"model": "Rank"}, "model"),
}
RERANK_FIELDS: Cases = {
    "an empty query": ({"query": ""}, "query"),
    "no documents": ({"documents": []}, "documents"),
    "documents is a text": ({"documents": "x"}, "documents"),
    "a document is a number": ({"documents": ["x", 5]}, "documents[1]"),
    "a document without a text": ({"documents": [{}]}, "documents[0]"),
    "top_n of none": ({"top_n": 0}, "top_n"),
    "top_n is negative": ({"top_n": -1}, "top_n"),
    "a model that chats": ({"model": "Tiny"}, "model"),
    "a model that embeds": ({"model": "Mean"}, "model"),
}
BATCH_FIELDS: Cases = {
    "a route that is none": ({"endpoint": "/v1/nope"}, "endpoint"),
    "a window of no time": ({"completion_window": "0s"}, "completion_window"),
    "a window that is a number": ({"completion_window": 24}, "completion_window"),
    "a file that is a number": ({"input_file_id": 5}, "input_file_id"),
    "too much metadata": ({"metadata": {str(at): "" for at in range(17)}}, "metadata"),
    "an expiry that is too short": (
        {"output_expires_after": {"anchor": "created_at", "seconds": 5}},
        "output_expires_after.seconds",
    ),
}
OPTIONS: Cases = {
    name: ({"options": fields}, f"options.{param}")
    for name, (fields, param) in SAMPLING.items()
    if "not there" not in name
} | {
    "options is a list": ({"options": []}, "options"),
    "an option that nobody knows": ({"options": {"wat": 1}}, "options.wat"),
    "num_predict is a text": ({"options": {"num_predict": "5"}}, "options.num_predict"),
    "num_predict is huge": ({"options": {"num_predict": 2**63}}, "options.num_predict"),
    "an empty stop": ({"options": {"stop": [""]}}, "options.stop"),
    "a stay that is a word": ({"keep_alive": "long"}, "keep_alive"),
    "a stay that is a list": ({"keep_alive": []}, "keep_alive"),
}
OLLAMA_FORM: Cases = {
    "a limit that no answer fits": (
        {"options": {"num_predict": 2}, "format": LONG},
        "options.num_predict",
    ),
    "a form that is none": ({"format": "xml"}, "format"),
    "a bad schema": ({"format": {"type": "objekt"}}, "format.type"),
    "a schema with a bad reference": ({"format": {"$ref": "#/nowhere"}}, "format.$ref"),
    "thinking that is a number": ({"think": 5}, "think"),
    "too many alternatives": ({"top_logprobs": 21}, "top_logprobs"),
    "a chat that is cut": ({"truncate": True}, "truncate"),
}
OLLAMA_CHAT: Cases = {
    "an image for a model of texts": (
        {"messages": [{"role": "user", "content": "x", "images": [PIXEL]}]},
        "messages[0].images[0]",
    ),
    "messages is a text": ({"messages": "hi"}, "messages"),
    "messages is an object": ({"messages": {}}, "messages"),
    "a message is a text": ({"messages": ["hi"]}, "messages[0]"),
    "no role": ({"messages": [{"content": "x"}]}, "messages[0].role"),
    "a role that is none": (
        {"messages": [{"role": "boss", "content": "x"}]},
        "messages[0].role",
    ),
    "content is a number": (
        {"messages": [{"role": "user", "content": 5}]},
        "messages[0].content",
    ),
    "content is zero": ({"messages": [{"role": "user", "content": 0}]}, "messages[0].content"),
    "content is parts": (
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]},
        "messages[0].content",
    ),
    "images is a text": (
        {"messages": [{"role": "user", "content": "x", "images": "y"}]},
        "messages[0].images",
    ),
    "an image that is none": (
        {"messages": [{"role": "user", "content": "x", "images": ["AAAA"]}]},
        "messages[0].images[0]",
    ),
    "tools is an object": ({"tools": {"a": 1}}, "tools"),
    "a tool without a name": (
        {"tools": [{"type": "function", "function": {}}]},
        "tools[0].function.name",
    ),
    "a message has an unknown field": (
        {"messages": [{"role": "user", "content": "x", "wat": 1}]},
        "messages[0].wat",
    ),
}
OLLAMA_GENERATE: Cases = {
    "an image for a model of texts": ({"images": [PIXEL]}, "images[0]"),
    "prompt is a list": ({"prompt": ["x"]}, "prompt"),
    "images is a text": ({"images": "x"}, "images"),
    "an image that is none": ({"images": ["AAAA"]}, "images[0]"),
    "a template": ({"template": "x"}, "template"),
    "a context": ({"context": [1, 2]}, "context"),
    "a gap for a model without gaps": ({"suffix": "x"}, "suffix"),
    "a system prompt without a template": ({"raw": True, "system": "x"}, "system"),
}
OLLAMA_EMBED: Cases = {
    "an empty text among others": ({"input": ["a", ""]}, "input[1]"),
    "tokens": ({"input": [1, 2]}, "input[0]"),
    "no dimensions": ({"dimensions": 0}, "dimensions"),
    "too many dimensions": ({"dimensions": 10**6}, "dimensions"),
    "a text for a model that chats": ({"model": "Tiny"}, "model"),
}
OLLAMA_NAME: Cases = {
    "two names": ({"name": "Other"}, "name"),
    "a name that is a number": ({"name": 5}, "name"),
    "verbose is a text": ({"verbose": "yes"}, "verbose"),
}
FIELDS: dict[str, list[Cases]] = {
    CHAT: [SAMPLING, LIMITS, STREAM, OPENAI_FORM, CONVERSATION, CHAT_FIELDS, CHAT_RUN],
    COMPLETIONS: [SAMPLING, LIMITS, STREAM, OPENAI_FORM, COMPLETION_FIELDS],
    MESSAGES: [SAMPLING, LIMITS, STREAM, CONVERSATION, MESSAGE_FIELDS, MESSAGE_RUN],
    COUNT: [CONVERSATION, MESSAGE_FIELDS],
    RESPONSES: [SAMPLING, STREAM, RESPONSE_FIELDS, RESPONSE_RUN],
    "/v1/responses/input_tokens": [STREAM, RESPONSE_FIELDS],
    "/v1/tokenize": [TOKENIZE_FIELDS],
    "/v1/detokenize": [DETOKENIZE_FIELDS],
    "/v1/apply-template": [LIMITS, CONVERSATION, CHAT_FIELDS],
    EMBEDDINGS: [EMBEDDING_FIELDS],
    RERANK: [RERANK_FIELDS],
    "/v1/reranking": [RERANK_FIELDS],
    "/v2/rerank": [RERANK_FIELDS],
    "/rerank": [RERANK_FIELDS],
    "/v1/batches": [BATCH_FIELDS],
    "/api/chat": [OPTIONS, STREAM, OLLAMA_FORM, OLLAMA_CHAT],
    "/api/generate": [OPTIONS, STREAM, OLLAMA_FORM, OLLAMA_GENERATE],
    "/api/embed": [OPTIONS, OLLAMA_EMBED],
    "/api/embeddings": [OPTIONS, {}],
    "/api/show": [OLLAMA_NAME],
    "/api/pull": [OLLAMA_NAME],
}
FIELD_CASES = [
    pytest.param(path, fields, refused, id=f"{path}: {name}")
    for path, tables in FIELDS.items()
    for table in tables
    for name, (fields, refused) in table.items()
]


def test_every_route_with_a_body_has_fields_to_get_wrong() -> None:
    assert FIELDS.keys() == BY_PATH.keys()


@pytest.mark.parametrize(("path", "fields", "refused"), FIELD_CASES)
def test_a_field_that_is_not_acceptable(
    client: httpx.Client, path: str, fields: dict[str, Any], refused: str | Refusal
) -> None:
    route = BY_PATH[path]
    expected = bad(refused) if isinstance(refused, str) else refused
    assert_refused(client.post(path, json=route.body(**fields)), expected)
    if route.streams and "stream" not in fields and "stream_options" not in fields:
        # Errors come before the first byte of a stream: they are real statuses.
        assert_refused(client.post(path, json=route.body(stream=True, **fields)), expected)


# Forms.


def part(name: bytes, value: bytes, filename: bytes | None = None) -> bytes:
    head = b'Content-Disposition: form-data; name="%b"' % name
    if filename is not None:
        head += b'; filename="%b"' % filename
    return b"--%b\r\n%b\r\n\r\n%b\r\n" % (BOUNDARY.encode(), head, value)


END = f"--{BOUNDARY}--\r\n".encode()


def form(route: FormRoute, *parts: bytes, without: str = "", **fields: bytes) -> bytes:
    """The route's form: with other fields, more parts, or without one of its own."""
    given = {name: value.encode() for name, value in route.fields.items()} | fields
    own = [part(name.encode(), value) for name, value in given.items() if name != without]
    if without != "file":
        own.append(part(b"file", route.file, b"a.wav"))
    return b"".join([*own, *parts, END])


FormCase = tuple[Callable[[FormRoute], bytes], str, Refusal]
FORMS: dict[str, FormCase] = {
    "nothing": (lambda _: b"", FORM, bad(None)),
    "no form": (lambda _: b'{"model": "Tiny"}', FORM, bad(None)),
    "JSON": (lambda _: b'{"model": "Tiny"}', "application/json", bad(None)),
    "another kind of form": (lambda _: b"a=b", "application/x-www-form-urlencoded", bad(None)),
    "no content type": (form, "", bad(None)),
    "no boundary": (form, "multipart/form-data", bad(None)),
    "another boundary": (form, "multipart/form-data; boundary=x", bad(None)),
    "a boundary that is too long": (form, f"multipart/form-data; boundary={'x' * 5000}", bad(None)),
    "cut off": (lambda route: form(route)[:-9], FORM, bad(None)),
    "cut off in its file": (lambda route: form(route)[: -len(route.file) // 2], FORM, bad(None)),
    "no file": (lambda route: form(route, without="file"), FORM, bad("file")),
    "two files": (lambda route: form(route, part(b"file", b"x", b"y")), FORM, bad("file")),
    "a file that is a text": (
        lambda route: form(route, part(b"file", b"x"), without="file"),
        FORM,
        bad("file"),
    ),
    "a file in another field": (
        lambda route: form(route, part(b"other", b"x", b"y"), without="file"),
        FORM,
        bad("file"),
    ),
    "an empty file": (
        lambda route: form(route, part(b"file", b"", b"y"), without="file"),
        FORM,
        bad("file"),
    ),
    "a file of something else": (
        lambda route: form(route, part(b"file", b"\0" * 500, b"y"), without="file"),
        FORM,
        bad("file"),
    ),
    "a field that nobody knows": (lambda route: form(route, wat=b"1"), FORM, bad("wat")),
    "a field that is there twice": (
        lambda route: form(route, part(b"prompt", b"x"), part(b"prompt", b"y")),
        FORM,
        bad("prompt"),
    ),
    "bytes that are not UTF-8": (lambda route: form(route, prompt=b"\xff"), FORM, bad("prompt")),
    "a part without a name": (
        lambda route: form(route).replace(b'name="file"', b"nothing=1"),
        FORM,
        bad(None),
    ),
}
SPEECH_FORMS: dict[str, FormCase] = {
    "a recording for a model of texts": (form, FORM, bad("file")),
    "no model": (lambda route: form(route, without="model"), FORM, bad("model")),
    "an empty model": (lambda route: form(route, model=b""), FORM, bad("model")),
    "no such model": (lambda route: form(route, model=b"nope"), FORM, missing("model")),
    "a NUL in the model": (lambda route: form(route, model=b"Tiny\0"), FORM, missing("model")),
    "a path as model": (lambda route: form(route, model=b"../x"), FORM, missing("model")),
    "temperature is a word": (
        lambda route: form(route, temperature=b"hot"),
        FORM,
        bad("temperature"),
    ),
    "temperature is NaN": (lambda route: form(route, temperature=b"nan"), FORM, bad("temperature")),
    "temperature is negative": (
        lambda route: form(route, temperature=b"-1"),
        FORM,
        bad("temperature"),
    ),
    "a format": (lambda route: form(route, response_format=b"xml"), FORM, bad("response_format")),
    "subtitles": (lambda route: form(route, response_format=b"srt"), FORM, bad("response_format")),
}
# A file is stored as it is.
UPLOAD_FORMS: dict[str, FormCase] = {
    name: case
    for name, case in FORMS.items()
    if name not in ("an empty file", "a file of something else")
} | {
    "no purpose": (lambda route: form(route, without="purpose"), FORM, bad("purpose")),
    "a purpose that is none": (lambda route: form(route, purpose=b"fun"), FORM, bad("purpose")),
}
FORMS_OF = {
    "/v1/audio/transcriptions": FORMS | SPEECH_FORMS,
    "/v1/audio/translations": FORMS | SPEECH_FORMS,
    "/v1/files": UPLOAD_FORMS,
}
FORM_CASES = [
    pytest.param(route, *case, id=f"{route.path}: {name}")
    for route in FORM_ROUTES
    for name, case in FORMS_OF[route.path].items()
]


@pytest.mark.parametrize(("route", "body", "content_type", "expected"), FORM_CASES)
def test_a_form_that_is_not_acceptable(
    client: httpx.Client,
    route: FormRoute,
    body: Callable[[FormRoute], bytes],
    content_type: str,
    expected: Refusal,
) -> None:
    headers = {"content-type": content_type} if content_type else {}
    answer = client.post(route.path, content=body(route), headers=headers)
    assert_refused(answer, expected)


# Too long for the model.

TOO_LONG = {
    CHAT: ({"messages": said("word " * 5000)}, "messages"),
    COMPLETIONS: ({"prompt": "word " * 5000}, "prompt"),
    MESSAGES: ({"messages": said("word " * 5000)}, "messages"),
    RESPONSES: ({"input": "word " * 5000}, "input"),
    "/api/chat": ({"messages": said("word " * 5000)}, "messages"),
    "/api/generate": ({"prompt": "word " * 5000}, "prompt"),
    EMBEDDINGS: ({"input": ["fox", "fox " * 5000]}, "input[1]"),
    RERANK: ({"documents": ["fox", "fox " * 5000]}, "documents[1]"),
}


@pytest.mark.parametrize("path", TOO_LONG)
def test_what_is_too_long_for_the_model_is_told_both_numbers(
    client: httpx.Client, path: str
) -> None:
    fields, param = TOO_LONG[path]
    answer = client.post(path, json=BY_PATH[path].body(**fields))
    message = assert_refused(answer, Refusal(400, "context_length_exceeded", param))
    assert sum(word.strip(".,;").isdigit() for word in message.split()) >= 2, message


# Routes and methods.

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
PATHS = sorted({path for _, path in known()})
NOWHERE = [
    "/v1/nope",
    "/nope",
    "/v1",
    "/v1/chat/completions/",
    "/v1/chat/completions/x",
    "/v1/messages/nope",
    "/v1/messages/count_tokens/x",
    "/v2/models",
    "/api/nope",
    "/%00",
    "/v1/%2e%2e/x",
    "/v1//models",
]


def leads_to(path: str, concrete: str) -> bool:
    """Whether a request for `concrete` comes to the route at `path`."""
    pattern = re.sub("{[^}]*:path}", ".+", path)
    return re.fullmatch(re.sub("{[^}]*}", "[^/]+", pattern), concrete) is not None


@pytest.mark.parametrize("path", PATHS)
def test_a_method_that_a_route_does_not_take(client: httpx.Client, path: str) -> None:
    concrete = re.sub("{[^}]*}", "Tiny", path)
    taken = {method for method, known_path in known() if leads_to(known_path, concrete)}
    for method in METHODS:
        if method not in taken:
            answer = client.request(method, concrete)
            assert_refused(answer, NO_METHOD)
            assert taken <= set(answer.headers["allow"].replace(" ", "").split(","))


@pytest.mark.parametrize("path", NOWHERE)
def test_a_path_that_leads_nowhere(client: httpx.Client, path: str) -> None:
    for method in ("GET", "POST"):
        assert_refused(client.request(method, path), NO_ROUTE)


@pytest.mark.parametrize(
    "route", [route for route in PLAIN_ROUTES if route.missing], ids=lambda route: route.path
)
def test_an_object_that_is_not_there(client: httpx.Client, route: Any) -> None:
    assert_refused(client.request(route.method, route.missing), missing(route.param))
    for odd in ("%00", "x" * 5000, "%ff", "%F0%9F%98%80"):
        path = route.missing.replace("nope", odd)
        assert_refused(client.request(route.method, path), missing(route.param))
    upwards = route.missing.replace("nope", "..%2f..%2fetc%2fpasswd")
    # Ids of models have slashes; of what is not one there is no route with slashes.
    expected = missing(route.param) if ":path" in route.path else NO_ROUTE
    assert_refused(client.request(route.method, upwards), expected)


def test_after_all_that_the_same_processes_serve(server: Server, client: httpx.Client) -> None:
    for route in JSON_ROUTES:
        assert client.post(route.path, json=route.good).status_code == route.status
    assert server.events("worker died") == []
