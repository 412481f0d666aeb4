"""The `messages` of a chat request, checked by hand and made plain for a chat template.

By hand because a hostile list of a million wrong messages must cost one error, not a million.
"""

from __future__ import annotations

import json
from typing import Any

from kronk.shared.errors import InvalidArgument
from kronk.shared.wire.values import Json

from .fields import carriable, members, path, string, unrecognized, unsupported, wrong

ROLES = ("system", "developer", "user", "assistant", "tool")
_KNOWN = frozenset({"role", "content", "name", "tool_calls", "tool_call_id", "reasoning_content"})
# Clients send an answer's own fields back with the next request; empty they say nothing.
_EMPTY_ONLY = frozenset({"refusal", "annotations", "audio", "function_call"})

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

SCHEMA: dict[str, Any] = {
    "type": "array",
    "minItems": 1,
    "items": {
        "type": "object",
        "required": ["role"],
        "additionalProperties": False,
        "properties": {
            "role": {"type": "string", "enum": list(ROLES)},
            "content": {
                "anyOf": [
                    {"type": "string"},
                    {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["type", "text"],
                            "additionalProperties": False,
                            "properties": {
                                "type": {"type": "string", "enum": ["text"]},
                                "text": {"type": "string"},
                            },
                        },
                    },
                    {"type": "null"},
                ]
            },
            "name": {"type": "string"},
            "reasoning_content": {"type": ["string", "null"]},
            "tool_calls": {"type": "array", "items": _TOOL_CALL_SCHEMA},
            "tool_call_id": {"type": "string"},
        },
    },
}


def plain_messages(value: list[Any]) -> tuple[Json, ...]:
    """Each message with `role` and a `content` string; `InvalidArgument` names the first fault."""
    if not value:
        raise InvalidArgument("'messages' must have at least one message", param="messages")
    return tuple([_message(item, index) for index, item in enumerate(value)])


def _message(item: object, index: int) -> dict[str, Any]:
    where = path("messages", index)
    if not isinstance(item, dict):
        raise wrong(where, "an object", item)
    for key in item.keys() - _KNOWN:
        if key not in _EMPTY_ONLY:
            raise unrecognized(f"{where}.{key}")
        if item[key]:
            raise unsupported(f"{where}.{key}")
    role = item.get("role")
    if role not in ROLES:
        problem = "missing role field" if role is None else f"must be one of {', '.join(ROLES)}"
        raise InvalidArgument(f"'{where}.role': {problem}", param=f"{where}.role")
    # Templates know no `developer`; it is OpenAI's newer word for the same thing.
    message: dict[str, Any] = {"role": "system" if role == "developer" else role}
    message["content"] = _content(item, role, f"{where}.content")
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


def _content(item: dict[str, Any], role: str, where: str) -> str:
    content = item.get("content")
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        # As llama.cpp joins them for templates that expect a string.
        return "\n".join([_part(part, f"{where}[{at}]") for at, part in enumerate(content)])
    if content is None and role == "assistant" and item.get("tool_calls"):
        # Not None: a template's `content | trim` would print "None".
        return ""
    if content is None and "content" not in item:
        raise InvalidArgument(f"'{where}': missing content field", param=where)
    raise wrong(where, "a string or an array of text parts", content)


def _part(part: object, where: str) -> str:
    if not isinstance(part, dict):
        raise wrong(where, "an object", part)
    kind_of_part = part.get("type")
    if kind_of_part != "text":
        if not isinstance(kind_of_part, str):
            raise wrong(f"{where}.type", "a string", kind_of_part)
        raise InvalidArgument(
            f"'{where}': content parts of type {kind_of_part[:40]!r} are not supported by this "
            "model in this version of Kronk; only 'text' is",
            param=f"{where}.type",
        )
    for key in part.keys() - {"type", "text"}:
        raise unrecognized(f"{where}.{key}")
    return string(part.get("text"), f"{where}.text")


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
        "arguments": _arguments(given.get("arguments"), f"{where}.function.arguments"),
    }
    plain: dict[str, Any] = {"type": "function", "function": function}
    if call.get("id") is not None:
        plain["id"] = string(call["id"], f"{where}.id")
    return plain


def _arguments(value: object, where: str) -> str:
    """A call's arguments as JSON text, which is OpenAI's form; some clients send the object."""
    if value is None or value == "":
        return "{}"
    if isinstance(value, dict):
        carriable(value, where)
        return json.dumps(value, ensure_ascii=False)
    try:
        json.loads(string(value, where))
    except (ValueError, RecursionError) as error:
        raise InvalidArgument(f"'{where}': not valid JSON", param=where) from error
    assert isinstance(value, str)
    return value
