"""The functions a Responses request offers: OpenAI's flat form of them."""

from __future__ import annotations

from collections.abc import Iterator
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

from .namespaces import functions, joined

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
    # Where the parameters of each stand.
    params: dict[str, str] = {}
    for index, item in enumerate(listed_tools(tools)):
        where = f"tools[{index}]"
        for name, tool, at in _offers(item, where):
            if name in offered:
                raise InvalidArgument(
                    f"'{at}.name': there are two functions {name}", param=f"{at}.name"
                )
            offered[name], params[name] = tool, f"{at}.parameters"
    box = _chosen(choice, offered)
    return replace(box, params=tuple([params[tool["function"]["name"]] for tool in box.tools]))


def _offers(item: Any, where: str) -> Iterator[tuple[str, Json, str]]:
    """The functions of one of the `tools`: name, function, and where it stands."""
    match item:
        case {"type": "namespace"}:
            about = item.get("description")
            for at, inner in enumerate(functions(item, where)):
                name, tool = _offered(inner, f"{where}.tools[{at}]")
                name = joined(item["name"], name)
                function = {**tool["function"], "name": name}
                if about and at == 0:
                    # All of it is said once; it may be a page.
                    said = function.get("description")
                    function["description"] = f"{about}\n\n{said}" if said else about
                yield name, {**tool, "function": function}, f"{where}.tools[{at}]"
        case {"type": "web_search", "external_web_access": False} if not item.get(
            "indexed_web_access"
        ):
            # Codex's default: a search that must not reach the web. There is nothing it could find.
            pass
        case _:
            yield *_offered(item, where), where


def _offered(item: object, where: str) -> tuple[str, Json]:
    found: dict[str, Json] = {}
    add_function(found, _function(item, where), where)
    return found.popitem()


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
    return [_echoed(tool) for tool in tools or ()]


def _echoed(tool: dict[str, Any]) -> dict[str, Any]:
    match tool["type"]:
        case "namespace":
            return {**tool, "tools": [_echoed(inner) for inner in tool["tools"]]}
        case "web_search":
            return tool
    return {
        "type": "function",
        "name": tool["name"],
        "description": tool.get("description"),
        "parameters": tool.get("parameters"),
        # A call's arguments follow the schema whatever `strict` says.
        "strict": True if tool.get("strict") is None else tool["strict"],
    }


def _function(value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise wrong(where, "an object", value)
    kind = value.get("type")
    if kind != "function":
        if not isinstance(kind, str):
            raise wrong(f"{where}.type", "a string", kind)
        raise InvalidArgument(
            f"'{where}.type': {_built_in(kind)}; only tools of type 'function' are, and "
            "namespaces of them",
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
