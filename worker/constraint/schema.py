"""A client's JSON schema, checked and rewritten to what llguidance honours to the letter.

llguidance ignores keywords it has never heard of, and those of other drafts. Here each keyword is
known or an error, so that nothing a client asked for is ignored. The result is in one draft
(2020-12): definitions that are referenced are gathered under `$defs` of the root, older spellings
are translated, annotations are gone, so that each part can also be compiled alone, to find the one
that is at fault.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from kronk.shared.errors import InvalidArgument

from . import keywords
from .keywords import Schema
from .multiples import MOST_REMAINDERS, remainders
from .refused import Refused, Unenforceable, Unsupported

# OpenAI allows 120,000 characters of names and values in a schema.
MAX_BYTES = 256 * 1024
# JSON levels; the parsers behind it give up at 128.
MAX_DEPTH = 96
# Schemas inside one another, through references too: each takes some stack in llguidance.
_MAX_NESTING = 100
_MAX_SCHEMAS = 10_000
# Characters of a property's name in a path.
_MAX_NAME = 64


@dataclass(slots=True)
class Part:
    """One schema of the document: its path, its rewritten form and the schemas inside it."""

    path: str
    schema: Schema
    children: list[Part] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Document:
    """A schema that can be compiled. `root` is without its `definitions`."""

    root: Part
    definitions: dict[str, Part]
    # The regular expressions in it.
    patterns: tuple[str, ...]

    def alone(self, schema: Schema) -> dict[str, Any]:
        """One of its schemas as a document of its own."""
        definitions = {name: part.schema for name, part in self.definitions.items()}
        if isinstance(schema, bool):
            schema = {} if schema else {"anyOf": []}
        return {"$defs": definitions, **schema} if definitions else dict(schema)


def parse(source: str, param: str) -> Any:
    """The JSON of a schema's text; raises `InvalidArgument`."""
    if len(source) > MAX_BYTES:
        raise InvalidArgument(
            f"{param}: the schema is over the limit of {MAX_BYTES // 1024} KiB", param=param
        )
    try:
        value = json.loads(source, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        reason = "too deeply nested" if isinstance(error, RecursionError) else str(error)
        raise InvalidArgument(f"{param}: the schema is not JSON: {reason}", param=param) from None
    check_depth(value, param)
    if _has_half_characters(value):
        raise InvalidArgument(f"{param}: the schema has half a surrogate pair in it", param=param)
    return value


def check_depth(value: Any, param: str) -> None:
    """Raise `InvalidArgument` for a value of more than `MAX_DEPTH` levels."""
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for parent in level
            if isinstance(parent, dict | list)
            for child in (parent.values() if isinstance(parent, dict) else parent)
        ]
        if not level:
            return
    raise InvalidArgument(f"{param}: the schema has more than {MAX_DEPTH} levels", param=param)


def rewrite(value: Any, param: str) -> Document:
    """Check a schema of at most `MAX_DEPTH` levels; `InvalidArgument` names the path at fault."""
    walk = _Walk(value, param)
    root = walk.part(value, param, 0)
    return Document(root, walk.definitions, tuple(walk.patterns))


def _no_number(literal: str) -> None:
    raise ValueError(f"{literal} is no JSON number")


