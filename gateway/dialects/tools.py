"""The functions a chat request offers, and which of them must be called."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from kronk.shared.errors import InvalidArgument
from kronk.shared.wire.values import Constraint, Json

from .constraints import NAME
from .fields import carriable, members, string, wrong

# OpenAI's own bound.
MOST_TOOLS = 128
FUNCTION_MEMBERS = ("name", "description", "parameters", "strict")

_BY_NAME = {
    "type": "object",
    "required": ["type", "function"],
    "additionalProperties": False,
    "properties": {
        "type": {"const": "function"},
        "function": {
            "type": "object",
            "required": ["name"],
            "additionalProperties": False,
            "properties": {"name": {"type": "string"}},
        },
    },
}
TOOLS_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {
            "type": "array",
            "maxItems": MOST_TOOLS,
            "items": {
                "type": "object",
                "required": ["type", "function"],
                "additionalProperties": False,
                "properties": {
                    "type": {"const": "function"},
                    "function": {
                        "type": "object",
                        "required": ["name"],
                        "additionalProperties": False,
                        "properties": {
                            "name": {"type": "string", "pattern": f"^{NAME.pattern}$"},
                            "description": {"type": ["string", "null"]},
                            "parameters": {"type": ["object", "null"]},
                            "strict": {"type": ["boolean", "null"]},
                        },
                    },
                },
            },
        },
        {"type": "null"},
    ]
}
CHOICE_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {"type": "string", "enum": ["none", "auto", "required"]},
        _BY_NAME,
        {
            "type": "object",
            "required": ["type", "allowed_tools"],
            "additionalProperties": False,
            "properties": {
                "type": {"const": "allowed_tools"},
                "allowed_tools": {
                    "type": "object",
                    "required": ["mode", "tools"],
                    "additionalProperties": False,
                    "properties": {
                        "mode": {"type": "string", "enum": ["auto", "required"]},
                        "tools": {"type": "array", "minItems": 1, "items": _BY_NAME},
                    },
                },
            },
        },
        {"type": "null"},
    ]
}


@dataclass(frozen=True, slots=True)
class Toolbox:
    """The tools as the wire has them, and the choice among them."""

    tools: tuple[Json, ...] = ()
    choice: Literal["auto", "none", "required", "named"] = "auto"
    # The function that must be called when `choice` is "named".
    name: str | None = None
    # What the client calls the parameters of each tool; empty where it offered just these.
    params: tuple[str, ...] = ()

    @property
    def must_call(self) -> bool:
        """Whether the answer has to be a call."""
        return self.choice in ("required", "named")


def refuse_both(found: Constraint | None, box: Toolbox) -> None:
    """An answer cannot be in a language and at the same time a call that is demanded."""
    if found is None or not box.must_call:
        return
    field = found.param.partition(".")[0]
    raise InvalidArgument(
        f"'{field}' and 'tool_choice' contradict each other: the answer cannot have the form of "
        "the one and be the call that the other demands",
        param=field,
    )


def toolbox(tools: object, choice: object) -> Toolbox:
    """`tools` and `tool_choice` of a request, checked against each other."""
    offered = _tools(tools)
    match choice:
        case None | "none" | "auto" | "required":
            return simple_choice(choice or "auto", offered)
        case {"type": "function"}:
            name = _named(choice, "tool_choice", offered)
            return Toolbox(tuple(offered.values()), "named", name)
        case {"type": "allowed_tools"}:
            outer = members(choice, "tool_choice", "type", "allowed_tools")
            where = "tool_choice.allowed_tools"
            given = members(outer.get("allowed_tools"), where, "mode", "tools")
            return allowed_tools(given, where, offered, _named)
    raise InvalidArgument(
        "'tool_choice': must be 'none', 'auto', 'required', or an object of type 'function' or "
        "'allowed_tools'",
        param="tool_choice",
    )


def _tools(value: object) -> dict[str, Json]:
    """The tools by name, in order, each with nothing in it but what the wire wants."""
    tools: dict[str, Json] = {}
    for index, item in enumerate(listed_tools(value)):
        where = f"tools[{index}]"
        given = members(_function_of(item, where), f"{where}.function", *FUNCTION_MEMBERS)
        add_function(tools, given, f"{where}.function")
    return tools


def listed_tools(value: object) -> list[Any]:
    """`tools`, which is an array of not too many, or null."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise wrong("tools", "an array", value)
    if len(value) > MOST_TOOLS:
        raise InvalidArgument(
            f"'tools' takes {MOST_TOOLS} functions at most, got {len(value)}", param="tools"
        )
    return value


