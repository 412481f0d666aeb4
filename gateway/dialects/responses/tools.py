"""The functions a Responses request offers: OpenAI's flat form of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from kronk.gateway.dialects.fields import NOT_SUPPORTED, members, string, wrong
from kronk.gateway.dialects.tools import (
    FUNCTION_MEMBERS,
    Toolbox,
    add_function,
    allowed_tools,
    listed_tools,
    offered_name,
    simple_choice,
)
from kronk.shared.errors import InvalidArgument
from kronk.shared.wire.values import Json

# Known to OpenAI, and each good where it says nothing new.
_NEUTRAL: dict[str, tuple[Any, ...]] = {
    "defer_loading": (False,),
    "async": (False,),
    "allowed_callers": (["direct"],),
    "output_schema": (),
}


def toolbox(tools: object, choice: object) -> Toolbox:
    """`tools` and `tool_choice` of a request, checked against each other."""
    offered: dict[str, Json] = {}
    for index, item in enumerate(listed_tools(tools)):
        where = f"tools[{index}]"
        add_function(offered, _function(item, where), where)
    box = _chosen(choice, offered)
    if box.params:
        return box
    return replace(box, params=tuple(f"tools[{at}].parameters" for at in range(len(offered))))


def _chosen(choice: object, offered: dict[str, Json]) -> Toolbox:
    match choice:
        case None | "none" | "auto" | "required":
            return simple_choice(choice or "auto", offered)
        case {"type": "function"}:
            name = _named(choice, "tool_choice", offered)
            return Toolbox(tuple(offered.values()), "named", name)
        case {"type": "allowed_tools"}:
            given = members(choice, "tool_choice", "type", "mode", "tools")
            return allowed_tools(given, "tool_choice", offered, _named, "parameters")
        case {"type": str(kind)}:
            raise InvalidArgument(
                f"'tool_choice.type': {_built_in(kind)}; must be 'function' or 'allowed_tools'",
                param="tool_choice.type",
            )
    raise InvalidArgument(
        "'tool_choice': must be 'none', 'auto', 'required', or an object of type 'function' or "
        "'allowed_tools'",
        param="tool_choice",
    )


def echoed_tools(tools: object) -> list[dict[str, Any]]:
    """Tools that were found good, as a response repeats them."""
    assert tools is None or isinstance(tools, list)
    # A call's arguments follow the schema whatever `strict` says.
    return [
        {
            "type": "function",
            "name": tool["name"],
            "description": tool.get("description"),
            "parameters": tool.get("parameters"),
            "strict": True if tool.get("strict") is None else tool["strict"],
        }
        for tool in tools or ()
    ]


def _function(value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise wrong(where, "an object", value)
    kind = value.get("type")
    if kind != "function":
        if not isinstance(kind, str):
            raise wrong(f"{where}.type", "a string", kind)
        raise InvalidArgument(
            f"'{where}.type': {_built_in(kind)}; only tools of type 'function' are",
            param=f"{where}.type",
        )
    given = members(value, where, "type", *FUNCTION_MEMBERS, *_NEUTRAL)
    for key, good in _NEUTRAL.items():
        if given.get(key) is not None and given[key] not in good:
            raise InvalidArgument(f"'{where}.{key}': {NOT_SUPPORTED}", param=f"{where}.{key}")
    return given


def _built_in(kind: str) -> str:
    return f"tools of type {kind[:40]!r} are {NOT_SUPPORTED}"


def _named(value: object, where: str, offered: dict[str, Json]) -> str:
    """The name in `{"type": "function", "name": ...}`."""
    given = members(value, where, "type", "name")
    if given.get("type") != "function":
        kind = string(given.get("type"), f"{where}.type")
        raise InvalidArgument(
            f"'{where}.type': {_built_in(kind)}; must be 'function'", param=f"{where}.type"
        )
    return offered_name(given.get("name"), f"{where}.name", offered)
