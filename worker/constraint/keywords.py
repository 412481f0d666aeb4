"""JSON schema's keywords: what each may hold, and how llguidance is told."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from . import formats, patterns
from .refused import Refused, Unsupported

Schema = dict[str, Any] | bool

# Keywords that hold schemas, and how.
HOLDS = {
    "additionalProperties": "schema",
    "items": "schema",
    "allOf": "list",
    "anyOf": "list",
    "oneOf": "list",
    "prefixItems": "list",
    "properties": "map",
    "patternProperties": "map",
}

# They say nothing about which values are valid.
_ANNOTATIONS = frozenset(
    {
        "$anchor",
        "$comment",
        "$defs",
        "$id",
        "$schema",
        "$vocabulary",
        "contentEncoding",
        "contentMediaType",
        "contentSchema",
        "default",
        "definitions",
        "deprecated",
        "description",
        "discriminator",
        "enumDescriptions",
        "enumNames",
        "errorMessage",
        "example",
        "examples",
        "externalDocs",
        "id",
        "markdownDescription",
        "readOnly",
        "title",
        "writeOnly",
        "xml",
    }
)
# Keywords of some draft, and of OpenAPI, that the grammar cannot follow, with values that ask for
# nothing.
_BEYOND: dict[str, tuple[Any, ...]] = {
    "$dynamicAnchor": (),
    "$dynamicRef": (),
    "$recursiveAnchor": (False,),
    "$recursiveRef": (),
    "contains": (),
    "dependencies": ({},),
    "dependentRequired": ({},),
    "dependentSchemas": ({},),
    "else": (),
    "if": (),
    "maxContains": (),
    "minContains": (),
    "not": (False,),
    "nullable": (False,),
    "propertyNames": (True, {}, {"type": "string"}),
    "then": (),
    "unevaluatedItems": (True, {}),
    "unevaluatedProperties": (True, {}),
    "uniqueItems": (False,),
}
_INSTEAD = {
    "nullable": 'JSON schema has no such keyword; use "type": ["string", "null"]',
    "unevaluatedProperties": "not supported; use additionalProperties",
    "unevaluatedItems": "not supported; use items",
}
_TYPES = ("null", "boolean", "integer", "number", "string", "array", "object")

# Integers beyond it have no exact float, which is what llguidance computes with.
_EXACT = 2**53
# llguidance's integers have 64 bits.
_WIDEST = 2**63 - 1025
_MAX_COUNT = 1_000_000
# No answer is that long: such an upper bound says nothing.
_ENDLESS = 100_000_000


def bare(schema: dict[str, Any]) -> set[str]:
    """The keywords that say something about values."""
    return {name for name in schema if not _is_annotation(name)}


def translate(schema: dict[str, Any]) -> dict[str, Any]:
    """One schema in draft 2020-12, checked; schemas inside it are left as they are.

    Raises `Refused`.
    """
    result: dict[str, Any] = {}
    for name, value in schema.items():
        if _is_annotation(name):
            continue
        if name in _BEYOND:
            if not any(value is idle or value == idle != 0 for idle in _BEYOND[name]):
                raise Unsupported(name, _INSTEAD.get(name, "this keyword is not supported"))
            continue
        check = _CHECKS.get(name)
        if check is None:
            raise Unsupported(name, "unknown keyword")
        for key, item in check(name, value, schema).items():
            # `allOf` has more than one source.
            result[key] = [*result.get(key, []), *item] if key == "allOf" else item
    return result


def _is_annotation(name: str) -> bool:
    return name in _ANNOTATIONS or name.startswith("x-")


def _type(name: str, value: Any, _: dict[str, Any]) -> dict[str, Any]:
    types = value if isinstance(value, list) else [value]
    if not types or not all(isinstance(each, str) and each in _TYPES for each in types):
        raise Refused(name, f"must be one or several of {', '.join(_TYPES)}")
    return {name: value}


def _values(name: str, value: Any, _: dict[str, Any]) -> dict[str, Any]:
    if name == "enum" and not (isinstance(value, list) and value):
        raise Refused(name, "must be a list with at least one value")
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, list | dict):
            pending += item.values() if isinstance(item, dict) else item
        elif isinstance(item, int | float) and not _is_exact(item):
            raise Unsupported(name, f"{item} has no exact representation")
    return {name: value}


def _is_exact(number: float) -> bool:
    return math.isfinite(number) and (isinstance(number, float) or abs(number) <= _EXACT)


def _count(name: str, value: Any, schema: dict[str, Any]) -> dict[str, Any]:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1:
        raise Refused(name, "must be an integer")
    count = int(value)
    if count < 0:
        raise Refused(name, "must not be negative")
    if name.startswith("max"):
        return {name: count} if count < _ENDLESS else {}
    if count > _MAX_COUNT:
        raise Refused(name, f"must be at most {_MAX_COUNT}")
    if name == "minProperties":
        return _min_properties(count, schema)
    return {name: count}


def _min_properties(count: int, schema: dict[str, Any]) -> dict[str, Any]:
    required = schema.get("required")
    if isinstance(required, list) and len(required) >= count:
        return {}
    # The names of free properties may repeat, and a reader keeps one of them.
    if count > 1:
        raise Unsupported("minProperties", "more than 1 is supported only for required properties")
    return {"minProperties": count}


def _bound(name: str, value: Any, schema: dict[str, Any]) -> dict[str, Any]:
    if isinstance(value, bool) and name.startswith("exclusive"):
        # Draft 4: a flag on the other bound, which `_plain_bound` leaves out.
        other = schema.get(_inclusive(name))
        return {name: _inwards(name, other)} if value and other is not None else {}
    if schema.get(_exclusive(name)) is True:
        return {}
    return {name: _inwards(name, value)}


def _inclusive(name: str) -> str:
    return name.removeprefix("exclusive").lower()


def _exclusive(name: str) -> str:
    return "exclusive" + name.capitalize()


def _inwards(name: str, value: Any) -> float:
    """A bound as a number llguidance has, at most a little tighter."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise Refused(name, "must be a finite number")
    is_lower = name.lower().endswith("minimum")
    if abs(value) <= _EXACT:
        return value
    if (value if is_lower else -value) > _WIDEST:
        raise Refused(name, f"must be within {_WIDEST} of zero")
    # One step of the largest floats below 2**63 is 1024.
    tighter = int(value) + (1024 if is_lower else -1024)
    return max(-_WIDEST, min(_WIDEST, tighter))


