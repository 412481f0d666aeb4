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
    options = {**_SPACING, **schema.get("x-guidance", {})}
    return "%json " + json.dumps({"type": "object", **schema, "x-guidance": options})


def json_call(tool: Tool, arguments: str) -> str:
    """`{"name": ..., "arguments": {...}}`, with the second key as given."""
    # The name is part of the literal, so that alternatives differ before their schemas begin.
    head = f'{{"name": {json.dumps(tool.name)}, "{arguments}": '
    return f'{json.dumps(head)} {json_object(tool.parameters)} "}}"'


def call_grammar(calls: Sequence[str], parallel: bool, separator: str) -> str:
    """One of `calls`, or, with `parallel`, any number of them from one on."""
    rules = [f"call_{index}: {call}" for index, call in enumerate(calls)]
    choice = " | ".join(f"call_{index}" for index in range(len(calls)))
    between = f"{json.dumps(separator)} call" if separator else "call"
    start = f"start: call ({between})*" if parallel else "start: call"
    return "\n".join([start, f"call: {choice}", *rules, ""])
