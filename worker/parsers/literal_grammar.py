"""Grammars of calls whose arguments are literals: what `literal` reads."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from .base import TokenOf, Tool
from .grammar import Definitions, call_grammar, literal
from .grammar_text import Argument, arguments_of, json_argument, members_of, verbatim
from .typed import resolved, types_of

# All that a schema may say so that its value can be written in a family's own way. What says more
# is written as JSON, which every parser reads too.
_SIMPLE = frozenset(
    ("type", "properties", "required", "items", "enum", "const", "$ref", "anyOf", "oneOf", "title")
) | frozenset(
    ("description", "default", "examples", "additionalProperties", "$defs", "definitions")
)
_PLAIN = re.compile(r"[\w.-]+")
# What Python writes otherwise than JSON.
_PYTHON = {frozenset(("boolean",)): '("True" | "False")', frozenset(("null",)): '"None"'}


def members(parts: Sequence[tuple[str, bool]], between: str, definitions: Definitions) -> str:
    """Those of `parts` that are required and any of the others, in order, with `between` between
    two of them."""
    # Behind a part: what can follow. Before the first: what can be first.
    following = first = definitions.rule('""')
    for part, is_required in reversed(parts):
        here = f"{part} {following}"
        first = definitions.rule(here if is_required else f"{here} | {first}")
        others = "" if is_required else f" | {following}"
        following = definitions.rule(f"{between} {here}{others}")
    return first


def python_call(tool: Tool, definitions: Definitions) -> str:
    """A call as Python writes it."""
    parts = [
        (f"{_key(argument.name, '=')} {_python_value(argument)}", argument.is_required)
        for argument in arguments_of(tool)
    ]
    arguments = members(parts, '", "', definitions)
    return f'{json.dumps(f"{tool.name}(")} {arguments} ")"'


def python_list(tools: Sequence[Tool], parallel: bool, opening: str = "", closing: str = "") -> str:
    """A Python list of calls, between two terms."""
    definitions = Definitions()
    calls = [python_call(tool, definitions) for tool in tools]
    around = (f'{opening} "["', f'"]" {closing}')
    return call_grammar(calls, parallel, ", ", definitions, around)


def _key(name: str, colon: str) -> str:
    """A key, in quotes where it could not be read without."""
    is_plain = _PLAIN.fullmatch(name) is not None
    return json.dumps(f"{name if is_plain else json.dumps(name, ensure_ascii=False)}{colon}")


def _python_value(argument: Argument) -> str:
    schema = argument.schema
    if isinstance(schema, dict) and not schema.keys() & {"enum", "const"}:
        types = types_of(schema, argument.root)
        if types is not None and types in _PYTHON:
            return _PYTHON[types]
    # JSON's numbers, strings and brackets are Python's too.
    return json_argument(argument)


class GemmaValues:
    """Values as Gemma writes them: keys bare, strings between quote tokens."""

    def __init__(self, quote: str, token_of: TokenOf, definitions: Definitions) -> None:
        self._definitions = definitions
        self._quote = literal(quote, token_of)
        self._string = f"{self._quote} {verbatim(quote, token_of(quote), definitions)}"
        # Rules of schemas that are referred to.
        self._known: dict[str, str] = {}

    def call(self, tool: Tool) -> str:
        """`call:name{...}`."""
        return f'{json.dumps(f"call:{tool.name}{{")} {self._members(arguments_of(tool))} "}}"'

    def _members(self, arguments: Sequence[Argument]) -> str:
        parts: list[tuple[str, bool]] = []
        for argument in arguments:
            value = self._value(argument.schema, argument.root)
            parts.append((f"{_key(argument.name, ':')} {value}", argument.is_required))
        return members(parts, '","', self._definitions)

    def _value(self, schema: Any, root: dict[str, Any]) -> str:
        as_json = json_argument(Argument("", schema, root, True))
        if not isinstance(schema, dict) or not schema.keys() <= _SIMPLE:
            return as_json
        if isinstance(reference := schema.get("$ref"), str):
            return self._referred(reference, root)
        values = [schema["const"]] if "const" in schema else schema.get("enum")
        if isinstance(values, list) and values:
            return f"({' | '.join(self._fixed(value) for value in values)})"
        for key in ("anyOf", "oneOf"):
            if isinstance(parts := schema.get(key), list) and parts:
                return f"({' | '.join(self._value(part, root) for part in parts)})"
        match schema.get("type"):
            case "string":
                return self._string
            case "object" if schema.get("properties"):
                return f'"{{" {self._members(members_of(schema, root))} "}}"'
            case "array" if "items" in schema:
                item = self._definitions.rule(self._value(schema["items"], root))
                return f'"[" ({item} ("," {item})*)? "]"'
        return as_json

    def _referred(self, reference: str, root: dict[str, Any]) -> str:
        if reference not in self._known:
            # Known before its body is: a schema may refer to itself.
            name = self._known[reference] = self._definitions.reserve()
            target = resolved({"$ref": reference}, root)
            self._definitions.define(name, self._value(target, root))
        return self._known[reference]

    def _fixed(self, value: Any) -> str:
        if isinstance(value, str):
            return f"{self._quote} {json.dumps(value)} {self._quote}"
        return f"%json {json.dumps({'const': value})}"
