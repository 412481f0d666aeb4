"""The `messages` of a chat request, checked by hand and made plain for a chat template.

By hand because a hostile list of a million wrong messages must cost one error, not a million.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from kronk.gateway.dialects.depth import is_too_deep, may_be_too_deep
from kronk.gateway.dialects.fields import (
    NOT_SUPPORTED,
    carriable,
    members,
    path,
    string,
    too_deep,
    unrecognized,
    wrong,
)
from kronk.gateway.dialects.media import MediaCollector, Part
from kronk.shared.errors import InvalidArgument
from kronk.shared.wire.values import Json

from . import content

ROLES = ("system", "developer", "user", "assistant", "tool")
_KNOWN = frozenset(
    {"role", "content", "name", "refusal", "tool_calls", "tool_call_id", "reasoning_content"}
)
# What an assistant may have done without saying anything; an answer may be cut while it thinks.
_INSTEAD = ("tool_calls", "refusal", "reasoning_content")
# Clients send an answer's own fields back with the next request; empty they say nothing.
_EMPTY_ONLY = {
    "annotations": NOT_SUPPORTED,
    "audio": f"answers in speech are {NOT_SUPPORTED}",
    "function_call": "OpenAI has replaced it by 'tool_calls', which is supported",
}

_TOOL_CALL_SCHEMA = {
    "type": "object",
    "required": ["function"],
    "additionalProperties": False,
    "properties": {
        "id": {"type": ["string", "null"]},
        "type": {"const": "function"},
        "index": {},
        "function": {
            "type": "object",
            "required": ["name"],
            "additionalProperties": False,
            "properties": {
                "name": {"type": "string"},
                "arguments": {"type": ["string", "object", "null"]},
            },
        },
    },
}

_TEXT_SCHEMA = {"type": "string"}
_MAYBE_TEXT = {"type": ["string", "null"]}


def _message_schema(role: str, required: tuple[str, ...], **more: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["role", *required],
        "additionalProperties": False,
        "properties": {
            "role": {"const": role},
            "content": content.schema(role),
            "name": _MAYBE_TEXT,
            **more,
        },
    }


def _assistant_schema(*required: str) -> dict[str, Any]:
    schema = _message_schema(
        "assistant",
        required,
        refusal=_MAYBE_TEXT,
        reasoning_content=_MAYBE_TEXT,
        tool_calls={"type": "array", "items": _TOOL_CALL_SCHEMA},
    )
    if "content" not in required:
        schema["properties"]["content"]["anyOf"].append({"type": "null"})
        schema["properties"]["tool_calls"]["minItems"] = 1
    return schema


SCHEMA: dict[str, Any] = {
    "type": "array",
    "minItems": 1,
    "items": {
        "anyOf": [
            *(_message_schema(role, ("content",)) for role in ("system", "developer", "user")),
            _assistant_schema("content"),
            # One that only calls says nothing.
            _assistant_schema("tool_calls"),
            _message_schema("tool", ("content", "tool_call_id"), tool_call_id=_TEXT_SCHEMA),
        ]
    },
}


def plain_messages(value: list[Any], media: MediaCollector) -> tuple[Json, ...]:
    """Each message with `role` and `content`; `InvalidArgument` names the first fault.

    A content is a string, or where it has images or sound, which go to `media`, a list of parts.
    """
    if not value:
        raise InvalidArgument("'messages' must have at least one message", param="messages")
    return with_names([_message(item, index, media) for index, item in enumerate(value)])


def with_names(messages: Iterable[dict[str, Any]]) -> tuple[Json, ...]:
    """The messages, where each result of a call has the name of the function beside the call's id:
    some templates write it above the result, and OpenAI's clients leave it out."""
    called: dict[str, str] = {}
    named = []
    for message in messages:
        for call in message.get("tool_calls", ()):
            if "id" in call:
                called[call["id"]] = call["function"]["name"]
        if message["role"] == "tool" and "name" not in message:
            name = called.get(message["tool_call_id"])
            message = message if name is None else {**message, "name": name}
        named.append(message)
    return tuple(named)


