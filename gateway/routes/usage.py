"""GET /v1/kronk/security/usage: how many calls and tokens each subject has used."""

from __future__ import annotations

import asyncio
import time

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from kronk.gateway.access.router import Router
from kronk.gateway.access.rules import ADMINISTRATION
from kronk.gateway.dialects.paging import parameter, whole_number
from kronk.gateway.dialects.schemas import COUNT, TEXT, TRUTH, array, closed, nullable
from kronk.gateway.services import services_of
from kronk.shared.security.usage_report import MOST_SUBJECTS, report

from .documents import answer_documents

router = Router()

_AMOUNTS = {"calls": COUNT, "prompt_tokens": COUNT, "completion_tokens": COUNT}
_WINDOWS = ("day", "month", "year")
_ROW = closed(
    {"subject": TEXT, "name": nullable(TEXT), "endpoint": TEXT}
    | dict.fromkeys(_WINDOWS, closed(_AMOUNTS))
)
_DAY = closed({"day": TEXT, "endpoint": TEXT, **_AMOUNTS})
USAGE = closed(
    {
        "object": {"const": "list"},
        **dict.fromkeys(_WINDOWS, TEXT),
        "data": array(_ROW),
        "has_more": TRUTH,
    },
    {"days": array(_DAY)},
)
_QUERY = [
    parameter("subject", TEXT, "Only this one, with each day of the last 400."),
    parameter(
        "limit",
        {"type": "integer", "minimum": 1, "maximum": MOST_SUBJECTS, "default": MOST_SUBJECTS},
        "How many subjects at most.",
    ),
    parameter("after", TEXT, "The last subject of the page before."),
]


@router.get(
    "/v1/kronk/security/usage",
    access=ADMINISTRATION,
    openapi_extra={"parameters": _QUERY},
    responses=answer_documents(USAGE),
    summary="Usage by subject",
)
async def usage(request: Request) -> Response:
    """Calls and tokens of each subject in this day, month and year of UTC, by endpoint; by subject.
    Those who have shown no token are the subject `anonymous`."""
    services, query = services_of(request), request.query_params
    limit = whole_number(query.get("limit", str(MOST_SUBJECTS)), "limit", 1, MOST_SUBJECTS)
    subject, after = query.get("subject"), query.get("after", "")
    told = await asyncio.to_thread(
        report,
        services.counters,
        time.time(),
        subject,
        limit=limit,
        after=after,
        name_of=services.administration.name_of,
    )
    return JSONResponse(told)
