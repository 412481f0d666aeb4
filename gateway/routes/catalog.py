"""GET /v1/kronk/catalog: the models that can be fetched by name."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from kronk.gateway.access.router import Router
from kronk.gateway.access.rules import READING
from kronk.gateway.dialects.paging import parameter
from kronk.gateway.dialects.schemas import (
    COUNT,
    TEXT,
    TRUTH,
    array,
    closed,
    listed,
    nullable,
)
from kronk.gateway.services import Services, services_of
from kronk.shared.errors import NotFound
from kronk.shared.models import catalog, catalog_view

from .documents import answer_documents
from .models import scan

router = Router()

_FILE = closed(
    {
        "source": TEXT,
        "role": TEXT,
        "sha256": nullable(TEXT),
        "size_bytes": nullable(COUNT),
        "size_is_exact": TRUTH,
    }
)
_ENTRY = closed(
    {
        "id": TEXT,
        "category": TEXT,
        "endpoint": TEXT,
        "pulled": TRUTH,
        "size_bytes": nullable(COUNT),
        "size_is_exact": TRUTH,
        "capabilities": array(TEXT),
        "licence": TEXT,
        "gated": TRUTH,
        "description": TEXT,
        "parameters": nullable(TEXT),
        "quantisation": nullable(TEXT),
        "context": nullable(COUNT),
        "web_page": nullable(TEXT),
        # `kronk`, or the path of the file it is in.
        "origin": TEXT,
        "folder": TEXT,
        "files": array(_FILE),
        "config": {"type": "object"},
    }
)
# What is wrong with files of the user's or of a repository.
CATALOG = listed(_ENTRY, faults=array(TEXT))
_QUERY = {
    "parameters": [parameter("category", TEXT, "Only categories that have this in their names.")]
}


@router.get(
    "/v1/kronk/catalog",
    access=READING,
    responses=answer_documents(CATALOG),
    openapi_extra=_QUERY,
    summary="The catalog",
)
async def entries(request: Request) -> Response:
    """Every model that can be fetched by name, and which are there already."""
    services = services_of(request)
    known = await asyncio.to_thread(catalog.catalog_of, services.base)
    wanted = catalog.of_category(known.entries, request.query_params.get("category"))
    names = await _usable(services)
    data = [catalog_view.row(entry, entry.id in names) for entry in wanted]
    return JSONResponse({"object": "list", "data": data, "faults": list(known.faults)})


@router.get(
    "/v1/kronk/catalog/{model_id}",
    access=READING,
    responses=answer_documents(_ENTRY),
    summary="One model of the catalog",
)
async def entry(request: Request, model_id: str) -> Response:
    """All that the catalog says about one model."""
    services = services_of(request)
    known = await asyncio.to_thread(catalog.known, services.base)
    try:
        found = catalog.find(known, model_id)
    except NotFound as error:
        raise NotFound(f"model_id: {error.message:.500}", param="model_id") from error
    return JSONResponse(catalog_view.row(found, found.id in await _usable(services)))


async def _usable(services: Services) -> set[str]:
    rows: list[dict[str, Any]] = [
        {"id": model.id, "validated": model.validated} for model in await scan(services)
    ]
    return catalog_view.usable(rows)
