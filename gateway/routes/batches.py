"""POST and GET /v1/batches: many requests in one file, answered when there is room for them."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from kronk.gateway.access.router import Router
from kronk.gateway.access.rules import inference
from kronk.gateway.batches.endpoints import GATES
from kronk.gateway.batches.names import BATCH as BATCH_PREFIX
from kronk.gateway.batches.objects import batch_object, list_object
from kronk.gateway.batches.requests import (
    BATCHES_LISTED,
    MOST_BATCHES_LISTED,
    BatchBody,
    list_query,
    parse_batch,
)
from kronk.gateway.batches.schemas import BATCH, listed
from kronk.gateway.body import parse_body
from kronk.gateway.dialects.paging import parameters
from kronk.gateway.record import identity_of
from kronk.gateway.services import services_of

from .documents import answer_documents, request_document

router = Router()


@router.post(
    "/v1/batches",
    access=inference("batches", charged=False),
    openapi_extra=request_document(BatchBody.model_json_schema),
    responses=answer_documents(BATCH),
    summary="Create a batch",
)
async def create(request: Request) -> Response:
    """Run the requests of an uploaded file of JSON lines, for whom may use their endpoint."""
    services, identity = services_of(request), identity_of(request)
    asked = await parse_body(request, parse_batch)
    await services.access.check(identity, GATES[asked.endpoint])
    made = await services.batches.create(asked, identity)
    return JSONResponse(batch_object(made))


@router.get(
    "/v1/batches",
    access=inference("batches", charged=False),
    openapi_extra={"parameters": parameters(MOST_BATCHES_LISTED, BATCHES_LISTED)},
    responses=answer_documents(listed(BATCH)),
    summary="List batches",
)
async def batches(request: Request) -> Response:
    """Batches, the newest first."""
    asked = list_query(request.query_params, BATCH_PREFIX, MOST_BATCHES_LISTED, BATCHES_LISTED)
    found, has_more = await services_of(request).batches.page(asked, identity_of(request))
    return JSONResponse(list_object([batch_object(batch) for batch in found], has_more))


@router.get(
    "/v1/batches/{batch_id}",
    access=inference("batches", charged=False),
    responses=answer_documents(BATCH),
    summary="One batch",
)
async def batch(request: Request, batch_id: str) -> Response:
    """How a batch is getting on, and its files once it has ended."""
    found = await services_of(request).batches.get(batch_id, identity_of(request))
    return JSONResponse(batch_object(found))


@router.post(
    "/v1/batches/{batch_id}/cancel",
    access=inference("batches", charged=False),
    responses=answer_documents(BATCH, errors=(409,)),
    summary="Cancel a batch",
)
async def cancel(request: Request, batch_id: str) -> Response:
    """Stop a batch; what was answered by then is kept."""
    batch = await services_of(request).batches.cancel(batch_id, identity_of(request))
    return JSONResponse(batch_object(batch))
