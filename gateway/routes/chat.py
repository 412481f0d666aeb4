"""POST /v1/chat/completions."""

from __future__ import annotations

import asyncio
import secrets
import time

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from kronk.gateway.answer import StreamResponse, WholeResponse
from kronk.gateway.body import read_body
from kronk.gateway.dialects import chat
from kronk.gateway.dialects.chat_answer import ChatChunks
from kronk.gateway.dialects.chat_whole import ChatWhole
from kronk.gateway.services import services_of

router = APIRouter()

# Parsing this much takes a millisecond or two; more would be felt by the streams of others.
_LARGE_BYTES = 256 * 1024

_BODY = {
    "required": True,
    "content": {"application/json": {"schema": chat.ChatBody.model_json_schema()}},
}


@router.post(
    "/v1/chat/completions", openapi_extra={"requestBody": _BODY}, summary="Chat completion"
)
async def complete(request: Request) -> Response:
    """Answer a chat, streamed or whole, in OpenAI's form."""
    services = services_of(request)
    asked = await _parse(await read_body(request))
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


async def _parse(body: bytes) -> chat.ChatRequest:
    if len(body) < _LARGE_BYTES:
        return chat.parse(body)
    return await asyncio.to_thread(chat.parse, body)
