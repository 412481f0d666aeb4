"""The `messages` of a chat request, checked by hand and made plain for a chat template.

By hand because a hostile list of a million wrong messages must cost one error, not a million.
"""

from __future__ import annotations

from typing import Any

from kronk.shared.errors import InvalidArgument
from kronk.shared.wire.values import Json

from .fields import kind, path, unrecognized, unsupported

ROLES = ("system", "developer", "user", "assistant", "tool")
_KNOWN = frozenset({"role", "content", "name", "tool_calls", "tool_call_id"})
# Clients send an answer's own fields back with the next request; empty they say nothing.
_EMPTY_ONLY = frozenset({"refusal", "annotations", "audio", "function_call", "reasoning_content"})
# What msgpack can carry.
_WHOLE_NUMBERS = range(-(2**63), 2**64)

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
            "tool_calls": {"type": "array", "items": {"type": "object"}},
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
        raise _wrong(where, "an object", item)
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
            message[key] = _string(item[key], f"{where}.{key}")
    if role == "tool" and "tool_call_id" not in message:
        raise InvalidArgument(
            f"'{where}.tool_call_id': a tool message must say which call it answers",
            param=f"{where}.tool_call_id",
        )
    if item.get("tool_calls"):
        message["tool_calls"] = _tool_calls(item["tool_calls"], role, f"{where}.tool_calls")
    return message


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
    raise _wrong(where, "a string or an array of text parts", content)


def _part(part: object, where: str) -> str:
    if not isinstance(part, dict):
        raise _wrong(where, "an object", part)
    kind_of_part = part.get("type")
    if kind_of_part != "text":
        if not isinstance(kind_of_part, str):
            raise _wrong(f"{where}.type", "a string", kind_of_part)
        raise InvalidArgument(
            f"'{where}': content parts of type {kind_of_part[:40]!r} are not supported by this "
            "model in this version of Kronk; only 'text' is",
            param=f"{where}.type",
        )
    for key in part.keys() - {"type", "text"}:
        raise unrecognized(f"{where}.{key}")
    return _string(part.get("text"), f"{where}.text")


def _tool_calls(calls: object, role: str, where: str) -> list[Any]:
    if role != "assistant":
        raise InvalidArgument(f"'{where}': only assistant messages call tools", param=where)
    if not isinstance(calls, list):
        raise _wrong(where, "an array", calls)
    for index, call in enumerate(calls):
        at = f"{where}[{index}]"
        if not isinstance(call, dict):
            raise _wrong(at, "an object", call)
        function = call.get("function")
        if not isinstance(function, dict):
            raise _wrong(f"{at}.function", "an object", function)
        _string(function.get("name"), f"{at}.function.name")
        _carriable(call, at)
    return calls


def _carriable(value: object, where: str) -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            _carriable(item, f"{where}.{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _carriable(item, f"{where}[{index}]")
    elif isinstance(value, int) and value not in _WHOLE_NUMBERS:
        raise InvalidArgument(f"'{where}': the number has more than 64 bits", param=where)


def _string(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise _wrong(where, "a string", value)
    return value


def _wrong(where: str, expected: str, got: object) -> InvalidArgument:
    return InvalidArgument(
        f"Invalid value for '{where}': expected {expected}, got {kind(got)}", param=where
    )
