"""POST /v1/rerank, and the same under the name that other servers give it."""

from __future__ import annotations

import asyncio
import secrets

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from kronk.gateway.answer import WholeResponse
from kronk.gateway.body import read_body
from kronk.gateway.dialects import rerank
from kronk.gateway.services import services_of

router = APIRouter()

# Parsing this much takes a millisecond or two; more would be felt by the streams of others.
_LARGE_BYTES = 256 * 1024

_BODY = {
    "required": True,
    "content": {"application/json": {"schema": rerank.RerankBody.model_json_schema()}},
}


@router.post("/v1/rerank", openapi_extra={"requestBody": _BODY}, summary="Rerank documents")
@router.post("/v1/reranking", openapi_extra={"requestBody": _BODY}, include_in_schema=False)
async def score(request: Request) -> Response:
    """Sort documents by their relevance to a query, which is from 0 to 1."""
    services = services_of(request)
    asked = await _parse(await read_body(request))
    name = f"rank-{secrets.token_hex(12)}"
    timeout = services.settings.write_timeout
    whole = rerank.RerankWhole(asked)
    return WholeResponse(services.link.exchange, name, asked.job, timeout, whole)


async def _parse(body: bytes) -> rerank.RerankRequest:
    if len(body) < _LARGE_BYTES:
        return rerank.parse(body)
    return await asyncio.to_thread(rerank.parse, body)
