"""GET /v1/liveness and GET /v1/readiness."""

from __future__ import annotations

import asyncio
import os
import socket

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from kronk import __version__
from kronk.gateway.access.router import Router
from kronk.gateway.access.rules import PUBLIC
from kronk.gateway.dialects.schemas import TEXT, WHOLE, closed, nullable
from kronk.gateway.services import Services, services_of
from kronk.shared.errors import KronkError, Overloaded

from .documents import answer_documents

router = Router()

SUPERVISOR_SECONDS = 1.0
DISK_SECONDS = 5.0
LIVENESS = closed(
    {"status": {"const": "up"}, "build": TEXT, "host": TEXT, "cpus": nullable(WHOLE), "pid": WHOLE}
)
READINESS = closed({"status": {"const": "ready"}})


@router.get(
    "/v1/liveness",
    access=PUBLIC,
    responses=answer_documents(LIVENESS),
    summary="Is this process up",
)
async def liveness() -> Response:
    """Answers as long as the gateway's loop turns."""
    return JSONResponse(
        {
            "status": "up",
            "build": __version__,
            "host": socket.gethostname(),
            "cpus": os.cpu_count(),
            "pid": os.getpid(),
        }
    )


@router.get(
    "/v1/readiness",
    access=PUBLIC,
    responses=answer_documents(READINESS),
    summary="May requests be sent here",
)
async def readiness(request: Request) -> Response:
    """200 when a request has a chance: supervisor answers, disk takes writes, not draining."""
    services = services_of(request)
    failed = [
        reason
        for reason in await asyncio.gather(_supervisor(services), _disk(services))
        if reason is not None
    ]
    if services.link.exchange.draining:
        failed.append("draining: the server is shutting down")
    if failed:
        raise Overloaded(f"not ready: {'; '.join(failed)}", retry_after=1.0)
    return JSONResponse({"status": "ready"})


async def _supervisor(services: Services) -> str | None:
    try:
        status = await services.link.status(SUPERVISOR_SECONDS)
    except KronkError as error:
        return f"supervisor: {error.message}"
    return "draining: the supervisor is shutting down" if status.draining else None


async def _disk(services: Services) -> str | None:
    try:
        async with asyncio.timeout(DISK_SECONDS):
            await services.disk.probe(services.base.run)
    except OSError as error:
        reason = "does not answer" if isinstance(error, TimeoutError) else error.strerror
        return f"disk: {services.base.run} is not writable: {reason}"
    return None
