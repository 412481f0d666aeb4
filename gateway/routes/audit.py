"""GET /v1/kronk/security/audit: who administered what."""

from __future__ import annotations

import asyncio
from dataclasses import asdict

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from kronk.gateway.access.router import Router
from kronk.gateway.access.rules import ADMINISTRATION
from kronk.gateway.dialects.paging import parameter, whole_number
from kronk.gateway.dialects.schemas import COUNT, TEXT, TRUTH, closed, listed, nullable
from kronk.gateway.services import services_of
from kronk.shared.security import audit

from .documents import answer_documents

router = Router()

USUAL_LIMIT, MOST_TOLD = 50, 1000
_NONE = nullable(TEXT)
ENTRY = closed(
    {
        "action": TEXT,
        "route": _NONE,
        "target": _NONE,
        "subject": _NONE,
        "name": _NONE,
        "via": _NONE,
        "client": _NONE,
        "result": {"enum": [audit.DONE, audit.REFUSED, audit.FAILED]},
        "status": nullable(COUNT),
        "code": _NONE,
        "request_id": _NONE,
        "suppressed": COUNT,
        "time": TEXT,
        "id": TEXT,
    }
)
_QUERY = [
    parameter(
        "limit",
        {"type": "integer", "minimum": 1, "maximum": MOST_TOLD, "default": USUAL_LIMIT},
        "How many at most.",
    ),
    parameter("after", TEXT, "The id of the last one of the page before."),
]


@router.get(
    "/v1/kronk/security/audit",
    access=ADMINISTRATION,
    openapi_extra={"parameters": _QUERY},
    responses=answer_documents(listed(ENTRY, has_more=TRUTH)),
    summary="The audit log",
)
async def read_audit(request: Request) -> Response:
    """What was administered here, by requests and by commands, the latest first."""
    services, query = services_of(request), request.query_params
    limit = whole_number(query.get("limit", str(USUAL_LIMIT)), "limit", 1, MOST_TOLD)
    await asyncio.to_thread(services.audit.flush)
    found, has_more = await asyncio.to_thread(audit.read, services.base, limit, query.get("after"))
    data = [asdict(entry) for entry in found]
    return JSONResponse({"object": "list", "data": data, "has_more": has_more})
