"""The browser UI: GET / and the paths of its pages, their files; GET /openapi.json for programs.

Where the UI was not built, plain pages say what runs, and how to build it."""

from __future__ import annotations

import asyncio
import functools
import mimetypes
from importlib import resources

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response

from kronk.gateway import site
from kronk.gateway.access.router import Router
from kronk.gateway.access.rules import PUBLIC
from kronk.gateway.edge.headers import policy_of
from kronk.shared.errors import NotFound

router = Router()

_DOCS = "/docs"


@functools.cache
def _page(name: str) -> tuple[str, str]:
    """The page, and the policy under which a browser runs what stands in it."""
    text = resources.files("kronk.web").joinpath(name).read_text("utf-8")
    return text, policy_of(text)


async def page(request: Request) -> Response:
    """The UI, which finds out from the address which of its pages is wanted."""
    document = await asyncio.to_thread(site.index)
    if document is None:
        return _plain("docs.html" if request.url.path == _DOCS else "landing.html")
    headers = {"Cache-Control": "no-cache", "Content-Security-Policy": site.POLICY}
    return HTMLResponse(document, headers=headers)


for _path in ("/", *site.PAGES, *(f"{path}/{{rest:path}}" for path in site.PAGES)):
    router.get(_path, access=PUBLIC, include_in_schema=False)(page)


@router.get("/assets/{name}", access=PUBLIC, include_in_schema=False)
async def asset(request: Request) -> Response:
    """A script, style, font or picture; its name changes with what is in it."""
    return await _file(request, "assets", request.path_params["name"], site.FOR_EVER)


@router.get("/favicon.svg", access=PUBLIC, include_in_schema=False)
async def icon(request: Request) -> Response:
    """The picture in the browser's tab."""
    return await _file(request, "", "favicon.svg", "public, max-age=86400")


@router.get("/openapi.json", access=PUBLIC, include_in_schema=False)
async def openapi(request: Request) -> Response:
    """The API for programs."""
    return JSONResponse(await asyncio.to_thread(request.app.openapi))


async def _file(request: Request, folder: str, name: str, caching: str) -> Response:
    takes_gzip = "gzip" in request.headers.get("accept-encoding", "")
    found = await asyncio.to_thread(site.find, folder, name, takes_gzip=takes_gzip)
    if found is None:
        raise NotFound("name: there is no such file", param="name")
    headers = {"Cache-Control": caching, "Vary": "Accept-Encoding"}
    if found.encoding is not None:
        headers["Content-Encoding"] = found.encoding
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return FileResponse(found.path, media_type=kind, headers=headers)


def _plain(name: str) -> Response:
    text, policy = _page(name)
    headers = {"Cache-Control": "no-cache", "Content-Security-Policy": policy}
    return HTMLResponse(text, headers=headers)
