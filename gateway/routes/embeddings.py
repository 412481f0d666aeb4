"""POST /v1/embeddings."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from kronk.gateway.access.router import Router
from kronk.gateway.access.rules import inference
from kronk.gateway.answer import respond
from kronk.gateway.body import parse_body
from kronk.gateway.dialects.openai import embeddings
from kronk.gateway.dialects.schemas import EMBEDDINGS
from kronk.gateway.operations import embedding_operation
from kronk.gateway.services import services_of

from .documents import answer_documents, request_document

router = Router()


@router.post(
    "/v1/embeddings",
    access=inference("embeddings"),
    openapi_extra=request_document(embeddings.EmbeddingsBody.model_json_schema),
    responses=answer_documents(EMBEDDINGS),
    summary="Embeddings",
)
async def embed(request: Request) -> Response:
    """Turn texts, or token ids, into vectors of length 1, in OpenAI's form."""
    return respond(services_of(request), await parse_body(request, embedding_operation))
