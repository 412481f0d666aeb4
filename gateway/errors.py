"""From an exception to an HTTP answer, for every route: the one place that does it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from kronk.shared.errors import (
    Internal,
    InvalidArgument,
    KronkError,
    MethodNotAllowed,
    NotFound,
    Overloaded,
    RateLimited,
    Unauthenticated,
)

from .dialects.errors import envelope
from .methods import allowed_methods
from .record import record_of

# What a worker cannot know and a client should not guess.
_OVERLOADED_RETRY_SECONDS = 1.0


def response(error: KronkError, scope: Scope, headers: Mapping[str, str] | None = None) -> Response:
    """The HTTP answer of an error that came before the first byte, in the route's dialect."""
    wait = error.retry_after
    if wait is None and isinstance(error, Overloaded):
        wait = _OVERLOADED_RETRY_SECONDS
    extra = dict(headers or {})
    if isinstance(error, Unauthenticated):
        extra["WWW-Authenticate"] = "Bearer"
    elif isinstance(error, RateLimited):
        extra |= error.headers
    if wait is not None:
        extra["Retry-After"] = str(max(0, math.ceil(wait)))
        # OpenAI's clients read this one first.
        extra["Retry-After-Ms"] = str(max(0, math.ceil(wait * 1000)))
    return Response(
        json.dumps(envelope(error, scope["path"], record_of(scope).request_id)),
        status_code=error.status,
        headers=extra,
        media_type="application/json",
    )


def from_http(error: HTTPException, method: str, path: str) -> KronkError:
    """Starlette's own refusals: no such route, or not with that method."""
    match error.status_code:
        case 404:
            return NotFound(f"There is no route {method} {path}")
        case 405:
            return MethodNotAllowed(f"{path} does not take {method}")
        case status if status < 500:
            return InvalidArgument(error.detail)
    return Internal("The server failed")


async def on_kronk_error(request: Request, error: Exception) -> Response:
    """Registered with the application for the whole family."""
    assert isinstance(error, KronkError)
    record_of(request.scope).note_error(error)
    return response(error, request.scope)


async def on_http_exception(request: Request, error: Exception) -> Response:
    """Registered with the application for what its router raises."""
    assert isinstance(error, HTTPException)
    mapped = from_http(error, request.method, request.url.path)
    record_of(request.scope).note_error(mapped)
    headers = dict(error.headers or {})
    if isinstance(mapped, MethodNotAllowed):
        methods = allowed_methods(request.app.state.routes, request.scope["path"])
        headers["Allow"] = ", ".join(methods) or headers.get("Allow", "")
    return response(mapped, request.scope, headers)
