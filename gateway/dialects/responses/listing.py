"""What is asked of stored responses: queries, pages of input items, what a deletion says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from kronk.gateway.dialects.openai.content import one_of
from kronk.gateway.dialects.schemas import Schema
from kronk.shared.errors import InvalidArgument

from .items import Item
from .request import INCLUDABLE

# OpenAI's.
DEFAULT_LIMIT = 20
MOST_ITEMS = 100

_INCLUDE: Schema = {
    "name": "include",
    "in": "query",
    "required": False,
    "schema": {"type": "array", "items": {"enum": list(INCLUDABLE)}},
    "description": "Taken and not acted on: a response is kept with all it came with.",
}
RESPONSE_QUERY: list[Schema] = [_INCLUDE]
ITEMS_QUERY: list[Schema] = [
    {
        "name": "limit",
        "in": "query",
        "required": False,
        "schema": {
            "type": "integer",
            "minimum": 1,
            "maximum": MOST_ITEMS,
            "default": DEFAULT_LIMIT,
        },
    },
    {
        "name": "order",
        "in": "query",
        "required": False,
        "schema": {"enum": ["asc", "desc"], "default": "desc"},
        "description": "The last item first, or the first.",
    },
    {
        "name": "after",
        "in": "query",
        "required": False,
        "schema": {"type": "string"},
        "description": "The id of the last item of the page before.",
    },
    _INCLUDE,
]


@dataclass(frozen=True, slots=True)
class ItemsQuery:
    """Which page of a list of items."""

    limit: int = DEFAULT_LIMIT
    order: Literal["asc", "desc"] = "desc"
    after: str | None = None


def check_response_query(query: Mapping[str, str]) -> None:
    """What GET of a response may ask for."""
    _check_include(query)
    if query.get("stream") in ("true", "1") or "starting_after" in query:
        param = "stream" if "stream" in query else "starting_after"
        raise InvalidArgument(
            f"'{param}': only a response in the background can be streamed again, and those are "
            "not supported by this version of Kronk",
            param=param,
        )


def items_query(query: Mapping[str, str]) -> ItemsQuery:
    """What GET of a response's input items asks for."""
    _check_include(query)
    limit = query.get("limit", str(DEFAULT_LIMIT))
    if not limit.isascii() or not limit.isdecimal() or not 1 <= int(limit[:9]) <= MOST_ITEMS:
        raise InvalidArgument(
            f"Invalid value for 'limit': expected a whole number from 1 to {MOST_ITEMS}, got "
            f"{limit[:40]!r}",
            param="limit",
        )
    order = query.get("order", "desc")
    one_of(order, ("asc", "desc"), "order")
    return ItemsQuery(int(limit), "asc" if order == "asc" else "desc", query.get("after"))


def page(items: list[Item], asked: ItemsQuery) -> dict[str, Any]:
    """A page of them as OpenAI's list object."""
    ordered = items if asked.order == "asc" else items[::-1]
    start = 0
    if asked.after is not None:
        places = [at for at, item in enumerate(ordered) if item["id"] == asked.after]
        if not places:
            raise InvalidArgument(
                f"'after': there is no item {asked.after[:100]!r} in this list", param="after"
            )
        start = places[0] + 1
    data = ordered[start : start + asked.limit]
    return {
        "object": "list",
        "data": data,
        "first_id": data[0]["id"] if data else "",
        "last_id": data[-1]["id"] if data else "",
        "has_more": start + len(data) < len(ordered),
    }


def deleted(name: str) -> dict[str, Any]:
    """What the deletion of a response is answered with."""
    return {"id": name, "object": "response", "deleted": True}


def _check_include(query: Mapping[str, str]) -> None:
    # The official client writes an array's name with brackets.
    for key in ("include", "include[]"):
        if key in query:
            one_of(query[key], INCLUDABLE, "include")
