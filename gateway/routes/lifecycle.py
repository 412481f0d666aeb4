"""POST /v1/kronk/models/{model}/load, /unload, /pin, /unpin, /reset, and GET /v1/kronk/loads."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from kronk.gateway.access.router import Router
from kronk.gateway.access.rules import ADMINISTRATION, READING
from kronk.gateway.body import parse_body, while_connected
from kronk.gateway.dialects.schemas import (
    COUNT,
    NUMBER,
    TEXT,
    TRUTH,
    closed,
    listed,
    nullable,
)
from kronk.gateway.load_response import LoadStream, until_loaded
from kronk.gateway.managing import (
    LoadBody,
    NoBody,
    UnloadBody,
    managed_object,
    parse_load,
    parse_nothing,
    parse_unload,
)
from kronk.gateway.record import identity_of, record_of
from kronk.gateway.services import Services, services_of
from kronk.gateway.sight import sight_of
from kronk.shared.errors import NotFound
from kronk.shared.models import index
from kronk.shared.wire.status import ModelStatus
from kronk.shared.wire.to_supervisor import ManageAction

from .documents import answer_documents, optional_document
from .kronk import STATUS_SECONDS
from .models import scan

router = Router()

_MANAGED = closed(
    {
        "object": {"const": "model.managed"},
        "model": TEXT,
        "action": TEXT,
        "before": TEXT,
        "state": TEXT,
        "message": TEXT,
    }
)
_LOADED = closed(
    {
        "object": {"const": "model.loaded"},
        "model": TEXT,
        "state": TEXT,
        "pinned": TRUTH,
        "seconds": NUMBER,
        "message": TEXT,
    }
)
_LOADS = listed(
    closed(
        {
            "model": TEXT,
            "pid": nullable(COUNT),
            "phase": nullable(TEXT),
            "fraction": nullable(NUMBER),
            "loaded_bytes": nullable(COUNT),
            "total_bytes": nullable(COUNT),
            "seconds": NUMBER,
            "eta": nullable(NUMBER),
            "waiters": COUNT,
        }
    )
)


@router.get(
    "/v1/kronk/loads",
    access=READING,
    responses=answer_documents(_LOADS),
    summary="Models that are being loaded",
)
async def loads(request: Request) -> Response:
    """How far each load is, and the seconds it has left where that can be told."""
    services = services_of(request)
    status, entries = await asyncio.gather(services.link.status(STATUS_SECONDS), scan(services))
    sizes = {entry.id: entry.size_bytes for entry in entries}
    is_shown = sight_of(request)
    rows = [row for row in status.models if row.state == "loading" and is_shown(row.model)]
    data = [_load_job(row, sizes.get(row.model)) for row in rows]
    return JSONResponse({"object": "list", "data": data})


@router.post(
    "/v1/kronk/models/{model:path}/load",
    access=ADMINISTRATION,
    openapi_extra=optional_document(LoadBody.model_json_schema),
    responses=answer_documents(
        {"anyOf": [_LOADED, _MANAGED]}, events="its progress, then this object or an error."
    ),
    summary="Load a model",
)
async def load(request: Request, model: str) -> Response:
    """Load a model, and answer when it is ready to serve. The load goes on when the client leaves;
    with `"wait": false` it is begun and not waited for."""
    services, asked = services_of(request), await parse_body(request, parse_load)
    model = await _id_of(services, model)
    if asked.pin:
        await services.link.manage("pin", model, seconds=STATUS_SECONDS)
    if not asked.wait:
        managed = await services.link.manage("load", model, ttl=asked.ttl)
        return JSONResponse(managed_object(model, "load", managed))
    if asked.stream:
        keep_alive = services.settings.stream_keepalive
        return LoadStream(services.link, model, asked.ttl, keep_alive)
    waiting = until_loaded(
        services.link, record_of(request.scope).request_id, model, asked.ttl, identity_of(request)
    )
    return JSONResponse(await while_connected(request.receive, waiting))


@router.post(
    "/v1/kronk/models/{model:path}/unload",
    access=ADMINISTRATION,
    openapi_extra=optional_document(UnloadBody.model_json_schema),
    responses=answer_documents(_MANAGED),
    summary="Unload a model",
)
async def unload(request: Request, model: str) -> Response:
    """End a model's process when its running requests have ended, or with `"force": true` at once;
    the answer comes when its memory is free. New requests wait, and load it again."""
    services, force = services_of(request), await parse_body(request, parse_unload)
    model = await _id_of(services, model)
    work = services.link.manage("unload", model, force=force)
    managed = await while_connected(request.receive, work)
    return JSONResponse(managed_object(model, "unload", managed))


@router.post(
    "/v1/kronk/models/{model:path}/pin",
    access=ADMINISTRATION,
    openapi_extra=optional_document(NoBody.model_json_schema),
    responses=answer_documents(_MANAGED),
    summary="Pin a model",
)
async def pin(request: Request, model: str) -> Response:
    """Keep a model loaded once it is, until it is unpinned or the server stops."""
    return await _manage(request, model, "pin")


@router.post(
    "/v1/kronk/models/{model:path}/unpin",
    access=ADMINISTRATION,
    openapi_extra=optional_document(NoBody.model_json_schema),
    responses=answer_documents(_MANAGED),
    summary="Unpin a model",
)
async def unpin(request: Request, model: str) -> Response:
    """Let a model leave when it is unused or makes room, also one that is configured as pinned."""
    return await _manage(request, model, "unpin")


@router.post(
    "/v1/kronk/models/{model:path}/reset",
    access=ADMINISTRATION,
    openapi_extra=optional_document(NoBody.model_json_schema),
    responses=answer_documents(_MANAGED),
    summary="Forget a model's failures",
)
async def reset(request: Request, model: str) -> Response:
    """Try a model that failed when it is next wanted, without waiting."""
    return await _manage(request, model, "reset")


async def _manage(request: Request, model: str, action: ManageAction) -> Response:
    services = services_of(request)
    await parse_body(request, parse_nothing)
    model = await _id_of(services, model)
    managed = await services.link.manage(action, model, seconds=STATUS_SECONDS)
    return JSONResponse(managed_object(model, action, managed))


async def _id_of(services: Services, name: str) -> str:
    """The id of the model that is named so; one whose file is gone may still be loaded."""
    try:
        return index.locate(await scan(services), name).id
    except NotFound:
        status = await services.link.status(STATUS_SECONDS)
        if name in {row.model for row in status.models}:
            return name
        raise


def _load_job(row: ModelStatus, size: int | None) -> dict[str, Any]:
    return {
        "model": row.model,
        "pid": row.pid,
        "phase": row.phase,
        "fraction": row.fraction,
        "loaded_bytes": None if size is None else loaded_bytes(size, row.phase, row.fraction),
        "total_bytes": size,
        "seconds": row.state_seconds,
        "eta": row.eta,
        "waiters": row.queued,
    }


def loaded_bytes(size: int, phase: str | None, fraction: float | None) -> int:
    """How much of a model's file is read: weights come first."""
    if phase is None:
        return 0
    return round(size * (fraction or 0.0)) if phase == "weights" else size
