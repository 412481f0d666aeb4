"""What Ollama's requests have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, WithJsonSchema

from kronk.gateway.dialects.constraints import schema_constraint
from kronk.gateway.dialects.fields import first_error, unsupported, wrong
from kronk.gateway.dialects.residency import Span
from kronk.gateway.job import Job
from kronk.shared.errors import InvalidArgument
from kronk.shared.wire.values import Answer, Constraint

from .options import SCHEMA

# Ollama's own bound.
MOST_TOP_LOGPROBS = 20
_LEVELS = ("low", "medium", "high", "max")
_FORMAT = {
    "anyOf": [{"enum": ["", "json"]}, {"type": "object"}, {"type": "null"}],
    "default": None,
    "description": "`json`, or the JSON schema that the answer has to follow.",
}
_THINK = {
    "anyOf": [{"type": "boolean"}, {"enum": list(_LEVELS)}, {"type": "null"}],
    "default": None,
}


def _falsy(schema: dict[str, Any]) -> None:
    """Of a field that is not built, only what changes nothing: null, false, 0 or nothing in it."""
    for kind in schema.pop("anyOf"):
        match kind["type"]:
            case "boolean":
                empty: dict[str, Any] = {"enum": [False, None]}
            case "integer":
                empty = {"enum": [0, None]}
            case "string":
                empty = {"enum": ["", None]}
            case "array":
                empty = {"type": ["array", "null"], "maxItems": 0}
            case "object":
                empty = {"type": ["object", "null"], "maxProperties": 0}
            case _:
                continue
        schema |= empty


Kind = TypeVar("Kind")
# A field of Ollama's that `refuse` checks.
NotBuilt = Annotated[Kind | None, Field(json_schema_extra=_falsy)]


class ModelBody(BaseModel):
    """A request for one model. What is typed Any is checked by hand: errors of unions name all
    branches."""

    model_config = ConfigDict(strict=True, extra="forbid")

    model: Annotated[str, Field(min_length=1, max_length=1024)]
    keep_alive: Span = None
    ttl: Span = None
    options: Annotated[Any, WithJsonSchema(SCHEMA)] = None


class GeneratingBody(ModelBody):
    """A request for text."""

    # A stream unless the caller says no.
    stream: bool | None = None
    format: Annotated[Any, WithJsonSchema(_FORMAT)] = None
    think: Annotated[Any, WithJsonSchema(_THINK)] = None
    logprobs: bool | None = None
    top_logprobs: int | None = Field(default=None, ge=0, le=MOST_TOP_LOGPROBS)
    # To cut a chat that does not fit, or shift its beginning out while it is answered: not done.
    truncate: NotBuilt[bool] = None
    shift: NotBuilt[bool] = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What to run, and in which form the caller wants the answer."""

    job: Job
    stream: bool
    # With log-probabilities.
    scored: bool


Body = TypeVar("Body", bound=BaseModel)


def read(body: type[Body], given: dict[str, Any]) -> Body:
    """The fields of `given`, checked."""
    try:
        return body.model_validate(given)
    except ValidationError as error:
        raise first_error(error) from None


def refuse(fields: Mapping[str, Any]) -> None:
    """Fields of Ollama's that are not built; a value that is empty or false changes nothing."""
    for name, value in fields.items():
        if value:
            raise unsupported(name)


def answer(fields: GeneratingBody) -> Answer:
    """What the answer has to look like."""
    refuse({"truncate": fields.truncate, "shift": fields.shift})
    scored = fields.logprobs or fields.top_logprobs
    return Answer(
        constraint=_constraint(fields.format),
        logprobs=fields.top_logprobs or 0 if scored else None,
        limit_param="options.num_predict",
    )


def _constraint(value: object) -> Constraint | None:
    if value is None or value == "":
        return None
    if value == "json":
        return Constraint("json_object", "", "format")
    if not isinstance(value, dict):
        raise InvalidArgument(
            "'format': must be 'json' or a JSON schema, which is an object", param="format"
        )
    return schema_constraint(value, "format")


def thinking(value: object) -> tuple[bool | None, str | None]:
    """Of `think`: whether to, and how much."""
    if value is None or isinstance(value, bool):
        return value, None
    if value not in _LEVELS:
        raise wrong("think", f"true, false or one of {', '.join(_LEVELS)}", value)
    assert isinstance(value, str)
    return True, value