def _has_half_characters(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False


class _Walk:
    """Visits each schema of a document once, references when they are met first."""

    def __init__(self, document: Any, param: str) -> None:
        self._document = document
        self._param = param
        self._seen = 0
        # Reference to the name of its definition.
        self._names: dict[str, str] = {}
        self.definitions: dict[str, Part] = {}
        # References that are being replaced.
        self._open: set[str] = set()
        self._remainders = 1
        # In the order they are met in.
        self.patterns: dict[str, None] = {}

    def part(self, value: Any, path: str, nesting: int) -> Part:
        self._seen += 1
        if self._seen > _MAX_SCHEMAS:
            raise self._refuse(f"there are more than {_MAX_SCHEMAS} schemas in it", self._param)
        if nesting > _MAX_NESTING:
            raise self._refuse(f"schemas are nested more than {_MAX_NESTING} deep", path)
        if isinstance(value, bool):
            return Part(path, value)
        if not isinstance(value, dict):
            raise self._refuse("a schema is an object or a boolean", path)
        part = Part(path, {})
        try:
            known = keywords.translate(value)
        except Refused as refused:
            where = f"{path}.{refused.keyword}"
            kind = Unenforceable if isinstance(refused, Unsupported) else InvalidArgument
            raise kind(f"{where}: {refused.reason}", param=where) from None
        part.schema = {
            name: self._keyword(part, name, content, nesting) for name, content in known.items()
        }
        return part

    def _keyword(self, part: Part, name: str, content: Any, nesting: int) -> Any:
        where = f"{part.path}.{name}"
        match keywords.HOLDS.get(name):
            case "schema":
                return self._child(part, content, where, nesting)
            case "list":
                return [
                    self._alternative(part, item, f"{where}[{at}]", nesting)
                    if name == "oneOf"
                    else self._child(part, item, f"{where}[{at}]", nesting)
                    for at, item in enumerate(content)
                ]
            case "map":
                return {
                    key: self._child(part, item, f"{where}.{key[:_MAX_NAME]}", nesting)
                    for key, item in content.items()
                }
        if name == "pattern":
            self.patterns[content] = None
        if name == "multipleOf":
            self._count_remainders(content, where)
        return self._reference(content, where, nesting) if name == "$ref" else content

    def _count_remainders(self, multiple: float, path: str) -> None:
        # Of all in the document: schemas that must hold together are made one.
        self._remainders = math.lcm(self._remainders, remainders(multiple))
        if self._remainders > MOST_REMAINDERS:
            raise self._refuse(
                "the least common multiple of all in the schema, without zeros at its end, must be"
                f" at most {MOST_REMAINDERS}",
                path,
            )

    def _child(self, part: Part, value: Any, path: str, nesting: int) -> Any:
        child = self.part(value, path, nesting + 1)
        part.children.append(child)
        return child.schema

    def _reference(self, pointer: str, path: str, nesting: int) -> str:
        name = self._names.get(pointer)
        if name is None:
            target = self._target(pointer, path)
            name = self._names[pointer] = f"d{len(self._names)}"
            there = self._param + _dotted(pointer)
            # Takes its place first: the order of definitions is the order they are met in.
            self.definitions[name] = Part(there, True)
            self.definitions[name] = self.part(target, there, nesting + 1)
        return f"#/$defs/{name}"

    def _alternative(self, part: Part, value: Any, path: str, nesting: int) -> Any:
        """A bare reference is replaced by what it stands for: llguidance sees that two alternatives
        exclude each other only when it has them before it."""
        pointer = value.get("$ref") if isinstance(value, dict) else None
        if not isinstance(pointer, str) or pointer in self._open or len(keywords.bare(value)) > 1:
            return self._child(part, value, path, nesting)
        self._open.add(pointer)
        schema = self._alternative(part, self._target(pointer, path), path, nesting + 1)
        self._open.remove(pointer)
        return schema

    def _target(self, pointer: str, path: str) -> Any:
        if pointer != "#" and not pointer.startswith("#/"):
            raise self._refuse(
                f"{pointer!r} cannot be resolved: a reference is '#' or begins with '#/'", path
            )
        value = self._document
        for step in _steps(pointer):
            try:
                value = value[int(step)] if isinstance(value, list) else value[step]
            except (KeyError, ValueError, IndexError, TypeError):
                raise self._refuse(f"{pointer!r} leads nowhere in this schema", path) from None
        return value

    def _refuse(self, reason: str, path: str) -> InvalidArgument:
        return InvalidArgument(f"{path}: {reason}", param=path)


def _steps(pointer: str) -> list[str]:
    steps = unquote(pointer[1:]).split("/")[1:]
    return [step.replace("~1", "/").replace("~0", "~") for step in steps]


def _dotted(pointer: str) -> str:
    return "".join(
        f"[{step}]" if step.isdecimal() else f".{step[:_MAX_NAME]}" for step in _steps(pointer)
    )
