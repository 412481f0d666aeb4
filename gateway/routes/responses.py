"""POST /v1/responses, and what is kept of them: GET, DELETE, their input items."""

from __future__ import annotations

import asyncio
from functools import partial

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from kronk.gateway.access.router import Router
from kronk.gateway.access.rules import inference
from kronk.gateway.answer import respond
from kronk.gateway.body import parse_body
from kronk.gateway.dialects.generation import IMC_HEADER
from kronk.gateway.dialects.responses import listing, request, schemas
from kronk.gateway.dialects.responses.stored import Stored
from kronk.gateway.operations import input_tokens_operation, responses_operation
from kronk.gateway.record import identity_of
from kronk.gateway.responses.store import OwnResponses
from kronk.gateway.services import services_of
from kronk.shared.errors import InvalidArgument, NotFound

from .documents import IMC, JSON, answer_documents, request_document

router = Router()


@router.post(
    "/v1/responses",
    access=inference("responses"),
    openapi_extra=request_document(request.schema, parameters=[IMC]),
    responses=answer_documents(schemas.RESPONSE, events="OpenAI's events, named `response.*`."),
    summary="Response",
)
async def create(http: Request) -> Response:
    """Answer with a response, streamed or whole, and keep it unless `store` is false."""
    services, own = services_of(http), _own(http)
    await own.prepare()
    parse = partial(responses_operation, store=own, imc_header=http.headers.get(IMC_HEADER))
    return respond(services, await parse_body(http, parse, is_slow=_names_something))


@router.post(
    "/v1/responses/input_tokens",
    access=inference("responses", charged=False, works=True),
    openapi_extra=request_document(request.schema),
    responses=answer_documents(schemas.INPUT_TOKENS),
    summary="Input tokens of a response",
)
async def input_tokens(http: Request) -> Response:
    """How many tokens the input would have, and nothing is answered."""
    services = services_of(http)
    parse = partial(input_tokens_operation, store=_own(http))
    return respond(services, await parse_body(http, parse, is_slow=_names_something))


@router.get(
    "/v1/responses/{response_id}",
    access=inference("responses", charged=False),
    openapi_extra={"parameters": listing.RESPONSE_QUERY},
    responses=answer_documents(schemas.RESPONSE),
    summary="Stored response",
)
async def get(http: Request, response_id: str) -> Response:
    """A response that was kept."""
    listing.check_response_query(http.query_params)
    return JSONResponse((await _stored(http, response_id)).response)


@router.delete(
    "/v1/responses/{response_id}",
    access=inference("responses", charged=False),
    responses=answer_documents(schemas.DELETED),
    summary="Delete a stored response",
)
async def delete(http: Request, response_id: str) -> Response:
    """Forget a response; those that continued it stay, with what they know of it."""
    if not await _own(http).delete(response_id):
        raise _not_found(response_id)
    return JSONResponse(listing.deleted(response_id))


@router.get(
    "/v1/responses/{response_id}/input_items",
    access=inference("responses", charged=False),
    openapi_extra={"parameters": listing.ITEMS_QUERY},
    responses=answer_documents(schemas.INPUT_ITEMS),
    summary="Input items of a stored response",
)
async def input_items(http: Request, response_id: str) -> Response:
    """What the response answered, the earlier turns that it continued included."""
    asked = listing.items_query(http.query_params)
    return JSONResponse(listing.page((await _stored(http, response_id)).items, asked))


@router.post(
    "/v1/responses/{response_id}/cancel",
    access=inference("responses", charged=False),
    openapi_extra={"requestBody": {"required": False, "content": {JSON: {"schema": {}}}}},
    responses=answer_documents(None, "There are no responses in the background to cancel."),
    summary="Cancel a response",
)
async def cancel(http: Request, response_id: str) -> Response:
    """Always refused: to end a response that is being made, close its connection."""
    await _stored(http, response_id)
    raise InvalidArgument("Cannot cancel a synchronous response.", param="response_id")


def _own(http: Request) -> OwnResponses:
    """The responses of who asks: those of others are not there."""
    return services_of(http).responses.of(identity_of(http))


async def _stored(http: Request, name: str) -> Stored:
    found = await asyncio.to_thread(_own(http).find, name)
    if found is None:
        raise _not_found(name)
    return found


def _names_something(body: bytes) -> bool:
    """Whether the body may name what is kept, which may be long however short the body is."""
    return b'id"' in body


def _not_found(name: str) -> NotFound:
    return NotFound(f"Response with id '{name[:100]}' not found.", param="response_id")
