"""What a route says of itself in the OpenAPI document: FastAPI sees neither bodies nor answers.

A route gives `openapi_extra=request_document(schema)` and `responses=answer_documents(schema)`.
What all routes have in common (errors in the dialect of the path, ids in headers) is added by
`kronk.gateway.openapi`, and so is the text of a status that a route only lists.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter
from starlette.routing import BaseRoute

from kronk.gateway.dialects.generation import IMC_HEADER
from kronk.gateway.dialects.schemas import TEXT, Schema, closed
from kronk.gateway.dialects.sse import EVENT_STREAM

JSON = "application/json"
# One server-sent event.
_EVENT = closed({"data": TEXT}, {"event": TEXT})
# A conversation's name, for routes that take it.
IMC: Schema = {
    "name": IMC_HEADER,
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": 256},
    "description": "The client's name for its conversation, which keeps its prefix cached; the"
    " field `imc_id` goes before it.",
}


def request_document(
    schema: Schema | Callable[[], Schema],
    *,
    media_type: str = JSON,
    parameters: Sequence[Schema] = (),
) -> dict[str, Any]:
    """For `openapi_extra`: a body that must be there, and parameters FastAPI does not know.

    A schema that takes time to make is given as what makes it; see `make_schemas`.
    """
    content = {media_type: {"schema": schema}}
    body = {"requestBody": {"required": True, "content": content}}
    return body | ({"parameters": list(parameters)} if parameters else {})


def optional_document(schema: Schema | Callable[[], Schema]) -> dict[str, Any]:
    """For `openapi_extra`: a body that need not be there."""
    return {"requestBody": {"required": False, "content": {JSON: {"schema": schema}}}}


def make_schemas(routes: Iterable[BaseRoute]) -> None:
    """Make the schemas of bodies that are not made yet: few gateways are ever asked for them."""
    for route in routes:
        extra = getattr(route, "openapi_extra", None) or {}
        for content in extra.get("requestBody", {}).get("content", {}).values():
            if callable(content["schema"]):
                content["schema"] = content["schema"]()


def schema_of(kind: type) -> Schema:
    """The schema of a dataclass that is sent as it is."""
    return TypeAdapter(kind).json_schema(mode="serialization")


def answer_documents(
    whole: Schema | None,
    description: str = "The answer.",
    *,
    events: str | None = None,
    media_type: str = EVENT_STREAM,
    also: Mapping[str, Schema] | None = None,
    errors: Sequence[int] = (),
) -> dict[int | str, dict[str, Any]]:
    """For `responses`: an object, a stream whose `events` are described in words, or both.

    `also` has other media types, `errors` are statuses beyond those that every route has. Where
    there is nothing, no request is answered well.
    """
    content: dict[str, Any] = {} if whole is None else {JSON: {"schema": whole}}
    content |= {kind: {"schema": schema} for kind, schema in (also or {}).items()}
    if events is not None:
        description = f"{description} As a stream: {events}"
        schema = _EVENT if media_type == EVENT_STREAM else TEXT
        content[media_type.partition(";")[0]] = {"schema": schema}
    answers: dict[int | str, dict[str, Any]] = {
        200: {"description": description, "content": content}
    }
    return answers | {status: {"description": ""} for status in errors}
