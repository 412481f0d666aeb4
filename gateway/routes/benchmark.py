"""/api/v1/benchmark: runs that measure how fast a model is answered, begun, watched, compared."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from kronk.gateway.access.router import Router
from kronk.gateway.access.rules import ADMINISTRATION, READING
from kronk.gateway.benchmarks import objects
from kronk.gateway.benchmarks.caller import own_place
from kronk.gateway.benchmarks.requests import (
    LIST_QUERY,
    RUNS_QUERY,
    RunBody,
    Wanted,
    parse_compared,
    parse_listing,
    parse_run,
    presets_object,
)
from kronk.gateway.benchmarks.runs import Found
from kronk.gateway.body import parse_body
from kronk.gateway.dialects.schemas import TRUTH, listed
from kronk.gateway.record import record_of
from kronk.gateway.services import Services, services_of
from kronk.shared.benchmark.child import Place
from kronk.shared.benchmark.report import Report
from kronk.shared.models import index

from .documents import answer_documents, request_document

router = Router()

_BEGUN: dict[int | str, dict[str, Any]] = {
    202: answer_documents(objects.RUN, "The run, which goes on by itself.")[200],
    409: {"description": ""},
}


@router.get(
    "/api/v1/benchmark/presets",
    access=READING,
    responses=answer_documents(objects.PRESETS),
    summary="Presets of benchmarks",
)
async def presets(request: Request) -> Response:
    """What most want to know, by its name, and the bounds of what else may be asked for."""
    return JSONResponse(presets_object())


@router.post(
    "/api/v1/benchmark/runs",
    access=ADMINISTRATION,
    openapi_extra=request_document(RunBody.model_json_schema),
    responses=_BEGUN,
    status_code=202,
    summary="Begin a benchmark",
)
async def create(request: Request) -> Response:
    """Measure how fast a model of this server is answered, with the rights of who asks, or one of
    another server. It goes on when the client leaves, one at a time."""
    services, wanted = services_of(request), await parse_body(request, parse_run)
    record_of(request.scope).target = wanted.model
    if wanted.url is None:
        await asyncio.to_thread(_check_model, services, wanted.model)
        place = own_place(request, services.settings.tls_cert)
    else:
        place = _other_place(wanted)
    run = await services.benchmarks.start(wanted, place)
    return JSONResponse(objects.whole_run(run), 202)


@router.get(
    "/api/v1/benchmark/runs",
    access=READING,
    openapi_extra={"parameters": LIST_QUERY},
    responses=answer_documents(listed(objects.SUMMARY, has_more=TRUTH)),
    summary="List benchmarks",
)
async def runs(request: Request) -> Response:
    """Runs of this API and of `kronk bench`, the latest first."""
    found, has_more = await services_of(request).benchmarks.page(
        parse_listing(request.query_params)
    )
    data = [
        objects.of_report(each) if isinstance(each, Report) else objects.of_run(each)
        for each in found
    ]
    return JSONResponse({"object": "list", "data": data, "has_more": has_more})


@router.get(
    "/api/v1/benchmark/runs/{run_id}",
    access=READING,
    responses=answer_documents(objects.RUN),
    summary="One benchmark",
)
async def run(request: Request, run_id: str) -> Response:
    """How a run is getting on, with what it has measured so far, or all that it has come to."""
    services = services_of(request)
    return JSONResponse(await _whole(services, await services.benchmarks.find(run_id)))


@router.post(
    "/api/v1/benchmark/runs/{run_id}/cancel",
    access=ADMINISTRATION,
    responses=answer_documents(objects.RUN, errors=(409,)),
    summary="Stop a benchmark",
)
async def cancel(request: Request, run_id: str) -> Response:
    """Stop a run; what was measured by then is kept."""
    services = services_of(request)
    return JSONResponse(await _whole(services, await services.benchmarks.cancel(run_id)))


@router.delete(
    "/api/v1/benchmark/runs/{run_id}",
    access=ADMINISTRATION,
    responses=answer_documents(objects.DELETED, errors=(409,)),
    summary="Forget a benchmark",
)
async def delete(request: Request, run_id: str) -> Response:
    """Forget a run that is over."""
    gone = await services_of(request).benchmarks.delete(run_id)
    return JSONResponse({"id": gone, "object": "kronk.benchmark.run", "deleted": True})


@router.get(
    "/api/v1/benchmark/compare",
    access=READING,
    openapi_extra={"parameters": [RUNS_QUERY]},
    responses=answer_documents(objects.COMPARISON, errors=(404, 409)),
    summary="Compare benchmarks",
)
async def compare(request: Request) -> Response:
    """What differs between the first run and each other, and whether that is more than chance, as
    `kronk bench compare` says it."""
    benchmarks = services_of(request).benchmarks
    reports = [await benchmarks.report(one) for one in parse_compared(request.query_params)]
    return JSONResponse(objects.comparison_object(reports))


@router.get(
    "/api/v1/benchmark/stats",
    access=READING,
    responses=answer_documents(objects.STATISTICS),
    summary="Statistics of benchmarks",
)
async def stats(request: Request) -> Response:
    """How many there were, of which models, and how fast each was at best."""
    benchmarks = services_of(request).benchmarks
    running = benchmarks.running
    reports = await benchmarks.reports()
    return JSONResponse(objects.statistics_object(reports, None if running is None else running.id))


async def _whole(services: Services, found: Found) -> dict[str, Any]:
    if not isinstance(found, Report):
        return objects.whole_run(found)
    return objects.whole_report(found, await services.benchmarks.before(found))


def _check_model(services: Services, model: str) -> None:
    """`NotFound` with what may have been meant, before anything is begun."""
    index.pick(index.scan(services.base.models, services.configs), model, services.configs)


def _other_place(wanted: Wanted) -> Place:
    assert wanted.url is not None and wanted.host is not None
    return Place(wanted.host, wanted.url, token=wanted.api_key)
