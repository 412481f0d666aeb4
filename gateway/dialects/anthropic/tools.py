"""Anthropic's `tools` and `tool_choice` as the wire has them.

Only tools that the client runs itself. A schema's keywords are not looked at here: they matter to
answers that must be calls, and there the worker says which of them it cannot keep.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from kronk.gateway.dialects.fields import carriable, members, string, wrong
from kronk.gateway.dialects.tools import Toolbox, offered_name
from kronk.shared.errors import InvalidArgument
from kronk.shared.wire.values import Json

from .blocks import cache_control

# Anthropic has no bound; programs with many MCP servers send hundreds.
MOST_TOOLS = 1024
NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")

TOOLS_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {
            "type": "array",
            "maxItems": MOST_TOOLS,
            "items": {
                "type": "object",
                "required": ["name", "input_schema"],
                "additionalProperties": False,
                "properties": {
                    "type": {"enum": ["custom", None]},
                    "name": {"type": "string", "pattern": f"^{NAME.pattern}$"},
                    "description": {"type": ["string", "null"]},
                    "input_schema": {
                        "type": "object",
                        "required": ["type"],
                        "properties": {"type": {"const": "object"}},
                    },
                    "cache_control": {"type": ["object", "null"]},
                    "strict": {"type": ["boolean", "null"]},
                    "input_examples": {"type": ["array", "null"], "items": {"type": "object"}},
                    "allowed_callers": {"type": ["array", "null"], "contains": {"const": "direct"}},
                    "defer_loading": {"enum": [False, None]},
                    "eager_input_streaming": {"type": ["boolean", "null"]},
                },
            },
        },
        {"type": "null"},
    ]
}
_PARALLEL = {"disable_parallel_tool_use": {"type": ["boolean", "null"]}}
CHOICE_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {
            "type": "object",
            "required": ["type"],
            "additionalProperties": False,
            "properties": {"type": {"enum": ["auto", "any"]}, **_PARALLEL},
        },
        {
            "type": "object",
            "required": ["type"],
            "additionalProperties": False,
            "properties": {"type": {"const": "none"}},
        },
        {
            "type": "object",
            "required": ["type", "name"],
            "additionalProperties": False,
            "properties": {"type": {"const": "tool"}, "name": {"type": "string"}, **_PARALLEL},
        },
        {"type": "null"},
    ]
}


def toolbox(tools: object, choice: object) -> tuple[Toolbox, bool]:
    """`tools` and `tool_choice`, checked against each other; and whether there may be several
    calls."""
    offered = _tools(tools)
    params = tuple(f"tools[{at}].input_schema" for at in range(len(offered)))
    every = Toolbox(tuple(offered.values()), params=params)
    if choice is None:
        return every, True
    if not isinstance(choice, dict):
        raise wrong("tool_choice", "an object", choice)
    match choice.get("type"):
        case "auto":
            return every, _is_parallel(choice)
        case "any":
            if not offered:
                raise InvalidArgument(
                    "'tool_choice' demands a call, and there are no 'tools'", param="tool_choice"
                )
            return replace(every, choice="required"), _is_parallel(choice)
        case "tool":
            name = offered_name(choice.get("name"), "tool_choice.name", offered)
            return replace(every, choice="named", name=name), _is_parallel(choice, "name")
        case "none":
            members(choice, "tool_choice", "type")
            return replace(every, choice="none"), True
    raise InvalidArgument(
        "'tool_choice.type': must be one of auto, any, tool, none", param="tool_choice.type"
    )


def _is_parallel(choice: object, *known: str) -> bool:
    where = "disable_parallel_tool_use"
    given = members(choice, "tool_choice", "type", where, *known).get(where)
    if not isinstance(given, bool | None):
        raise wrong(f"tool_choice.{where}", "true or false", given)
    return not given


def _tools(value: object) -> dict[str, Json]:
    """The tools by name, in order."""
    if value is None:
        return {}
    if not isinstance(value, list):
        raise wrong("tools", "an array", value)
    if len(value) > MOST_TOOLS:
        raise InvalidArgument(
            f"'tools' takes {MOST_TOOLS} tools at most, got {len(value)}", param="tools"
        )
    tools: dict[str, Json] = {}
    for index, item in enumerate(value):
        where = f"tools[{index}]"
        function = _function(item, where)
        if function["name"] in tools:
            raise InvalidArgument(
                f"'{where}.name': there are two tools {function['name']}", param=f"{where}.name"
            )
        tools[function["name"]] = {"type": "function", "function": function}
    return tools


def _function(value: object, where: str) -> dict[str, Any]:
    given = _members(value, where)
    name = string(given.get("name"), f"{where}.name")
    if not NAME.fullmatch(name):
        raise InvalidArgument(
            f"'{where}.name': must have 1 to 128 letters, digits, underscores or hyphens",
            param=f"{where}.name",
        )
    function: dict[str, Any] = {"name": name}
    if given.get("description") is not None:
        function["description"] = string(given["description"], f"{where}.description")
    function["parameters"] = _parameters(given.get("input_schema"), f"{where}.input_schema")
    if examples := _examples(given.get("input_examples"), f"{where}.input_examples"):
        # A schema's own word for them, which templates show the model with the rest of it.
        function["parameters"] = {**function["parameters"], "examples": examples}
    if _flag(given, where, "strict"):
        function["strict"] = True
    return function


def _members(value: object, where: str) -> dict[str, Any]:
    """The tool, which must be one that the client runs, with nothing in it that we cannot do."""
    if not isinstance(value, dict):
        raise wrong(where, "an object", value)
    kind = value.get("type")
    if kind is not None and kind != "custom":
        name = string(kind, f"{where}.type")
        raise InvalidArgument(
            f"'{where}.type': tools that Anthropic defines ({name[:60]!r}) are not supported; "
            "only those of type 'custom' are, with a name and an input_schema",
            param=f"{where}.type",
        )
    known = ("type", "name", "description", "input_schema", "cache_control", "strict")
    more = ("input_examples", "allowed_callers", "defer_loading", "eager_input_streaming")
    given = members(value, where, *known, *more)
    cache_control(given.get("cache_control"), f"{where}.cache_control")
    _flag(given, where, "eager_input_streaming")
    if _flag(given, where, "defer_loading"):
        raise InvalidArgument(
            f"'{where}.defer_loading': there is no tool search; tools are always loaded",
            param=f"{where}.defer_loading",
        )
    callers = given.get("allowed_callers")
    if callers is not None and (not isinstance(callers, list) or "direct" not in callers):
        raise InvalidArgument(
            f"'{where}.allowed_callers': must be an array with 'direct', as there is no other "
            "caller",
            param=f"{where}.allowed_callers",
        )
    return given


def _parameters(value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise wrong(where, "an object", value)
    carriable(value, where)
    if value.get("type") != "object":
        raise InvalidArgument(
            f"'{where}.type': the input of a tool is an 'object'", param=f"{where}.type"
        )
    return value


def _examples(value: object, where: str) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise wrong(where, "an array of objects", value)
    for index, item in enumerate(value):
        if not isinstance(item, dict):
            raise wrong(f"{where}[{index}]", "an object", item)
    carriable(value, where)
    return value


def _flag(given: dict[str, Any], where: str, key: str) -> bool:
    value = given.get(key)
    if not isinstance(value, bool | None):
        raise wrong(f"{where}.{key}", "true or false", value)
    return bool(value)
