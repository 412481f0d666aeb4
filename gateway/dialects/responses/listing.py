"""What is asked of stored responses: queries, pages of input items, what a deletion says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kronk.gateway.dialects.openai.content import one_of
from kronk.gateway.dialects.paging import Paging, paging, parameter, parameters
from kronk.gateway.dialects.schemas import Schema
from kronk.shared.errors import InvalidArgument

from .items import Item
from .request import INCLUDABLE

# OpenAI's.
MOST_ITEMS = 100

_INCLUDE = parameter(
    "include",
    {"type": "array", "items": {"enum": list(INCLUDABLE)}},
    "Taken and not acted on: a response is kept with all it came with.",
)
RESPONSE_QUERY: list[Schema] = [_INCLUDE]
ITEMS_QUERY: list[Schema] = [*parameters(MOST_ITEMS), _INCLUDE]


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


def items_query(query: Mapping[str, str]) -> Paging:
    """What GET of a response's input items asks for."""
    _check_include(query)
    return paging(query, MOST_ITEMS)


def page(items: list[Item], asked: Paging) -> dict[str, Any]:
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
