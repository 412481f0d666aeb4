"""POST /v1/rerank, and the same under the names that other servers give it."""

from __future__ import annotations

from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from kronk.gateway.access.router import Router
from kronk.gateway.access.rules import inference
from kronk.gateway.answer import respond
from kronk.gateway.body import parse_body
from kronk.gateway.dialects import rerank
from kronk.gateway.dialects.schemas import RERANKED
from kronk.gateway.operations import rerank_operation
from kronk.gateway.services import services_of

from .documents import answer_documents, request_document

router = Router()

_BODY = request_document(rerank.RerankBody.model_json_schema)
_ANSWERS = answer_documents(RERANKED)
_cohere_operation = partial(rerank_operation, style="cohere")
_jina_operation = partial(rerank_operation, style="jina")


@router.post(
    "/v1/rerank",
    access=inference("rerank"),
    openapi_extra=_BODY,
    responses=_ANSWERS,
    summary="Rerank documents",
)
@router.post(
    "/v1/reranking",
    access=inference("rerank"),
    openapi_extra=_BODY,
    responses=_ANSWERS,
    include_in_schema=False,
)
async def score(request: Request) -> Response:
    """Sort documents by their relevance to a query, which is from 0 to 1."""
    return respond(services_of(request), await parse_body(request, rerank_operation))


@router.post(
    "/v2/rerank",
    access=inference("rerank"),
    openapi_extra=_BODY,
    responses=_ANSWERS,
    summary="Rerank, as Cohere does",
)
async def score_as_cohere(request: Request) -> Response:
    """The same, but that documents come back only when asked for, and too long ones are cut."""
    return respond(services_of(request), await parse_body(request, _cohere_operation))


@router.post(
    "/rerank",
    access=inference("rerank"),
    openapi_extra=_BODY,
    responses=_ANSWERS,
    summary="Rerank, as Jina does",
)
async def score_as_jina(request: Request) -> Response:
    """The same, but that documents come back as objects, and too long ones are cut."""
    return respond(services_of(request), await parse_body(request, _jina_operation))