def add_function(tools: dict[str, Json], given: dict[str, Any], where: str) -> None:
    """Check a function's `FUNCTION_MEMBERS` and put it among the tools as the wire has them."""
    function = _function(given, where)
    if function["name"] in tools:
        raise InvalidArgument(
            f"'{where}.name': there are two functions {function['name']}", param=f"{where}.name"
        )
    tools[function["name"]] = {"type": "function", "function": function}


def _function_of(value: object, where: str) -> object:
    if not isinstance(value, dict):
        raise wrong(where, "an object", value)
    kind = value.get("type")
    if kind != "function":
        raise InvalidArgument(
            f"'{where}.type': only tools of type 'function' are supported", param=f"{where}.type"
        )
    return members(value, where, "type", "function").get("function")


def _function(given: dict[str, Any], where: str) -> dict[str, Any]:
    name = string(given.get("name"), f"{where}.name")
    if not NAME.fullmatch(name):
        raise InvalidArgument(
            f"'{where}.name': must have 1 to 64 letters, digits, underscores or hyphens",
            param=f"{where}.name",
        )
    function: dict[str, Any] = {"name": name}
    if given.get("description") is not None:
        function["description"] = string(given["description"], f"{where}.description")
    if given.get("parameters") is not None:
        if not isinstance(given["parameters"], dict):
            raise wrong(f"{where}.parameters", "an object", given["parameters"])
        carriable(given["parameters"], f"{where}.parameters")
        _check_object(given["parameters"], f"{where}.parameters.type")
        function["parameters"] = given["parameters"]
    strict = given.get("strict")
    if not isinstance(strict, bool | None):
        raise wrong(f"{where}.strict", "true or false", strict)
    if strict:
        function["strict"] = True
    return function


def _check_object(parameters: dict[str, Any], where: str) -> None:
    """Arguments are an object whatever the schema says, so it may not say something else."""
    kind = parameters.get("type", "object")
    if kind != "object" and not (isinstance(kind, list) and "object" in kind):
        raise InvalidArgument(
            f"'{where}': the parameters of a function are an 'object'", param=where
        )


def _named(value: object, where: str, offered: dict[str, Json]) -> str:
    """The name in `{"type": "function", "function": {"name": ...}}`."""
    given = members(_function_of(value, where), f"{where}.function", "name")
    return offered_name(given.get("name"), f"{where}.function.name", offered)


def offered_name(value: object, where: str, offered: dict[str, Json]) -> str:
    """The name of a function, which must be among the tools."""
    name = string(value, where)
    if name not in offered:
        raise InvalidArgument(
            f"'{where}': no function of this name is among the 'tools'", param=where
        )
    return name


def simple_choice(choice: Literal["none", "auto", "required"], offered: dict[str, Json]) -> Toolbox:
    """A `tool_choice` that is one word."""
    if choice == "required" and not offered:
        raise InvalidArgument(
            "'tool_choice' is 'required', and there are no 'tools'", param="tool_choice"
        )
    return Toolbox(tuple(offered.values()), choice)


def allowed_tools(
    given: dict[str, Any],
    where: str,
    offered: dict[str, Json],
    named: Callable[[object, str, dict[str, Json]], str],
    parameters: str = "function.parameters",
) -> Toolbox:
    """A `tool_choice` with the `mode` and the `tools` it leaves; `named` reads one of these.

    `parameters` is where a tool has its own.
    """
    mode = given.get("mode")
    if mode not in ("auto", "required"):
        raise InvalidArgument(
            f"'{where}.mode': must be 'auto' or 'required'", param=f"{where}.mode"
        )
    listed = given.get("tools")
    if not isinstance(listed, list) or not listed:
        raise wrong(f"{where}.tools", "an array with at least one tool", listed)
    names = {named(item, f"{where}.tools[{at}]", offered) for at, item in enumerate(listed)}
    kept = [at for at, name in enumerate(offered) if name in names]
    tools = tuple(offered.values())
    return Toolbox(
        tuple(tools[at] for at in kept),
        "auto" if mode == "auto" else "required",
        params=tuple(f"tools[{at}].{parameters}" for at in kept),
    )
