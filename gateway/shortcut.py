"""The shortest way to routes without parameters, which most requests are for.

FastAPI finds a route by asking each in turn, and puts a stack of contexts, a solver of
dependencies and two more handlers of errors between it and its endpoint. Ours use none of these:
their endpoints take a request and give a response. What this does not know goes the long way.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence

from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kronk.shared.errors import KronkError

from . import errors

Run = Callable[[Request], Awaitable[Response]]


class Shortcut:
    """Innermost: `app` is everything else."""

    def __init__(self, app: ASGIApp, routes: Mapping[tuple[str, str], Run]) -> None:
        self._app = app
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        run = None
        if scope["type"] == "http" and not scope.get("root_path"):
            run = self._routes.get((scope["method"], scope["path"]))
        if run is None:
            await self._app(scope, receive, send)
            return
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        request = Request(scope, receive, watched)
        try:
            response = await run(request)
            await response(scope, receive, watched)
        except (KronkError, HTTPException) as error:
            # Once started, no other answer can follow.
            if started:
                raise
            is_ours = isinstance(error, KronkError)
            answer = errors.on_kronk_error if is_ours else errors.on_http_exception
            response = await answer(request, error)
            await response(scope, receive, send)


def by_path(routes: Sequence[BaseRoute]) -> dict[tuple[str, str], Run]:
    """The endpoints that take nothing but a request, by method and path: where FastAPI would take
    an earlier route with parameters for that path, it does."""
    found: dict[tuple[str, str], Run] = {}
    for route in routes:
        if not isinstance(route, APIRoute) or route.param_convertors:
            continue
        parameters = inspect.signature(route.endpoint).parameters
        if len(parameters) != 1:
            continue
        run = _calling(route.endpoint, next(iter(parameters)))
        for method in sorted(route.methods or ()):
            if _first(routes, method, route.path) is route:
                found[method, route.path] = run
    return found


def _calling(endpoint: Callable[..., Awaitable[Response]], name: str) -> Run:
    # A gate takes its arguments by name, as FastAPI gives them.
    return lambda request: endpoint(**{name: request})


def _first(routes: Sequence[BaseRoute], method: str, path: str) -> BaseRoute | None:
    scope: Scope = {"type": "http", "method": method, "path": path, "root_path": ""}
    return next((route for route in routes if route.matches(scope)[0] is Match.FULL), None)
