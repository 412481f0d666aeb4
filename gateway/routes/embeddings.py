"""POST /v1/embeddings."""

from __future__ import annotations

import asyncio
import secrets

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from kronk.gateway.answer import WholeResponse
from kronk.gateway.body import read_body
from kronk.gateway.dialects import embeddings
from kronk.gateway.services import services_of

router = APIRouter()

# Parsing this much takes a millisecond or two; more would be felt by the streams of others.
_LARGE_BYTES = 256 * 1024

_BODY = {
    "required": True,
    "content": {"application/json": {"schema": embeddings.EmbeddingsBody.model_json_schema()}},
}


@router.post("/v1/embeddings", openapi_extra={"requestBody": _BODY}, summary="Embeddings")
async def embed(request: Request) -> Response:
    """Turn texts, or token ids, into vectors of length 1, in OpenAI's form."""
    services = services_of(request)
    asked = await _parse(await read_body(request))
    whole = embeddings.EmbeddingsWhole(asked.job.model, asked.encoding)
    name = f"embd-{secrets.token_hex(12)}"
    timeout = services.settings.write_timeout
    return WholeResponse(services.link.exchange, name, asked.job, timeout, whole)


async def _parse(body: bytes) -> embeddings.EmbeddingsRequest:
    if len(body) < _LARGE_BYTES:
        return embeddings.parse(body)
    return await asyncio.to_thread(embeddings.parse, body)