def _message(item: object, index: int, media: MediaCollector) -> dict[str, Any]:
    where = path("messages", index)
    if not isinstance(item, dict):
        raise wrong(where, "an object", item)
    for key in item.keys() - _KNOWN:
        if key not in _EMPTY_ONLY:
            raise unrecognized(f"{where}.{key}")
        if item[key]:
            raise InvalidArgument(f"'{where}.{key}': {_EMPTY_ONLY[key]}", param=f"{where}.{key}")
    role = item.get("role")
    if role not in ROLES:
        problem = "missing role field" if role is None else f"must be one of {', '.join(ROLES)}"
        raise InvalidArgument(f"'{where}.role': {problem}", param=f"{where}.role")
    # Templates know no `developer`; it is OpenAI's newer word for the same thing.
    message: dict[str, Any] = {"role": "system" if role == "developer" else role}
    message["content"] = _content(item, role, where, media)
    if item.get("refusal"):
        message["content"] = _refused(message["content"], item["refusal"], role, where)
    for key in ("name", "tool_call_id"):
        if item.get(key) is not None:
            message[key] = string(item[key], f"{where}.{key}")
    if role == "tool" and "tool_call_id" not in message:
        raise InvalidArgument(
            f"'{where}.tool_call_id': a tool message must say which call it answers",
            param=f"{where}.tool_call_id",
        )
    if item.get("reasoning_content"):
        message["reasoning_content"] = _reasoning(item["reasoning_content"], role, where)
    if item.get("tool_calls"):
        message["tool_calls"] = _tool_calls(item["tool_calls"], role, f"{where}.tool_calls")
    return message


def _reasoning(value: object, role: str, where: str) -> str:
    where = f"{where}.reasoning_content"
    if role != "assistant":
        raise InvalidArgument(f"'{where}': only assistant messages have it", param=where)
    return string(value, where)


def _content(
    item: dict[str, Any], role: str, where: str, media: MediaCollector
) -> str | list[Part]:
    said = item.get("content")
    if isinstance(said, str | list):
        return content.content(said, role, f"{where}.content", media)
    if said is None and role == "assistant" and any(map(item.get, _INSTEAD)):
        # Not None: a template's `content | trim` would print "None".
        return ""
    if said is None and "content" not in item:
        raise InvalidArgument(f"'{where}.content': missing content field", param=f"{where}.content")
    raise wrong(f"{where}.content", "a string or an array of content parts", said)


def _refused(said: str | list[Part], value: object, role: str, where: str) -> str:
    """What an assistant said, with its refusal: to the next turn both are what was said."""
    where = f"{where}.refusal"
    if role != "assistant":
        raise InvalidArgument(f"'{where}': only assistant messages have it", param=where)
    assert isinstance(said, str), "assistants show nothing"
    refusal = string(value, where)
    return f"{said}\n{refusal}" if said else refusal


def _tool_calls(calls: object, role: str, where: str) -> list[Any]:
    if role != "assistant":
        raise InvalidArgument(f"'{where}': only assistant messages call tools", param=where)
    if not isinstance(calls, list):
        raise wrong(where, "an array", calls)
    return [_tool_call(call, f"{where}[{index}]") for index, call in enumerate(calls)]


def _tool_call(value: object, where: str) -> dict[str, Any]:
    # `index` is a stream's, and stays on when a client puts its chunks together.
    call = members(value, where, "id", "type", "function", "index")
    if call.get("type", "function") != "function":
        raise InvalidArgument(
            f"'{where}.type': only calls of type 'function' are supported", param=f"{where}.type"
        )
    given = members(call.get("function"), f"{where}.function", "name", "arguments")
    function = {
        "name": string(given.get("name"), f"{where}.function.name"),
        "arguments": call_arguments(given.get("arguments"), f"{where}.function.arguments"),
    }
    plain: dict[str, Any] = {"type": "function", "function": function}
    if call.get("id") is not None:
        plain["id"] = string(call["id"], f"{where}.id")
    return plain


def call_arguments(value: object, where: str) -> str:
    """A call's arguments as JSON text, which is OpenAI's form; some clients send the object."""
    if value is None or value == "":
        return "{}"
    if isinstance(value, dict):
        carriable(value, where)
        return json.dumps(value, ensure_ascii=False)
    text = string(value, where)
    try:
        read = json.loads(text)
    except RecursionError as error:
        raise too_deep(where) from error
    except ValueError as error:
        raise InvalidArgument(f"'{where}': not valid JSON", param=where) from error
    if may_be_too_deep(text) and is_too_deep(read):
        raise too_deep(where)
    return text
