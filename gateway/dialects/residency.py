"""How long a request wants its model to stay loaded: `keep_alive`, which is Ollama's, or `ttl`."""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, Protocol

from pydantic import WithJsonSchema

from kronk.shared.errors import InvalidArgument
from kronk.shared.units import parse_duration

from .fields import wrong

# A hundred years; beyond it somebody has mistaken the unit.
MOST_SECONDS = 100 * 365 * 86400
_DIGITS = r"[0-9]+(\.[0-9]+)?"
_NUMBER = re.compile(r"-?\d+(\.\d+)?")

# The type of both fields in a request's body, checked by `ttl`: a union's errors name all branches.
Span = Annotated[
    Any,
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "maximum": MOST_SECONDS},
                {"type": "string", "pattern": f"^-?({_DIGITS}|({_DIGITS}(ms|s|m|h|d))+)$"},
                {"type": "null"},
            ],
            "description": "How long the model stays loaded while unused: seconds, or a duration "
            "such as 5m; negative is for ever, 0 unloads it right after.",
        }
    ),
]


class Fields(Protocol):
    """A request that may say it."""

    keep_alive: Any
    ttl: Any


def ttl(fields: Fields) -> float | None:
    """For `Job.ttl`: seconds, infinity for ever, None where nothing is said."""
    if fields.keep_alive is not None and fields.ttl is not None:
        raise InvalidArgument(
            "'keep_alive' and 'ttl' are two names of the same thing; send one of them", param="ttl"
        )
    if fields.ttl is not None:
        return seconds(fields.ttl, "ttl")
    return seconds(fields.keep_alive, "keep_alive")


def seconds(value: object, where: str) -> float | None:
    """A span of time as Ollama writes it: `300`, `"5m"`, `"1h30m"`; negative is for ever."""
    match value:
        case None:
            return None
        case bool():
            raise wrong(where, "a number of seconds or a duration", value)
        case int() | float():
            span = _bounded(value, where)
        case str():
            span = _bounded(_parse(value.strip(), where), where)
        case _:
            raise wrong(where, "a number of seconds or a duration", value)
    return math.inf if span < 0 else span


def _bounded(value: float, where: str) -> float:
    # Before it is a float: JSON's whole numbers have any size.
    if value > MOST_SECONDS:
        raise InvalidArgument(
            f"'{where}' is more than a hundred years; a negative number is for ever", param=where
        )
    return -1.0 if value < 0 else float(value)


def _parse(text: str, where: str) -> float:
    if _NUMBER.fullmatch(text):
        return float(text)
    try:
        span = parse_duration(text.removeprefix("-"))
    except ValueError as error:
        raise InvalidArgument(
            f"Invalid value for '{where}': expected seconds, or a duration such as 30s, 5m or "
            "1h30m, or -1 for ever",
            param=where,
        ) from error
    return -span if text.startswith("-") else span
