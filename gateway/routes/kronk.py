"""GET /v1/kronk/...: what Kronk's own command line and page ask."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, replace

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from kronk.gateway.access.router import Router
from kronk.gateway.access.rules import READING
from kronk.gateway.dialects.paging import USUAL_LIMIT, parameter, whole_number
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
from kronk.gateway.record import identity_of
from kronk.gateway.services import Services, services_of
from kronk.gateway.sight import check_sight, sight_of
from kronk.shared import exposure
from kronk.shared.departures import MOST_TOLD
from kronk.shared.models import details
from kronk.shared.wire.status import Budget, Departure, LeaseCounts, ModelStatus, ProcessStatus

from .documents import answer_documents, schema_of
from .models import scan

router = Router()

STATUS_SECONDS = 2.0
PS = listed(
    schema_of(ModelStatus),
    processes=array(schema_of(ProcessStatus)),
    budgets=array(schema_of(Budget)),
    draining=TRUTH,
    # What of the settings lets others in, or out, who perhaps should not.
    warnings=array(TEXT),
    leases=schema_of(LeaseCounts),
    # Of the gateway itself: requests, those that ask for this among them not; tasks of its loop;
    # frames it dropped; and requests whose process died: begun anew, gone on with, refused since.
    gateway=closed(
        {
            "live": COUNT,
            "tasks": COUNT,
            "stale_frames": COUNT,
            "late_frames": COUNT,
            "retried": COUNT,
            "resumed": COUNT,
            "quarantined": COUNT,
        }
    ),
)
HISTORY = listed(schema_of(Departure))
_LIMIT = {"type": "integer", "minimum": 1, "maximum": MOST_TOLD, "default": USUAL_LIMIT}
_HISTORY_QUERY = {"parameters": [parameter("limit", _LIMIT, "How many at most.")]}
FILES = listed(
    closed(
        {
            "id": TEXT,
            "path": TEXT,
            "size_bytes": COUNT,
            "modified": WHOLE,
            "validated": TRUTH,
            "reason": nullable(TEXT),
            "aliases": array(TEXT),
            "integrity": TEXT,
            "note": nullable(TEXT),
        }
    )
)


@router.get(
    "/v1/kronk/ps",
    access=READING,
    responses=answer_documents(PS),
    summary="Running models and processes",
)
async def ps(request: Request) -> Response:
    """What the supervisor knows of every loaded model that who asks may use, and of every
    process."""
    services = services_of(request)
    link, settings = services.link, services.settings
    status = await link.status(STATUS_SECONDS)
    exchange, is_shown = link.exchange, sight_of(request)
    return JSONResponse(
        {
            "object": "list",
            "data": [asdict(one) for one in status.models if is_shown(one.model)],
            "processes": [asdict(process) for process in status.processes],
            "budgets": [asdict(budget) for budget in status.budgets],
            "draining": status.draining,
            "warnings": exposure.warnings(settings, [(settings.api_host.host,)]),
            "leases": asdict(status.leases),
            "gateway": {
                "live": len(exchange),
                "tasks": len(asyncio.all_tasks()),
                "stale_frames": exchange.stale_frames,
                "late_frames": exchange.late_frames,
                "retried": exchange.recoveries.retried,
                "resumed": exchange.recoveries.resumed,
                "quarantined": exchange.recoveries.quarantined,
            },
        }
    )


@router.get(
    "/v1/kronk/history",
    access=READING,
    responses=answer_documents(HISTORY),
    openapi_extra=_HISTORY_QUERY,
    summary="How processes of models ended",
)
async def history(request: Request) -> Response:
    """The ends of all models' processes, the latest first. What they wrote last, which nobody has
    looked through for what requests said, is for administrators."""
    return await _history(request, None)


@router.get(
    "/v1/kronk/models", access=READING, responses=answer_documents(FILES), summary="Model files"
)
async def models(request: Request) -> Response:
    """Every model file, those that cannot be loaded with the reason."""
    is_shown = sight_of(request)
    data = [
        {
            "id": entry.id,
            "path": str(entry.path),
            "size_bytes": entry.size_bytes,
            "modified": int(entry.modified),
            "validated": entry.validated,
            "reason": entry.reason,
            "aliases": list(entry.aliases),
            "integrity": entry.integrity,
            "note": entry.note,
        }
        for entry in await scan(services_of(request))
        if is_shown(entry.id)
    ]
    return JSONResponse({"object": "list", "data": data})


@router.get(
    "/v1/kronk/models/{model:path}/history",
    access=READING,
    responses=answer_documents(HISTORY),
    openapi_extra=_HISTORY_QUERY,
    summary="How processes of one model ended",
)
async def model_history(request: Request, model: str) -> Response:
    """The ends of one model's processes, the latest first."""
    check_sight(request, model)
    return await _history(request, model)


async def _history(request: Request, model: str | None) -> Response:
    text = request.query_params.get("limit", str(USUAL_LIMIT))
    limit = whole_number(text, "limit", 1, MOST_TOLD)
    told, is_shown = await _departures(services_of(request), model), sight_of(request)
    departures = tuple(one for one in told if not one.model or is_shown(one.model))
    if not identity_of(request).sees_all:
        departures = tuple(replace(one, last_lines=(), stack=()) for one in departures)
    return JSONResponse({"object": "list", "data": [asdict(one) for one in departures[:limit]]})


async def _departures(services: Services, model: str | None) -> tuple[Departure, ...]:
    told = await services.link.history(model, STATUS_SECONDS)
    if told.departures or model is None:
        return told.departures
    # Nothing under that name: it is another name of a model, has nothing to tell, or is none.
    found = await asyncio.to_thread(details.describe, services.base, services.configs, model)
    told = await services.link.history(str(found["id"]), STATUS_SECONDS)
    return told.departures


@router.get(
    "/v1/kronk/models/{model:path}",
    access=READING,
    responses=answer_documents({"type": "object"}),
    summary="One model in detail",
)
async def model_details(request: Request, model: str) -> Response:
    """A model's file, what it can do and takes, its configuration and, while it is loaded, what was
    fitted."""
    check_sight(request, model)
    services = services_of(request)
    describe = details.describe_with_memory
    found = await asyncio.to_thread(describe, services.settings, services.configs, model)
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
