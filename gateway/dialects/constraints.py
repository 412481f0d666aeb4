"""The four ways to say which language an answer must be in."""

from __future__ import annotations

import json
import re
from typing import Any, Protocol

from kronk.shared.errors import InvalidArgument
from kronk.shared.wire.values import Constraint

from .fields import carriable, members, string, wrong

NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
NAMED_SCHEMA = ("name", "description", "schema", "strict")

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


class Extras(Protocol):
    """Our own fields that constrain an answer, in whatever dialect."""

    grammar: str | None
    regex: str | None
    json_schema: dict[str, Any] | None


class Fields(Extras, Protocol):
    """The same with OpenAI's field of chats and completions."""

    response_format: Any


def constraint(fields: Fields) -> Constraint | None:
    """The one constraint of a chat or a completion; `InvalidArgument` when there are two."""
    return only_one(_response_format(fields.response_format), fields)


def text_format(value: object) -> Constraint | None:
    """What `text.format` of OpenAI's Responses says: the flat form of `response_format`."""
    where = "text.format"
    if value is None:
        return None
    if not isinstance(value, dict):
        raise wrong(where, "an object", value)
    match value.get("type"):
        case "text":
            members(value, where, "type")
            return None
        case "json_object":
            members(value, where, "type")
            return Constraint("json_object", "", where)
        case "json_schema":
            return named_schema(members(value, where, "type", *NAMED_SCHEMA), where)
    raise _no_format(where)


def only_one(found: Constraint | None, fields: Extras) -> Constraint | None:
    """The one constraint among what the dialect's own field says and ours."""
    given = [found] if found else []
    # Clients of llama-server send an empty grammar when they have none.
    if fields.grammar:
        given.append(Constraint("grammar", fields.grammar, "grammar"))
    if fields.regex is not None:
        given.append(Constraint("regex", fields.regex, "regex"))
    if fields.json_schema is not None:
        given.append(schema_constraint(fields.json_schema, "json_schema"))
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
            return schema_constraint(value["schema"], f"{where}.schema")
        case "json_schema":
            members(value, where, "type", "json_schema")
            inner = f"{where}.json_schema"
            return named_schema(members(value.get("json_schema"), inner, *NAMED_SCHEMA), inner)
    raise _no_format(where)


def _no_format(where: str) -> InvalidArgument:
    return InvalidArgument(
        f"'{where}.type': must be one of text, json_object, json_schema", param=f"{where}.type"
    )


def named_schema(given: dict[str, Any], where: str) -> Constraint:
    """A schema with its `NAMED_SCHEMA` members."""
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
    return schema_constraint(given.get("schema"), f"{where}.schema")


def schema_constraint(value: object, where: str) -> Constraint:
    """To JSON that `value` describes."""
    if not isinstance(value, dict):
        raise wrong(where, "an object", value)
    carriable(value, where)
    return Constraint("json_schema", json.dumps(value, ensure_ascii=False), where)
