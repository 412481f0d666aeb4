"""The shortest way to a route."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from kronk.gateway.access.router import Router
from kronk.gateway.access.rules import PUBLIC
from kronk.gateway.app import ROUTES
from kronk.gateway.shortcut import by_path

router = Router()


@router.get("/things/{name}", access=PUBLIC)
async def thing(request: Request, name: str) -> Response:
    return PlainTextResponse(name)


@router.get("/things/known", access=PUBLIC)
async def known(request: Request) -> Response:
    return PlainTextResponse("known")


@router.post("/things/known", access=PUBLIC)
async def make(request: Request) -> Response:
    return PlainTextResponse("made")


@router.get("/search", access=PUBLIC)
async def search(request: Request, q: str = "") -> Response:
    return PlainTextResponse(q)


@router.get("/plain", access=PUBLIC)
async def plain(request: Request) -> Response:
    return PlainTextResponse("plain")


def test_only_what_takes_nothing_but_a_request_and_comes_first_is_short() -> None:
    # `known` is behind a route that takes its path, too, and FastAPI would choose that one.
    assert set(by_path(router.routes)) == {("POST", "/things/known"), ("GET", "/plain")}


def test_what_models_are_for_is_short() -> None:
    routes: list[Any] = [route for part in ROUTES for route in part.router.routes]
    short = set(by_path(routes))
    for path in (
        "/v1/chat/completions",
        "/v1/completions",
        "/v1/responses",
        "/v1/messages",
        "/v1/embeddings",
        "/v1/rerank",
        "/api/chat",
    ):
        assert ("POST", path) in short
