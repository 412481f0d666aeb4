"""POST /v1/tokenize, /v1/detokenize and /v1/apply-template."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from kronk.gateway.access.router import Router
from kronk.gateway.access.rules import inference
from kronk.gateway.answer import respond
from kronk.gateway.body import parse_body
from kronk.gateway.dialects import tokens
from kronk.gateway.dialects.schemas import DETOKENIZED, PROMPT, TOKENS
from kronk.gateway.operations import detokenize_operation, template_operation, tokenize_operation
from kronk.gateway.services import services_of

from .documents import answer_documents, request_document

router = Router()


@router.post(
    "/v1/tokenize",
    access=inference("tokenize"),
    openapi_extra=request_document(tokens.tokenize_schema),
    responses=answer_documents(TOKENS),
    summary="Text or chat to tokens",
)
async def tokenize(request: Request) -> Response:
    """Count and list the tokens of a text, or of a chat as the model would see it."""
    return respond(services_of(request), await parse_body(request, tokenize_operation))


@router.post(
    "/v1/detokenize",
    access=inference("tokenize"),
    openapi_extra=request_document(tokens.DetokenizeBody.model_json_schema),
    responses=answer_documents(DETOKENIZED),
    summary="Tokens to text",
)
async def detokenize(request: Request) -> Response:
    """The text that tokens stand for; special tokens by their names."""
    return respond(services_of(request), await parse_body(request, detokenize_operation))


@router.post(
    "/v1/apply-template",
    access=inference("tokenize"),
    openapi_extra=request_document(tokens.template_schema),
    responses=answer_documents(PROMPT),
    summary="Chat to prompt",
)
async def apply_template(request: Request) -> Response:
    """A chat as the model's chat template writes it; any chat request will do."""
    return respond(services_of(request), await parse_body(request, template_operation))
