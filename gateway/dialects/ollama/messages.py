"""The messages of Ollama's chats as the wire has them."""

from __future__ import annotations

from typing import Any

from kronk.gateway.dialects.fields import carriable, members, path, string, wrong
from kronk.gateway.dialects.media import MediaCollector, Part, content_of, text_part
from kronk.shared.errors import InvalidArgument
from kronk.shared.wire.values import Json

ROLES = ("system", "user", "assistant", "tool")
_MEMBERS = (
    "role",
    "name",
    "content",
    "thinking",
    "images",
    "tool_calls",
    "tool_name",
    "tool_call_id",
)
# Which roles may have which of them.
_ONLY = {"tool_calls": ("assistant",), "thinking": ("assistant",), "images": ("user", "tool")}

_CALL_SCHEMA = {
    "type": "object",
    "required": ["function"],
    "properties": {
        "id": {"type": ["string", "null"]},
        "function": {
            "type": "object",
            "required": ["name"],
            "properties": {"name": {"type": "string"}, "arguments": {"type": "object"}},
        },
    },
}
SCHEMA: dict[str, Any] = {
    "anyOf": [
        {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["role"],
                "additionalProperties": False,
                "properties": {
                    "role": {"enum": list(ROLES)},
                    "name": {"type": ["string", "null"]},
                    "content": {"type": ["string", "null"]},
                    "thinking": {"type": ["string", "null"]},
                    "images": {
                        "anyOf": [
                            {"type": "array", "items": {"type": "string"}},
                            {"type": "null"},
                        ]
                    },
                    "tool_calls": {
                        "anyOf": [{"type": "array", "items": _CALL_SCHEMA}, {"type": "null"}]
                    },
                    "tool_name": {"type": ["string", "null"]},
                    "tool_call_id": {"type": ["string", "null"]},
                },
            },
        },
        {"type": "null"},
    ],
    "description": "Without any, the model is loaded, or unloaded with a keep_alive of 0.",
}


class _CallIds:
    """Gives calls the ids that Ollama's clients leave out, and finds the call a result is for.

    Some templates refuse calls without an id, and those of nine letters and digits suit all.
    """

    def __init__(self) -> None:
        self._count = 0
        # Id and function of the calls that have no result yet.
        self._open: list[tuple[str, str]] = []

    def made(self, function: str, given: str | None) -> str:
        """The id of a call."""
        self._count += 1
        name = given or f"call{self._count:05d}"
        self._open.append((name, function))
        return name

    def answered(self, function: str | None, given: str | None) -> tuple[str | None, str | None]:
        """Id and function of the call that a result is for, as far as they are known."""
        for call in self._open:
            if given is not None and call[0] != given:
                continue
            if given is None and function is not None and call[1] != function:
                continue
            self._open.remove(call)
            return call[0], function or call[1]
        return given, function


def plain_messages(value: object, media: MediaCollector) -> tuple[Json, ...]:
    """Each message with `role` and `content`, of null none; images go to `media`."""
    if value is None:
        return ()
    if not isinstance(value, list):
        raise wrong("messages", "an array", value)
    ids = _CallIds()
    return tuple(
        [_message(item, path("messages", at), media, ids) for at, item in enumerate(value)]
    )


def _message(item: object, where: str, media: MediaCollector, ids: _CallIds) -> dict[str, Any]:
    said = members(item, where, *_MEMBERS)
    # Clients send all of them with each message; empty they say nothing.
    given = {key: value for key, value in said.items() if value not in (None, "", [])}
    role = given.get("role")
    if role not in ROLES:
        problem = "missing role field" if role is None else f"must be one of {', '.join(ROLES)}"
        raise InvalidArgument(f"'{where}.role': {problem}", param=f"{where}.role")
    for key, roles in _ONLY.items():
        if key in given and role not in roles:
            raise InvalidArgument(
                f"'{where}.{key}': messages of role {role} have none", param=f"{where}.{key}"
            )
    message: dict[str, Any] = {"role": role, "content": _content(given, where, media)}
    if "name" in given:
        # Not Ollama's, which passes over it; clients that also speak OpenAI's API send it.
        message["name"] = string(given["name"], f"{where}.name")
    if "thinking" in given:
        message["reasoning_content"] = string(given["thinking"], f"{where}.thinking")
    if "tool_calls" in given:
        message["tool_calls"] = _tool_calls(given["tool_calls"], f"{where}.tool_calls", ids)
    if role == "tool":
        _answer(message, given, where, ids)
    return message


def _content(given: dict[str, Any], where: str, media: MediaCollector) -> str | list[Part]:
    text = string(given.get("content", ""), f"{where}.content")
    images = image_parts(given.get("images"), f"{where}.images", media)
    if not images:
        return text
    # Before the text, as Ollama has them.
    return content_of([*images, text_part(text)] if text else images)


def image_parts(value: object, where: str, media: MediaCollector) -> list[Part]:
    """The parts of a list of images in base64."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise wrong(where, "an array of images in base64", value)
    return [media.image_base64(item, path(where, at)) for at, item in enumerate(value)]


def _tool_calls(value: object, where: str, ids: _CallIds) -> list[Json]:
    if not isinstance(value, list):
        raise wrong(where, "an array", value)
    return [_call(item, path(where, at), ids) for at, item in enumerate(value)]


def _call(value: object, where: str, ids: _CallIds) -> dict[str, Any]:
    # Where a call stands among others, some clients say here and some in the function.
    call = members(value, where, "id", "type", "index", "function")
    given = members(call.get("function"), f"{where}.function", "index", "name", "arguments")
    name = string(given.get("name"), f"{where}.function.name")
    arguments = given.get("arguments") or {}
    if not isinstance(arguments, dict):
        raise wrong(f"{where}.function.arguments", "an object", arguments)
    carriable(arguments, f"{where}.function.arguments")
    given_id = string(call["id"], f"{where}.id") if call.get("id") else None
    return {
        "type": "function",
        "function": {"name": name, "arguments": arguments},
        "id": ids.made(name, given_id),
    }


def _answer(message: dict[str, Any], given: dict[str, Any], where: str, ids: _CallIds) -> None:
    said = {
        key: string(given[key], f"{where}.{key}")
        for key in ("tool_name", "tool_call_id")
        if key in given
    }
    function = said.get("tool_name") or message.get("name")
    call_id, name = ids.answered(function, said.get("tool_call_id"))
    if call_id is not None:
        message["tool_call_id"] = call_id
    if name is not None:
        message["name"] = name