def _multiple(name: str, value: Any, _: dict[str, Any]) -> dict[str, Any]:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 1e-9 <= value <= 1e9:
        raise Refused(name, "must be a number from 1e-9 to 1e9")
    return {name: value}


def _pattern(name: str, value: Any, _: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(value, str):
        raise Refused(name, "must be a string")
    return {name: patterns.translate(value, name)}


def _format(name: str, value: Any, schema: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(value, str):
        raise Refused(name, "must be a string")
    if value in formats.NATIVE:
        return {name: value}
    if value not in formats.MEANING:
        raise Unsupported(
            name, f"{value[:40]!r} is not supported; these are: {', '.join(formats.KNOWN)}"
        )
    meaning = formats.MEANING[value]
    return {"allOf": [meaning]} if meaning else {}


def _items(name: str, value: Any, schema: dict[str, Any]) -> dict[str, Any]:
    if isinstance(value, list):
        # Before draft 2020-12.
        rest = {"items": schema["additionalItems"]} if "additionalItems" in schema else {}
        return _schemas("prefixItems", value, schema) | rest
    return {name: value}


def _no_items(name: str, value: Any, schema: dict[str, Any]) -> dict[str, Any]:
    """`additionalItems` says something only beside a list of `items`, which takes it along."""
    return {}


def _schemas(name: str, value: Any, _: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(value, list) or not value:
        raise Refused(name, "must be a list with at least one schema")
    return {name: value}


def _names(name: str, value: Any, _: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise Refused(name, "must be a list of strings")
    return {name: list(dict.fromkeys(value))}


def _properties(name: str, value: Any, _: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Refused(name, "must be an object of schemas")
    return {name: value}


def _pattern_properties(name: str, value: Any, schema: dict[str, Any]) -> dict[str, Any]:
    _properties(name, value, schema)
    names = [*_sized(schema.get("properties")), *_sized(schema.get("required"))]
    for pattern in value:
        if any(patterns.may_match(pattern, each) for each in names):
            raise Unsupported(name, f"{pattern[:40]!r} matches a property that is named beside it")
    return {name: {patterns.translate(pattern, name): item for pattern, item in value.items()}}


def _sized(value: Any) -> list[str]:
    return (
        [each for each in value if isinstance(each, str)] if isinstance(value, dict | list) else []
    )


def _schema(name: str, value: Any, _: dict[str, Any]) -> dict[str, Any]:
    return {name: value}


def _ref(name: str, value: Any, _: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(value, str):
        raise Refused(name, "must be a string")
    return {name: value}


_Check = Callable[[str, Any, dict[str, Any]], dict[str, Any]]
_CHECKS: dict[str, _Check] = {
    "$ref": _ref,
    "additionalItems": _no_items,
    "additionalProperties": _schema,
    "allOf": _schemas,
    "anyOf": _schemas,
    "const": _values,
    "enum": _values,
    "exclusiveMaximum": _bound,
    "exclusiveMinimum": _bound,
    "format": _format,
    "items": _items,
    "maxItems": _count,
    "maxLength": _count,
    "maxProperties": _count,
    "maximum": _bound,
    "minItems": _count,
    "minLength": _count,
    "minProperties": _count,
    "minimum": _bound,
    "multipleOf": _multiple,
    "oneOf": _schemas,
    "pattern": _pattern,
    "patternProperties": _pattern_properties,
    "prefixItems": _schemas,
    "properties": _properties,
    "required": _names,
    "type": _type,
}
