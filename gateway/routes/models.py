"""GET /v1/models and GET /v1/models/{id}: the models that requests may name."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from kronk.gateway.dialects.schemas import MODEL, MODELS
from kronk.gateway.services import Services, services_of
from kronk.shared.models import index

from .documents import answer_documents

router = APIRouter()


async def scan(services: Services) -> list[index.ModelEntry]:
    """All models on disk, read in a thread."""
    return await asyncio.to_thread(index.scan, services.base.models, services.configs)


@router.get("/v1/models", responses=answer_documents(MODELS), summary="List models")
async def models(request: Request) -> Response:
    """The models that can be loaded."""
    entries = await scan(services_of(request))
    data = [_model(entry) for entry in entries if entry.validated]
    return JSONResponse({"object": "list", "data": data})


@router.get("/v1/models/{model:path}", responses=answer_documents(MODEL), summary="One model")
async def model(request: Request, model: str) -> Response:
    """One model; ids may have slashes."""
    services = services_of(request)
    entries = [entry for entry in await scan(services) if entry.validated]
    resolved = index.pick(entries, model, services.configs)
    return JSONResponse(next(_model(entry) for entry in entries if entry.id == resolved.id))


def _model(entry: index.ModelEntry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "object": "model",
        "created": int(entry.modified),
        "owned_by": "kronk",
    }
