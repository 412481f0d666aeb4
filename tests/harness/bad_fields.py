"""What the fields of requests may not be, in what several routes have in common."""

from __future__ import annotations

import base64
from typing import Any

from .error_shape import Refusal
from .routes import said

# What is sent beside a good request, and the field that is named, or more where it is not a 400.
Cases = dict[str, tuple[dict[str, Any], str | Refusal]]


LONG = {"type": "string", "minLength": 40}
SCHEMA_TOOL = {"type": "object", "properties": {"a": {"type": "int"}}}
DEEP_SCHEMA: dict[str, Any] = {}
# Each is two levels; a body may have 128, and a schema 96.
for _ in range(50):
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
    "a schema of 100 levels": ({"json_schema": DEEP_SCHEMA}, "json_schema"),
    "stream_options without a stream": ({"stream_options": {}}, "stream_options"),
    "a stream option that nobody knows": (
        {"stream": True, "stream_options": {"usage": True}},
        "stream_options.usage",
    ),
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

# One black pixel.
PIXEL = base64.b64encode(
    bytes.fromhex(
        "89504e470d0a1a0a0000000d4948445200000001000000010800000000"
        "3a7e9b550000000a49444154789c6360000000020001e221bc330000000049454e44ae426082"
    )
).decode()
