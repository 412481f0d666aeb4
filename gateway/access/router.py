"""Routes that cannot be without a class of access."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response
from starlette.websockets import WebSocket, WebSocketState

from kronk.gateway import errors
from kronk.gateway.openapi import ACCESS
from kronk.gateway.record import record_of
from kronk.gateway.services import services_of
from kronk.shared.errors import KronkError

from .rules import Access, Gate

Endpoint = Callable[..., Awaitable[Response]]
Decorator = Callable[[Endpoint], Endpoint]
# Of a WebSocket that an error ends (RFC 6455 7.4.1).
_FAILED = 1011
SocketEndpoint = Callable[[WebSocket], Awaitable[None]]


class Router(APIRouter):
    """FastAPI's, with `access` as an argument that must be given: who may use the route is decided
    before anything of it is run, its body's reading included."""

    def get(self, path: str, *, access: Access, **options: Any) -> Decorator:  # type: ignore[override]
        """GET, and with it HEAD."""
        return self.gated_route("GET", path, access=access, **options)

    def post(self, path: str, *, access: Access, **options: Any) -> Decorator:  # type: ignore[override]
        """POST."""
        return self.gated_route("POST", path, access=access, **options)

    def put(self, path: str, *, access: Access, **options: Any) -> Decorator:  # type: ignore[override]
        """PUT."""
        return self.gated_route("PUT", path, access=access, **options)

    def delete(self, path: str, *, access: Access, **options: Any) -> Decorator:  # type: ignore[override]
        """DELETE."""
        return self.gated_route("DELETE", path, access=access, **options)

    def gated_route(self, method: str, path: str, *, access: Access, **options: Any) -> Decorator:
        """Any method."""
        said = {ACCESS: access.kind} | ({"x-endpoint": access.endpoint} if access.endpoint else {})
        options["openapi_extra"] = {**(options.get("openapi_extra") or {}), **said}
        register = super().api_route(path, methods=[method], **options)

        def decorate(endpoint: Endpoint) -> Endpoint:
            register(gated(endpoint, Gate(access, method, path, endpoint.__name__)))
            return endpoint

        return decorate

    def websocket(  # type: ignore[override]
        self, path: str, *, access: Access
    ) -> Callable[[SocketEndpoint], SocketEndpoint]:
        """A WebSocket, to those who may read the same path with a GET. `protocol.SOCKET_PATHS` has
        the paths where one is spoken."""
        register = super().websocket(path)

        def decorate(endpoint: SocketEndpoint) -> SocketEndpoint:
            register(gated_socket(endpoint, Gate(access, "GET", path, endpoint.__name__)))
            return endpoint

        return decorate


def gated_socket(endpoint: SocketEndpoint, gate: Gate) -> SocketEndpoint:
    """The endpoint, run only for those who may. Until it accepts, an error is a real HTTP answer;
    after that it only closes the connection."""

    async def run(websocket: WebSocket) -> None:
        try:
            await services_of(websocket).access.admit(websocket, gate)
            await endpoint(websocket)
        except KronkError as error:
            record_of(websocket.scope).error = error.code
            if websocket.application_state is WebSocketState.CONNECTING:
                await websocket.send_denial_response(errors.response(error, websocket.scope))
            else:
                await websocket.close(_FAILED)

    run.gate = gate  # type: ignore[attr-defined]
    return run


def gated(endpoint: Endpoint, gate: Gate) -> Endpoint:
    """The endpoint, run only for those who may."""
    signature = inspect.signature(endpoint)
    names = [name for name, found in signature.parameters.items() if _is_request(found.annotation)]
    name = names[0] if names else "request"

    @functools.wraps(endpoint)
    async def run(**given: Any) -> Response:
        request: Request = given[name] if names else given.pop(name)
        await services_of(request).access.admit(request, gate)
        return await endpoint(**given)

    if not names:
        # FastAPI gives what the signature asks for.
        extra = inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=Request)
        run.__signature__ = signature.replace(  # type: ignore[attr-defined]
            parameters=[*signature.parameters.values(), extra]
        )
    run.gate = gate  # type: ignore[attr-defined]
    return run


def gate_of(endpoint: Callable[..., Any] | None) -> Gate:
    """What stands before the endpoint of a route; an error for one that nothing stands before."""
    found = getattr(endpoint, "gate", None)
    if not isinstance(found, Gate):
        raise TypeError(f"{endpoint} has no class of access")
    return found


def _is_request(annotation: object) -> bool:
    return annotation is Request or annotation == "Request"
