"""GET /v1/kronk/...: what Kronk's own command line and page ask."""

from __future__ import annotations

import asyncio
from dataclasses import asdict

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from kronk.gateway.dialects.schemas import (
    COUNT,
    TEXT,
    TRUTH,
    WHOLE,
    array,
    closed,
    listed,
    nullable,
)
from kronk.gateway.services import services_of
from kronk.shared.models import details
from kronk.shared.wire.status import ModelStatus, ProcessStatus

from .documents import answer_documents, schema_of
from .models import scan

router = APIRouter()

STATUS_SECONDS = 2.0
PS = listed(schema_of(ModelStatus), processes=array(schema_of(ProcessStatus)), draining=TRUTH)
FILES = listed(
    closed(
        {
            "id": TEXT,
            "path": TEXT,
            "size_bytes": COUNT,
            "modified": WHOLE,
            "validated": TRUTH,
            "reason": nullable(TEXT),
        }
    )
)


@router.get(
    "/v1/kronk/ps",
    responses=answer_documents(PS),
    summary="Running models and processes",
)
async def ps(request: Request) -> Response:
    """What the supervisor knows of every loaded model and process."""
    status = await services_of(request).link.status(STATUS_SECONDS)
    return JSONResponse(
        {
            "object": "list",
            "data": [asdict(model) for model in status.models],
            "processes": [asdict(process) for process in status.processes],
            "draining": status.draining,
        }
    )


@router.get("/v1/kronk/models", responses=answer_documents(FILES), summary="Model files")
async def models(request: Request) -> Response:
    """Every model file, those that cannot be loaded with the reason."""
    data = [
        {
            "id": entry.id,
            "path": str(entry.path),
            "size_bytes": entry.size_bytes,
            "modified": int(entry.modified),
            "validated": entry.validated,
            "reason": entry.reason,
        }
        for entry in await scan(services_of(request))
    ]
    return JSONResponse({"object": "list", "data": data})


@router.get(
    "/v1/kronk/models/{model:path}",
    responses=answer_documents({"type": "object"}),
    summary="One model in detail",
)
async def model_details(request: Request, model: str) -> Response:
    """A model's file, its configuration and, while it is loaded, what was fitted."""
    services = services_of(request)
    found = await asyncio.to_thread(details.describe, services.base, services.configs, model)
    status = await services.link.status(STATUS_SECONDS)
    row = next((row for row in status.models if row.model == found["id"]), None)
    fitted = row.fitted if row is not None else None
    return JSONResponse(
        found
        | {
            "state": row.state if row is not None else None,
            "fitted": asdict(fitted) if fitted is not None else None,
        }
    )
