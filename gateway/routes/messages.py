"""POST /v1/messages and POST /v1/messages/count_tokens."""

from __future__ import annotations

from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from kronk.gateway.access.router import Router
from kronk.gateway.access.rules import inference
from kronk.gateway.answer import respond
from kronk.gateway.body import parse_body
from kronk.gateway.dialects.anthropic import request as messages
from kronk.gateway.dialects.anthropic.models import VERSION_HEADER
from kronk.gateway.dialects.anthropic.schemas import MESSAGE, TOKENS
from kronk.gateway.dialects.generation import IMC_HEADER
from kronk.gateway.dialects.schemas import TEXT, Schema
from kronk.gateway.operations import message_count_operation, message_operation
from kronk.gateway.services import services_of

from .documents import IMC, answer_documents, request_document

router = Router()

_BETA_HEADER = "anthropic-beta"
_VENDORS: list[Schema] = [
    {
        "name": name,
        "in": "header",
        "required": False,
        "schema": TEXT,
        "description": meaning,
    }
    for name, meaning in (
        (VERSION_HEADER, "Sent by Anthropic's clients; there is one version here."),
        (_BETA_HEADER, "What of Anthropic's API the client wants that is not yet for all."),
    )
]


@router.post(
    "/v1/messages",
    access=inference("messages"),
    openapi_extra=request_document(messages.schema, parameters=[IMC, *_VENDORS]),
    responses=answer_documents(MESSAGE, events="`message_start` to `message_stop`, and `ping`."),
    summary="Message",
)
async def create(request: Request) -> Response:
    """Answer a conversation, streamed or whole, in Anthropic's form."""
    parse = partial(
        message_operation,
        imc_header=request.headers.get(IMC_HEADER),
        betas=request.headers.get(_BETA_HEADER),
    )
    return respond(services_of(request), await parse_body(request, parse))


@router.post(
    "/v1/messages/count_tokens",
    access=inference("messages", charged=False, works=True),
    openapi_extra=request_document(messages.count_schema, parameters=_VENDORS),
    responses=answer_documents(TOKENS),
    summary="Tokens of a message's prompt",
)
async def count_tokens(request: Request) -> Response:
    """How many tokens a conversation would be to the model."""
    return respond(services_of(request), await parse_body(request, message_count_operation))
