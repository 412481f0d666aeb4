"""GET /v1/kronk/logs: what the server has logged."""

from __future__ import annotations

import asyncio
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from kronk.gateway.access.live import still_good
from kronk.gateway.access.router import Router
from kronk.gateway.access.rules import ADMINISTRATION
from kronk.gateway.dialects.openai.content import one_of
from kronk.gateway.dialects.paging import parameter, whole_number
from kronk.gateway.dialects.schemas import TEXT, listed
from kronk.gateway.log_stream import LogStream, Watchers
from kronk.gateway.record import identity_of
from kronk.gateway.services import services_of
from kronk.shared.log import LEVELS
from kronk.shared.logbook import names
from kronk.shared.logbook.query import PROCESSES, Query, parse, record
from kronk.shared.logbook.reader import MOST_LINES, Reader

from .documents import answer_documents

router = Router()

_USUAL_LINES = 100
_FILTERS = ("model", "level", "request", "process", "since")
_watchers = Watchers()

ENTRY = {
    "type": "object",
    "properties": {
        "timestamp": TEXT,
        "level": {"enum": list(LEVELS)},
        "event": TEXT,
        "process": TEXT,
    },
    "required": ["event"],
    "additionalProperties": True,
}
_QUERY = [
    parameter(
        "lines",
        {"type": "integer", "minimum": 0, "maximum": MOST_LINES, "default": _USUAL_LINES},
        "How many old ones at most.",
    ),
    parameter("model", TEXT, "Only lines about this model, by any name of it."),
    parameter("level", {"enum": list(LEVELS)}, "Only of this level and above."),
    parameter("request", TEXT, "Only lines about the request of this id, or of its answer's."),
    parameter("process", {"enum": list(PROCESSES)}, "Only of this process."),
    parameter("since", TEXT, "Not older than a duration such as `10m`, or than a time."),
    parameter(
        "follow",
        {"enum": ["true", "false"], "default": "false"},
        "Stream them as events, the old ones first and then each new one.",
    ),
]


@router.get(
    "/v1/kronk/logs",
    access=ADMINISTRATION,
    openapi_extra={"parameters": _QUERY},
    responses=answer_documents(listed(ENTRY), events="each line."),
    summary="The server's log",
)
async def logs(request: Request) -> Response:
    """Lines of the log, the oldest first: those of all processes, from rotated files too."""
    asked, services = request.query_params, services_of(request)
    count = whole_number(asked.get("lines", str(_USUAL_LINES)), "lines", 0, MOST_LINES)
    follow = asked.get("follow", "false")
    one_of(follow, ("true", "false"), "follow")
    query = parse({name: asked.get(name) for name in _FILTERS}, datetime.now(UTC))
    if (model := asked.get("model")) is not None:
        known = await asyncio.to_thread(names.of_model, services.base, services.configs, model)
        query = replace(query, models=known)
    reader = Reader(services.base.log_file)
    if follow == "true":
        _watchers.check()
        return LogStream(
            reader,
            query,
            count,
            watchers=_watchers,
            keep_alive=services.settings.stream_keepalive,
            check=still_good(services.access, identity_of(request)),
            draining=services.link.exchange.draining_started,
        )
    lines = await asyncio.to_thread(_last, reader, count, query)
    data = [found for line in lines if (found := record(line)) is not None]
    return JSONResponse({"object": "list", "data": data})


def _last(reader: Reader, count: int, query: Query) -> list[str]:
    with closing(reader):
        return reader.last(count, query)
