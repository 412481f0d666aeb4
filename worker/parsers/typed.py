"""Values that a model writes without JSON's quotes, turned into JSON by the tool's schema."""

from __future__ import annotations

import json
from typing import Any

from .json_scan import is_json
from .marker import SPACE

# How many `$ref`s and combinations are followed; a schema may refer to itself.
_MAX_HOPS = 16
_PYTHON = {"True": "true", "False": "false", "None": "null"}
_TYPES: dict[str, str] = {
    "{": "object",
    "[": "array",
    '"': "string",
    "t": "boolean",
    "f": "boolean",
    "n": "null",
}


def types_of(schema: Any, root: dict[str, Any], hops: int = _MAX_HOPS) -> frozenset[str] | None:
    """The JSON types a value may have; None where the schema does not say.

    `root` is the schema of all arguments, in which `$ref` looks.
    """
    schema = resolved(schema, root)
    if hops == 0 or not isinstance(schema, dict):
        return None
    match schema.get("type"):
        case str(name):
            return frozenset((name,))
        case list(names):
            return frozenset(name for name in names if isinstance(name, str))
    if "const" in schema:
        return frozenset((_type(json.dumps(schema["const"])),))
    if isinstance(values := schema.get("enum"), list):
        return frozenset(_type(json.dumps(value)) for value in values)
    for key in ("anyOf", "oneOf", "allOf"):
        if isinstance(parts := schema.get(key), list) and parts:
            known = [types_of(part, root, hops - 1) for part in parts]
            return _combine(known, all_of=key == "allOf")
    return None


def property_types(parameters: dict[str, Any], name: str) -> frozenset[str] | None:
    """The JSON types of the argument `name`; None where the tool's schema does not say."""
    return types_of(properties_of(parameters, parameters).get(name), parameters)


def properties_of(schema: Any, root: dict[str, Any]) -> dict[str, Any]:
    """The schemas of an object's properties, by name; empty where it names none."""
    schema = resolved(schema, root)
    properties = schema.get("properties") if isinstance(schema, dict) else None
    return properties if isinstance(properties, dict) else {}


def resolved(schema: Any, root: dict[str, Any]) -> Any:
    """What `schema` refers to, if it is a reference inside `root`; None if that is nowhere."""
    for _ in range(_MAX_HOPS):
        if not (isinstance(schema, dict) and isinstance(schema.get("$ref"), str)):
            return schema
        schema = _lookup(schema["$ref"], root)
    return None


def json_value(text: str, types: frozenset[str] | None) -> str:
    """`text` as JSON: itself where it is JSON of one of `types`, else a string."""
    if types == frozenset(("string",)):
        return json_string(text)
    bare = text.strip(SPACE)
    if types is not None and types & {"boolean", "null"}:
        # Templates that print a value as Python does teach models to write it so.
        bare = _PYTHON.get(bare, bare)
    if not is_json(bare):
        return json_string(text)
    found = _type(bare)
    if types is None or "string" not in types or (found != "string" and found in _widened(types)):
        return bare
    return json_string(text)


def json_string(text: str) -> str:
    """`text` as a JSON string."""
    return json.dumps(text, ensure_ascii=False)


def json_inside(text: str) -> str:
    """`text` as it stands between a JSON string's quotes; pieces can be converted one by one."""
    return json_string(text)[1:-1]


def _type(value: str) -> str:
    number = "number" if any(c in value for c in ".eE") else "integer"
    return _TYPES.get(value[0], number)


def _widened(types: frozenset[str]) -> frozenset[str]:
    # 1 is a number, and 1.0 an integer.
    numbers = frozenset(("number", "integer"))
    return types | numbers if types & numbers else types


def _combine(known: list[frozenset[str] | None], all_of: bool) -> frozenset[str] | None:
    said = [types for types in known if types is not None]
    if not said or (len(said) < len(known) and not all_of):
        return None
    return frozenset.intersection(*said) if all_of else frozenset.union(*said)


def _lookup(reference: str, root: dict[str, Any]) -> Any:
    found: Any = root
    if not reference.startswith("#"):
        return None
    for part in reference[1:].split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        found = found.get(key) if isinstance(found, dict) else None
    return found
