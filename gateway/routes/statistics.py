"""GET and DELETE /v1/kronk/statistics: what is known of models over all of their lives."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from kronk.gateway.access.router import Router
from kronk.gateway.access.rules import ADMINISTRATION, READING
from kronk.gateway.dialects.schemas import COUNT, NUMBER, TEXT, array, closed, listed, nullable
from kronk.gateway.services import Services, services_of
from kronk.gateway.sight import check_sight, sight_of
from kronk.shared.errors import NotFound
from kronk.shared.models import details

from .documents import answer_documents

router = Router()

_COUNTS = {"type": "object", "additionalProperties": COUNT}
_SPREAD = closed({"count": COUNT} | {name: nullable(NUMBER) for name in ("avg", "min", "max")})
_CONTEXT = closed(
    {"up_to": nullable(COUNT), "tokens": COUNT, "tokens_per_second": nullable(NUMBER)}
)
STATISTICS = closed(
    {
        "object": {"const": "kronk.statistics"},
        "model": TEXT,
        "since": nullable(NUMBER),
        "first_used": nullable(NUMBER),
        "last_used": nullable(NUMBER),
        "requests": COUNT,
        "done": COUNT,
        "cancelled": COUNT,
        "errors": _COUNTS,
        "prompt_tokens": COUNT,
        "cached_tokens": COUNT,
        "completion_tokens": COUNT,
        "reasoning_tokens": COUNT,
        "ttft_seconds": _SPREAD,
        "prefill_tokens_per_second": _SPREAD,
        "decode_tokens_per_second": _SPREAD,
        "contexts": array(_CONTEXT),
        "load_seconds": _SPREAD,
        "evictions": _COUNTS,
        "crashes": _COUNTS,
        "peak_rss_bytes": nullable(COUNT),
    }
)
ALL = listed(STATISTICS)
RESET = closed({"object": {"const": "kronk.statistics.reset"}, "models": COUNT})


@router.get(
    "/v1/kronk/statistics",
    access=READING,
    responses=answer_documents(ALL),
    summary="Statistics of all models",
)
async def all_statistics(request: Request) -> Response:
    """What each model was asked, took and came to, over all servers that have used this base
    path."""
    found, is_shown = await services_of(request).statistics.all(), sight_of(request)
    data = [one for one in found if is_shown(one["model"])]
    return JSONResponse({"object": "list", "data": data})


@router.delete(
    "/v1/kronk/statistics",
    access=ADMINISTRATION,
    responses=answer_documents(RESET),
    summary="Forget the statistics of all models",
)
async def reset_all(request: Request) -> Response:
    """They begin anew. The metrics' counters do not."""
    return _reset(await services_of(request).statistics.reset(None))


@router.get(
    "/v1/kronk/statistics/{model:path}",
    access=READING,
    responses=answer_documents(STATISTICS),
    summary="Statistics of one model",
)
async def statistics(request: Request, model: str) -> Response:
    """The same of one, by any of its names."""
    check_sight(request, model)
    services = services_of(request)
    return JSONResponse(await services.statistics.of(await _id_of(services, model)))


@router.delete(
    "/v1/kronk/statistics/{model:path}",
    access=ADMINISTRATION,
    responses=answer_documents(RESET),
    summary="Forget the statistics of one model",
)
async def reset_one(request: Request, model: str) -> Response:
    """They begin anew."""
    services = services_of(request)
    return _reset(await services.statistics.reset(await _id_of(services, model)))


def _reset(count: int) -> Response:
    return JSONResponse({"object": "kronk.statistics.reset", "models": count})


async def _id_of(services: Services, name: str) -> str:
    """The id of the model of that name. One that was removed has only its id."""
    try:
        found = await asyncio.to_thread(details.describe, services.base, services.configs, name)
    except NotFound:
        return name
    return str(found["id"])
