"""Pieces of the families' grammars, in llguidance's Lark dialect."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from .base import TokenOf, Tool

# As the templates show models their calls: `json.dumps`' spacing, nothing else.
_SPACING = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}


def literal(text: str, token_of: TokenOf) -> str:
    """`text` as a terminal: the control token that says it, else its characters."""
    token = token_of(text)
    return json.dumps(text) if token is None else f"<[{token}]>"


def json_object(schema: dict[str, Any]) -> str:
    """A JSON object that keeps `schema`, as a terminal."""
    return json_of({**schema, "type": "object"})


def json_of(schema: dict[str, Any]) -> str:
    """A JSON value that keeps `schema`, as a terminal."""
    return "%json " + json.dumps({**schema, "x-guidance": _SPACING})


def json_call(tool: Tool, arguments: str) -> str:
    """`{"name": ..., "arguments": {...}}`, with the second key as given."""
    # The name is part of the literal, so that alternatives differ before their schemas begin.
    head = f'{{"name": {json.dumps(tool.name)}, "{arguments}": '
    return f'{json.dumps(head)} {json_object(tool.parameters)} "}}"'


class Definitions:
    """Rules and terminals that a call's grammar refers to."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def rule(self, body: str) -> str:
        """A rule with this body; returns its name."""
        name = f"part_{len(self.lines)}"
        self.lines.append(f"{name}: {body}")
        return name

    def reserve(self) -> str:
        """The name of a rule whose body comes with `define`: it may refer to itself."""
        return self.rule("")

    def define(self, name: str, body: str) -> None:
        """The body of a rule that was reserved."""
        self.lines[self.lines.index(f"{name}: ")] = f"{name}: {body}"

    def before(self, body: str, token: int) -> str:
        """`body`, one terminal, and a control token behind it."""
        name = f"PART_{len(self.lines)}"
        self.lines.append(f"{name}: {body}")
        return f"{name} <[{token}]>"

    def lazy(self, body: str) -> str:
        """A rule that ends as early as `body`, one terminal, can; returns its name."""
        name = f"part_{len(self.lines)}"
        self.lines.append(f"{name}[lazy]: {name.upper()}\n{name.upper()}: {body}")
        return name


def call_grammar(
    calls: Sequence[str],
    parallel: bool,
    separator: str,
    definitions: Definitions | None = None,
    around: tuple[str, str] = ("", ""),
) -> str:
    """One of `calls`, or, with `parallel`, any number of them from one on.

    `separator` stands between them as text, `around` before the first and after the last as it is.
    """
    rules = [f"call_{index}: {call}" for index, call in enumerate(calls)]
    choice = " | ".join(f"call_{index}" for index in range(len(calls)))
    between = f"{json.dumps(separator)} call" if separator else "call"
    some = f"call ({between})*" if parallel else "call"
    parts = definitions.lines if definitions else []
    # Control tokens that end something come behind those that begin it, and those around all calls
    # last: that is how the search for a short ending takes them.
    start = f"start: {around[0]} {some} {around[1]}"
    return "\n".join([f"call: {choice}", *rules, *parts, start, ""])
