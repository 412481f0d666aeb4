"""Lists in pages, as OpenAI's routes have them: what a query may say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from kronk.shared.errors import InvalidArgument

from .openai.content import one_of
from .schemas import TEXT, Schema

# OpenAI's, where nothing else is said.
USUAL_LIMIT = 20
# Python refuses to read very long numbers, and nothing here is that large.
_MOST_DIGITS = 10


@dataclass(frozen=True, slots=True)
class Paging:
    """Which part of a list is asked for."""

    limit: int = USUAL_LIMIT
    order: Literal["asc", "desc"] = "desc"
    # The id that the page begins behind.
    after: str | None = None


def paging(query: Mapping[str, str], most: int, usual: int = USUAL_LIMIT) -> Paging:
    """`limit`, `order` and `after` of a query; `InvalidArgument` names the one that is wrong."""
    limit = whole_number(query.get("limit", str(usual)), "limit", 1, most)
    order = query.get("order", "desc")
    one_of(order, ("asc", "desc"), "order")
    return Paging(limit, "asc" if order == "asc" else "desc", query.get("after"))


def whole_number(text: str, where: str, least: int, most: int) -> int:
    """A number in a query or a form."""
    is_number = text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS
    if not is_number or not least <= int(text) <= most:
        raise InvalidArgument(
            f"Invalid value for '{where}': expected a whole number from {least} to {most}, got "
            f"{text[:40]!r}",
            param=where,
        )
    return int(text)


def parameters(most: int, usual: int = USUAL_LIMIT) -> list[Schema]:
    """The same for the OpenAPI document."""
    limit: Schema = {"type": "integer", "minimum": 1, "maximum": most, "default": usual}
    order: Schema = {"enum": ["asc", "desc"], "default": "desc"}
    return [
        parameter("limit", limit, "How many at most."),
        parameter("order", order, "The last one first, or the first."),
        parameter("after", TEXT, "The id of the last one of the page before."),
    ]


def parameter(name: str, schema: Schema, description: str) -> Schema:
    """One thing that a query may say."""
    return {
        "name": name,
        "in": "query",
        "required": False,
        "schema": schema,
        "description": description,
    }
