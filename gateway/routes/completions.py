"""POST /v1/completions."""

from __future__ import annotations

from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from kronk.gateway.access.router import Router
from kronk.gateway.access.rules import inference
from kronk.gateway.answer import respond
from kronk.gateway.body import parse_body
from kronk.gateway.dialects.generation import IMC_HEADER
from kronk.gateway.dialects.openai import completions
from kronk.gateway.dialects.schemas import COMPLETION
from kronk.gateway.operations import completion_operation
from kronk.gateway.services import services_of

from .documents import IMC, answer_documents, request_document

router = Router()


@router.post(
    "/v1/completions",
    access=inference("completions"),
    openapi_extra=request_document(completions.schema, parameters=[IMC]),
    responses=answer_documents(COMPLETION, events="`text_completion` objects, then `[DONE]`."),
    summary="Completion of plain text",
)
async def complete(request: Request) -> Response:
    """Go on from a prompt without a chat template, streamed or whole, in OpenAI's form."""
    parse = partial(completion_operation, imc_header=request.headers.get(IMC_HEADER))
    return respond(services_of(request), await parse_body(request, parse))
