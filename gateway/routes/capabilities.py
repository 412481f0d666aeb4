"""GET /v1/kronk/capabilities: what each model is for."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from kronk.gateway.access.router import Router
from kronk.gateway.access.rules import DISCOVERY
from kronk.gateway.dialects.schemas import COUNT, TEXT, array, closed, listed, nullable
from kronk.gateway.model_uses import Use, uses_in
from kronk.gateway.record import admission_of
from kronk.gateway.services import services_of
from kronk.shared.models.index import ModelEntry

from .documents import answer_documents
from .models import scan

router = Router()

CAPABILITIES = listed(
    closed(
        {
            "id": TEXT,
            "aliases": array(TEXT),
            "size_bytes": COUNT,
            "capabilities": array(TEXT),
            "architecture": nullable(TEXT),
            "quantization": nullable(TEXT),
            "size_label": nullable(TEXT),
            "context_length": nullable(COUNT),
        }
    )
)


@router.get(
    "/v1/kronk/capabilities",
    access=DISCOVERY,
    responses=answer_documents(CAPABILITIES),
    summary="What models are for",
)
async def capabilities(request: Request) -> Response:
    """The models of `/v1/models`, each once: what it can be asked for (`chat`, `completion`,
    `embeddings`, `rerank`, `tools`, `reasoning`, `vision`, `audio`, `insert`), and how large it
    is."""
    services, admission = services_of(request), admission_of(request)
    entries = [
        entry
        for entry in await scan(services)
        if entry.validated and admission.allows_model(entry.id, services.configs)
    ]
    found = await asyncio.to_thread(uses_in(services.base).of, entries, services.configs)
    data = [_row(entry, found[entry.id]) for entry in entries]
    return JSONResponse({"object": "list", "data": data})


def _row(entry: ModelEntry, use: Use | None) -> dict[str, Any]:
    return {
        "id": entry.id,
        "aliases": list(entry.aliases),
        "size_bytes": entry.size_bytes,
        "capabilities": list(use.capabilities) if use is not None else [],
        "architecture": use.architecture if use is not None else None,
        "quantization": use.quantization if use is not None else None,
        "size_label": use.size_label if use is not None else None,
        "context_length": use.context_length if use is not None else None,
    }
