"""The four ways to say which language an answer must be in."""

from __future__ import annotations

import json
import re
from typing import Any, Protocol

from kronk.shared.errors import InvalidArgument
from kronk.shared.wire.values import Constraint

from .fields import carriable, members, string, wrong

NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")

_JSON_SCHEMA = {
    "type": "object",
    "required": ["name", "schema"],
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string", "pattern": f"^{NAME.pattern}$"},
        "description": {"type": ["string", "null"]},
        "schema": {"type": "object"},
        "strict": {"type": ["boolean", "null"]},
    },
}
RESPONSE_FORMAT_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {
            "type": "object",
            "required": ["type"],
            "additionalProperties": False,
            "properties": {"type": {"const": "text"}},
        },
        {
            "type": "object",
            "required": ["type"],
            "additionalProperties": False,
            "properties": {"type": {"const": "json_object"}, "schema": {"type": "object"}},
        },
        {
            "type": "object",
            "required": ["type", "json_schema"],
            "additionalProperties": False,
            "properties": {"type": {"const": "json_schema"}, "json_schema": _JSON_SCHEMA},
        },
        {"type": "null"},
    ]
}


class Fields(Protocol):
    """The fields of a request that constrain its answer."""

    response_format: Any
    grammar: str | None
    regex: str | None
    json_schema: dict[str, Any] | None


def constraint(fields: Fields) -> Constraint | None:
    """The one constraint of a request; `InvalidArgument` when there are two."""
    found = _response_format(fields.response_format)
    given = [found] if found else []
    # Clients of llama-server send an empty grammar when they have none.
    if fields.grammar:
        given.append(Constraint("grammar", fields.grammar, "grammar"))
    if fields.regex is not None:
        given.append(Constraint("regex", fields.regex, "regex"))
    if fields.json_schema is not None:
        given.append(_schema(fields.json_schema, "json_schema"))
    if len(given) > 1:
        first, second = (item.param.partition(".")[0] for item in given[:2])
        raise InvalidArgument(
            f"'{first}' and '{second}' both say what the answer must look like; send one of them",
            param=second,
        )
    return given[0] if given else None


def _response_format(value: object) -> Constraint | None:
    where = "response_format"
    if value is None:
        return None
    if not isinstance(value, dict):
        raise wrong(where, "an object", value)
    match value.get("type"):
        case "text":
            members(value, where, "type")
            return None
        case "json_object":
            members(value, where, "type", "schema")
            if value.get("schema") is None:
                return Constraint("json_object", "", where)
            # llama-server's form.
            return _schema(value["schema"], f"{where}.schema")
        case "json_schema":
            members(value, where, "type", "json_schema")
            return _named_schema(value.get("json_schema"), f"{where}.json_schema")
    raise InvalidArgument(
        f"'{where}.type': must be one of text, json_object, json_schema", param=f"{where}.type"
    )


def _named_schema(value: object, where: str) -> Constraint:
    given = members(value, where, "name", "description", "schema", "strict")
    name = string(given.get("name"), f"{where}.name")
    if not NAME.fullmatch(name):
        raise InvalidArgument(
            f"'{where}.name': must have 1 to 64 letters, digits, underscores or hyphens",
            param=f"{where}.name",
        )
    if given.get("description") is not None:
        string(given["description"], f"{where}.description")
    # Not strict is a promise of less; the answer follows the schema either way.
    if not isinstance(given.get("strict"), bool | None):
        raise wrong(f"{where}.strict", "true or false", given["strict"])
    return _schema(given.get("schema"), f"{where}.schema")


def _schema(value: object, where: str) -> Constraint:
    if not isinstance(value, dict):
        raise wrong(where, "an object", value)
    carriable(value, where)
    return Constraint("json_schema", json.dumps(value, ensure_ascii=False), where)
