"""POST /v1/completions."""

from __future__ import annotations

import asyncio
import secrets
import time

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from kronk.gateway.answer import StreamResponse, WholeResponse
from kronk.gateway.body import LARGE_BYTES, read_body
from kronk.gateway.dialects import completions
from kronk.gateway.dialects.completions_answer import CompletionChunks, CompletionWhole
from kronk.gateway.dialects.generation import IMC_HEADER
from kronk.gateway.services import services_of

from .documents import answer_documents, request_document

router = APIRouter()


@router.post(
    "/v1/completions",
    openapi_extra=request_document(completions.schema()),
    responses=answer_documents("text_completion"),
    summary="Completion of plain text",
)
async def complete(request: Request) -> Response:
    """Go on from a prompt without a chat template, streamed or whole, in OpenAI's form."""
    services = services_of(request)
    asked = await _parse(await read_body(request), request.headers.get(IMC_HEADER))
    name = f"cmpl-{secrets.token_hex(12)}"
    created = int(time.time())
    job, *more = asked.jobs
    exchange, timeout = services.link.exchange, services.settings.write_timeout
    if asked.stream:
        chunks = CompletionChunks(name, job.model, created, asked.openings, asked.include_usage)
        return StreamResponse(exchange, name, job, timeout, chunks, more)
    scored = asked.logprobs is not None
    whole = CompletionWhole(name, job.model, created, asked.openings, scored)
    return WholeResponse(exchange, name, job, timeout, whole, more)


async def _parse(body: bytes, imc_header: str | None) -> completions.CompletionRequest:
    if len(body) < LARGE_BYTES:
        return completions.parse(body, imc_header)
    return await asyncio.to_thread(completions.parse, body, imc_header)
