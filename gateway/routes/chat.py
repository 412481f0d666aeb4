"""POST /v1/chat/completions."""

from __future__ import annotations

import asyncio
import secrets
import time

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from kronk.gateway.answer import StreamResponse, WholeResponse
from kronk.gateway.body import LARGE_BYTES, read_body
from kronk.gateway.dialects import chat
from kronk.gateway.dialects.chat_answer import ChatChunks
from kronk.gateway.dialects.chat_whole import ChatWhole
from kronk.gateway.dialects.generation import IMC_HEADER
from kronk.gateway.services import services_of

from .documents import answer_documents, request_document

router = APIRouter()


@router.post(
    "/v1/chat/completions",
    openapi_extra=request_document(chat.schema()),
    responses=answer_documents("chat.completion", "chat.completion.chunk"),
    summary="Chat completion",
)
async def complete(request: Request) -> Response:
    """Answer a chat, streamed or whole, in OpenAI's form."""
    services = services_of(request)
    asked = await _parse(await read_body(request), request.headers.get(IMC_HEADER))
    name = f"chatcmpl-{secrets.token_hex(12)}"
    created = int(time.time())
    job, exchange = asked.job, services.link.exchange
    timeout = services.settings.write_timeout
    if asked.stream:
        chunks = ChatChunks(
            name, job.model, created, choices=asked.choices, include_usage=asked.include_usage
        )
        return StreamResponse(exchange, name, job, timeout, chunks)
    whole = ChatWhole(name, job.model, created, choices=asked.choices, scored=asked.scored)
    return WholeResponse(exchange, name, job, timeout, whole)


async def _parse(body: bytes, imc_header: str | None) -> chat.ChatRequest:
    if len(body) < LARGE_BYTES:
        return chat.parse(body, imc_header)
    return await asyncio.to_thread(chat.parse, body, imc_header)
