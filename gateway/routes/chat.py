"""POST /v1/chat/completions."""

from __future__ import annotations

from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from kronk.gateway.access.router import Router
from kronk.gateway.access.rules import inference
from kronk.gateway.answer import respond
from kronk.gateway.body import parse_body
from kronk.gateway.dialects.generation import IMC_HEADER
from kronk.gateway.dialects.openai import chat
from kronk.gateway.dialects.schemas import CHAT
from kronk.gateway.operations import chat_operation
from kronk.gateway.services import services_of

from .documents import IMC, answer_documents, request_document

router = Router()


@router.post(
    "/v1/chat/completions",
    access=inference("chat-completions"),
    openapi_extra=request_document(chat.schema, parameters=[IMC]),
    responses=answer_documents(CHAT, events="`chat.completion.chunk` objects, then `[DONE]`."),
    summary="Chat completion",
)
async def complete(request: Request) -> Response:
    """Answer a chat, streamed or whole, in OpenAI's form."""
    parse = partial(chat_operation, imc_header=request.headers.get(IMC_HEADER))
    return respond(services_of(request), await parse_body(request, parse))
