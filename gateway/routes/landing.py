"""GET / and GET /docs, pages for people who open the address in a browser; GET /openapi.json."""

from __future__ import annotations

import asyncio
import functools
from importlib import resources

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from kronk.gateway.access.router import Router
from kronk.gateway.access.rules import PUBLIC
from kronk.gateway.edge.headers import policy_of

router = Router()


@functools.cache
def _page(name: str) -> tuple[str, str]:
    """The page, and the policy under which a browser runs what stands in it."""
    text = resources.files("kronk.web").joinpath(name).read_text("utf-8")
    return text, policy_of(text)


@router.get("/", access=PUBLIC, include_in_schema=False)
async def landing() -> Response:
    """What runs, and how to say hello."""
    return _answer("landing.html")


@router.get("/docs", access=PUBLIC, include_in_schema=False)
async def docs() -> Response:
    """The API, drawn from /openapi.json; nothing comes from elsewhere."""
    return _answer("docs.html")


@router.get("/openapi.json", access=PUBLIC, include_in_schema=False)
async def openapi(request: Request) -> Response:
    """The API for programs."""
    return JSONResponse(await asyncio.to_thread(request.app.openapi))


def _answer(name: str) -> Response:
    text, policy = _page(name)
    headers = {"Cache-Control": "no-cache", "Content-Security-Policy": policy}
    return HTMLResponse(text, headers=headers)
