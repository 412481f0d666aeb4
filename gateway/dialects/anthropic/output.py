"""Anthropic's `output_config`: the form of an answer, and how much effort it is worth."""

from __future__ import annotations

from typing import Any

from kronk.gateway.dialects.constraints import schema_constraint
from kronk.gateway.dialects.fields import members, unsupported, wrong
from kronk.shared.errors import InvalidArgument
from kronk.shared.wire.values import Constraint

EFFORTS = ("low", "medium", "high", "xhigh", "max")

FORMAT_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {
            "type": "object",
            "required": ["type", "schema"],
            "additionalProperties": False,
            "properties": {"type": {"const": "json_schema"}, "schema": {"type": "object"}},
        },
        {"type": "null"},
    ]
}
CONFIG_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {
            "type": "object",
            "additionalProperties": False,
            "properties": {"effort": {"enum": [*EFFORTS, None]}, "format": FORMAT_SCHEMA},
        },
        {"type": "null"},
    ]
}


def output_of(config: object, old_format: object) -> tuple[str | None, Constraint | None]:
    """The effort, and what the answer is constrained to; `old_format` is `output_format`, where
    the form once stood."""
    if config is None:
        return None, _format(old_format, "output_format")
    given = members(config, "output_config", "effort", "format", "task_budget")
    if given.get("task_budget") is not None:
        raise unsupported("output_config.task_budget")
    effort = given.get("effort")
    if effort is not None and effort not in EFFORTS:
        raise InvalidArgument(
            f"'output_config.effort': must be one of {', '.join(EFFORTS)}",
            param="output_config.effort",
        )
    form = given.get("format")
    if form is not None and old_format is not None:
        raise InvalidArgument(
            "'output_format' and 'output_config.format' both say what the answer must look like; "
            "send one of them",
            param="output_format",
        )
    if form is None:
        form, where = old_format, "output_format"
    else:
        where = "output_config.format"
    return effort, _format(form, where)


def _format(value: object, where: str) -> Constraint | None:
    if value is None:
        return None
    given = members(value, where, "type", "schema")
    if given.get("type") != "json_schema":
        raise InvalidArgument(f"'{where}.type': must be json_schema", param=f"{where}.type")
    if not isinstance(given.get("schema"), dict):
        raise wrong(f"{where}.schema", "an object", given.get("schema"))
    return schema_constraint(given["schema"], f"{where}.schema")
