"""GET /: a page for people who open the address in a browser."""

from __future__ import annotations

import functools
from importlib import resources

from fastapi import APIRouter
from starlette.responses import HTMLResponse, Response

router = APIRouter()


@functools.cache
def _page() -> str:
    return resources.files("kronk.web").joinpath("landing.html").read_text("utf-8")


@router.get("/", include_in_schema=False)
async def landing() -> Response:
    """The page shipped in `kronk.web`."""
    return HTMLResponse(_page(), headers={"Cache-Control": "no-cache"})
