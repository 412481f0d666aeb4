"""POST and GET /v1/kronk/jobs: long work, begun, watched and cancelled."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from kronk.gateway.access.live import still_good
from kronk.gateway.access.router import Router
from kronk.gateway.access.rules import ADMINISTRATION, READING
from kronk.gateway.body import parse_body
from kronk.gateway.dialects.schemas import listed
from kronk.gateway.jobs.records import job_object
from kronk.gateway.jobs.requests import (
    CREATED,
    DELETED,
    JOB,
    STATE_QUERY,
    body_schema,
    parse_job,
    parse_states,
)
from kronk.gateway.jobs.response import JobStream
from kronk.gateway.record import identity_of, record_of
from kronk.gateway.services import services_of

from .documents import answer_documents, request_document

router = Router()

_ACCEPTED: dict[int | str, dict[str, Any]] = {
    202: answer_documents(CREATED, "The job, which goes on by itself.")[200]
}


@router.post(
    "/v1/kronk/jobs",
    access=ADMINISTRATION,
    openapi_extra=request_document(body_schema),
    responses=_ACCEPTED,
    status_code=202,
    summary="Begin a job",
)
async def create(request: Request) -> Response:
    """Begin work that takes long, such as fetching a model. It belongs to the server: it goes on
    when the client leaves, and after a restart. One that does the same already is joined."""
    services, wanted = services_of(request), await parse_body(request, parse_job)
    record_of(request.scope).target = wanted.kind.titled(wanted.params)
    await asyncio.to_thread(wanted.kind.check_early, services.settings, wanted.params)
    job, joined = await services.jobs.create(wanted.kind, wanted.params)
    return JSONResponse(job_object(job) | {"joined": joined}, 202)


@router.get(
    "/v1/kronk/jobs",
    access=READING,
    openapi_extra={"parameters": [STATE_QUERY]},
    responses=answer_documents(listed(JOB)),
    summary="List jobs",
)
async def jobs(request: Request) -> Response:
    """Jobs, the newest first. Those that are over are kept for a while."""
    states = parse_states(request.query_params)
    found = [job for job in await services_of(request).jobs.all() if job.state in states]
    return JSONResponse({"object": "list", "data": [job_object(job) for job in reversed(found)]})


@router.get(
    "/v1/kronk/jobs/{job_id}", access=READING, responses=answer_documents(JOB), summary="One job"
)
async def job(request: Request, job_id: str) -> Response:
    """How a job is getting on, or what has become of it."""
    return JSONResponse(job_object(await services_of(request).jobs.get(job_id)))


@router.get(
    "/v1/kronk/jobs/{job_id}/events",
    access=READING,
    responses=answer_documents(None, events="the job after each change, to its end."),
    summary="Watch a job",
)
async def events(request: Request, job_id: str) -> Response:
    """The job as it is, then after each change. Leaving ends nothing but the watching."""
    services = services_of(request)
    found = await services.jobs.get(job_id)
    check = still_good(services.access, identity_of(request))
    return JobStream(services.jobs, found, services.settings.stream_keepalive, check)


@router.post(
    "/v1/kronk/jobs/{job_id}/cancel",
    access=ADMINISTRATION,
    responses=answer_documents(JOB, errors=(409,)),
    summary="Cancel a job",
)
async def cancel(request: Request, job_id: str) -> Response:
    """End a job. What it has fetched is kept, and the next one that wants the same goes on from
    it."""
    return JSONResponse(job_object(await services_of(request).jobs.cancel(job_id)))


@router.delete(
    "/v1/kronk/jobs/{job_id}",
    access=ADMINISTRATION,
    responses=answer_documents(DELETED, errors=(409,)),
    summary="Forget a job",
)
async def delete(request: Request, job_id: str) -> Response:
    """Forget a job that is over; what it has done stays."""
    gone = await services_of(request).jobs.delete(job_id)
    return JSONResponse({"id": gone.id, "object": "kronk.job", "deleted": True})
