"""Functions in namespaces, as Codex groups the tools of each MCP server.

A model knows no namespaces: to it each is a function whose name has the namespace's in front. To
the client it is a function of its own name in that namespace.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kronk.gateway.dialects.constraints import NAME
from kronk.gateway.dialects.fields import members, string, wrong
from kronk.shared.errors import InvalidArgument

_BETWEEN = "__"

# The namespace and the own name of each function that is in one, by its name to the model.
Spaces = Mapping[str, tuple[str, str]]


def joined(namespace: str, name: str) -> str:
    """The name to the model. Codex's namespaces may end with what stands between."""
    return f"{namespace.rstrip('_')}{_BETWEEN}{name}"


def functions(value: dict[str, Any], where: str) -> list[Any]:
    """The functions in a namespace, which is otherwise as it should be."""
    given = members(value, where, "type", "name", "description", "tools")
    if not NAME.fullmatch(string(given.get("name"), f"{where}.name")):
        raise InvalidArgument(
            f"'{where}.name': must have 1 to 64 letters, digits, underscores or hyphens",
            param=f"{where}.name",
        )
    string(given.get("description") or "", f"{where}.description")
    inner = given.get("tools")
    if not isinstance(inner, list):
        raise wrong(f"{where}.tools", "an array", inner)
    return inner


def spaces_of(tools: object) -> Spaces:
    """Those in tools that were found good."""
    assert tools is None or isinstance(tools, list)
    return {
        joined(tool["name"], inner["name"]): (tool["name"], inner["name"])
        for tool in tools or ()
        if tool["type"] == "namespace"
        for inner in tool["tools"]
    }
