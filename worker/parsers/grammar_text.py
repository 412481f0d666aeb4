"""Grammars of arguments that are written as text between tags: what `typed.json_value` reads."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from .base import Tool
from .grammar import Definitions, json_of
from .typed import properties_of, resolved, types_of

# Keys that say nothing about which values are valid.
_REMARKS = frozenset(("title", "description", "default", "examples", "deprecated", "$comment"))


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a tool: its schema, and the schema of all, in which `$ref` looks."""

    name: str
    schema: Any
    root: dict[str, Any]
    is_required: bool


def arguments_of(tool: Tool) -> list[Argument]:
    """The tool's arguments in its schema's order; required ones without a schema come last."""
    return members_of(tool.parameters, tool.parameters)


def members_of(schema: Any, root: dict[str, Any]) -> list[Argument]:
    """The properties of an object with this schema, in its order."""
    properties, schema = properties_of(schema, root), resolved(schema, root)
    required = schema.get("required") if isinstance(schema, dict) else None
    required = required if isinstance(required, list) else []
    names = [*properties, *(name for name in required if name not in properties)]
    return [Argument(name, properties.get(name, {}), root, name in required) for name in names]


def json_argument(argument: Argument) -> str:
    """The argument as JSON."""
    schema = resolved(argument.schema, argument.root)
    shared = {key: argument.root.get(key, {}) for key in ("$defs", "definitions")}
    return json_of({**shared, **(schema if isinstance(schema, dict) else {})})


def text_argument(
    argument: Argument, end: str, never: str, definitions: Definitions, token: int | None = None
) -> str:
    """The argument's text and then `end`, or the control token that says it. `never`, a part of
    `end`, is not in the text."""
    schema = resolved(argument.schema, argument.root)
    if not isinstance(schema, dict):
        schema = {}
    closing = json.dumps(end) if token is None else f"<[{token}]>"
    if (values := _values(schema)) is not None:
        words = f"({' | '.join(json.dumps(_text(value)) for value in values)})"
        return definitions.lazy(f"{words} {closing}") if token is None else f"{words} {closing}"
    types = types_of(schema, argument.root)
    says_nothing = types is None and not schema.keys() - _REMARKS
    if not says_nothing and (types is None or "string" not in types):
        return f"{json_argument(argument)} {closing}"
    text = " & ".join([_length(schema), *_patterns(schema), without(never)])
    if token is None:
        return definitions.lazy(f"({text}) {closing}")
    return definitions.before(text, token)


def without(text: str) -> str:
    """A terminal's part that says: anything that does not contain `text`. It stands behind `&`."""
    return f"~/(?s:.*{_regex(text)}.*)/"


def verbatim(end: str, token: int | None, definitions: Definitions) -> str:
    """Any text up to and with `end`, or the control token that says it."""
    text = f"/(?s:.*)/ & {without(end)}"
    if token is None:
        return definitions.lazy(f"({text}) {json.dumps(end)}")
    return definitions.before(text, token)


def _values(schema: dict[str, Any]) -> list[Any] | None:
    if "const" in schema:
        return [schema["const"]]
    values = schema.get("enum")
    return values if isinstance(values, list) and values else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _length(schema: dict[str, Any]) -> str:
    # Never left out: what only must not match something may be no Unicode text.
    return f"/(?s:.{{{schema.get('minLength', 0)},{schema.get('maxLength', '')}}})/"


def _patterns(schema: dict[str, Any]) -> list[str]:
    pattern = schema.get("pattern")
    if not isinstance(pattern, str):
        return []
    # A schema's pattern may match anywhere; a terminal is the whole text.
    head = "" if pattern.startswith("^") else "(?s:.*)"
    tail = "" if pattern.endswith("$") and not pattern.endswith("\\$") else "(?s:.*)"
    body = pattern.removeprefix("^")
    body = body if tail else body[:-1]
    return [f"/{head}({_slashed(body)}){tail}/"]


def _slashed(pattern: str) -> str:
    return re.sub(r"(\\.)|/", lambda match: match.group(1) or r"\/", pattern)


def _regex(text: str) -> str:
    return _slashed(re.escape(text))
