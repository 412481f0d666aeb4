"""GET and DELETE /v1/kronk/libs: builds of llama.cpp. A job installs one."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from kronk.gateway.access.router import Router
from kronk.gateway.access.rules import ADMINISTRATION, READING
from kronk.gateway.dialects.schemas import TEXT, TRUTH, array, closed, nullable
from kronk.gateway.services import services_of
from kronk.shared.libraries import install, listing

from .documents import answer_documents

router = Router()

LIBS = closed(
    {
        "object": {"const": "libs"},
        "path": TEXT,
        "os": TEXT,
        "arch": TEXT,
        "glibc": nullable(TEXT),
        # What this machine has to compute on, and what was seen of it.
        "processors": array(closed({"name": TEXT, "usable": TRUTH, "found": TEXT})),
        "binding": TEXT,
        "matching_version": TEXT,
        "wanted": TEXT,
        # The build of models that name none, and why it is not the one that is wanted.
        "used": TEXT,
        "reason": nullable(TEXT),
        "data": array(
            closed(
                {
                    "os": TEXT,
                    "arch": TEXT,
                    "processor": TEXT,
                    "version": TEXT,
                    "used": TRUTH,
                    # Null: never tried here.
                    "works": nullable(TRUTH),
                    "reason": nullable(TEXT),
                    "devices": array(TEXT),
                    "commit": nullable(TEXT),
                    "proven": nullable(TEXT),
                    "source": nullable(TEXT),
                    "sha256": nullable(TEXT),
                    "installed": nullable(TEXT),
                    "path": TEXT,
                }
            )
        ),
    }
)
REMOVED = closed({"processor": TEXT, "version": TEXT, "path": TEXT, "deleted": TRUTH})


@router.get(
    "/v1/kronk/libs",
    access=READING,
    responses=answer_documents(LIBS),
    summary="Builds of llama.cpp that there are",
)
async def libs(request: Request) -> Response:
    """What is installed, what this machine could use, and which build models get that name none."""
    settings = services_of(request).settings
    return JSONResponse(await asyncio.to_thread(listing.describe, settings))


@router.delete(
    "/v1/kronk/libs/{processor}/{version}",
    access=ADMINISTRATION,
    responses=answer_documents(REMOVED),
    summary="Delete a build of llama.cpp",
)
async def remove(request: Request, processor: str, version: str) -> Response:
    """Models that are loaded with it go on; the next load takes another one."""
    settings = services_of(request).settings
    return JSONResponse(await asyncio.to_thread(install.removed, settings, processor, version))
