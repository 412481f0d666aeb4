"""POST /v1/rerank, and the same under the name that other servers give it."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from kronk.gateway.answer import respond
from kronk.gateway.body import parse_body
from kronk.gateway.dialects import rerank
from kronk.gateway.operations import rerank_operation
from kronk.gateway.services import services_of

from .documents import request_document

router = APIRouter()

_BODY = request_document(rerank.RerankBody.model_json_schema())


@router.post("/v1/rerank", openapi_extra=_BODY, summary="Rerank documents")
@router.post("/v1/reranking", openapi_extra=_BODY, include_in_schema=False)
async def score(request: Request) -> Response:
    """Sort documents by their relevance to a query, which is from 0 to 1."""
    return respond(services_of(request), await parse_body(request, rerank_operation))
