"""GET /v1/kronk/...: what Kronk's own command line and page ask."""

from __future__ import annotations

from dataclasses import asdict

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from kronk.gateway.services import services_of

from .models import scan

router = APIRouter()

STATUS_SECONDS = 2.0


@router.get("/v1/kronk/ps", summary="Running models and processes")
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


@router.get("/v1/kronk/models", summary="Model files")
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
