"""The debug server's application: routes, who may use them, and what is around them."""

from __future__ import annotations

import secrets
import time
from collections.abc import Awaitable, Callable

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kronk.gateway import errors
from kronk.gateway.access.rules import ADMINISTRATION, PUBLIC, READING, Access, Gate
from kronk.gateway.edge.forwarded import Proxies
from kronk.gateway.edge.hosts import Hosts
from kronk.gateway.edge.layer import Edge, Rules
from kronk.gateway.middleware import LastCatch
from kronk.gateway.record import Record, record_of
from kronk.shared.errors import KronkError
from kronk.shared.settings import Settings

from .door import Door
from .routes import Endpoint, Routes

# Asked every few seconds, by machines.
_POLLED = frozenset({"/metrics"})

log = structlog.get_logger()


def make_app(routes: Routes, door: Door, settings: Settings, *, is_near: bool) -> Starlette:
    """`is_near`: only this machine can connect. Everything but the metrics needs administration
    then; from elsewhere the metrics need a token for reading."""
    return Starlette(
        routes=[
            Route(path, _gated(endpoint, Gate(access, "GET", path, endpoint.__name__), door))
            for path, endpoint, access in _table(routes, PUBLIC if is_near else READING)
        ],
        middleware=[
            Middleware(Log),
            Middleware(Edge, rules=_rules(settings)),
            Middleware(LastCatch),
        ],
        exception_handlers={
            KronkError: errors.on_kronk_error,
            HTTPException: _on_http_exception,
        },
    )


def _table(routes: Routes, metrics: Access) -> list[tuple[str, Endpoint, Access]]:
    return [
        ("/metrics", routes.metrics, metrics),
        ("/", routes.index, ADMINISTRATION),
        ("/debug", routes.index, ADMINISTRATION),
        ("/debug/", routes.index, ADMINISTRATION),
        ("/debug/pprof", routes.index, ADMINISTRATION),
        ("/debug/pprof/", routes.index, ADMINISTRATION),
        ("/debug/pprof/profile", routes.profile, ADMINISTRATION),
        ("/debug/pprof/trace", routes.trace, ADMINISTRATION),
        ("/debug/pprof/heap", routes.heap, ADMINISTRATION),
        ("/debug/pprof/goroutine", routes.goroutine, ADMINISTRATION),
        ("/debug/stacks", routes.stacks, ADMINISTRATION),
        ("/debug/statsviz", routes.charts, ADMINISTRATION),
        ("/debug/statsviz/", routes.charts, ADMINISTRATION),
        ("/debug/statsviz/events", routes.events, ADMINISTRATION),
    ]


def _gated(endpoint: Endpoint, gate: Gate, door: Door) -> Callable[[Request], Awaitable[Response]]:
    async def run(request: Request) -> Response:
        await door.admit(request, gate)
        return await endpoint(request)

    return run


def _rules(settings: Settings) -> Rules:
    assert settings.debug_host is not None, "there is no server without an address"
    return Rules(
        Hosts(settings.allowed_hosts, settings.debug_host.host),
        Proxies(()),
        origins=(),
        read_timeout=settings.read_timeout,
        has_tls=False,
    )


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    mapped = errors.from_http(error, request.method, request.url.path)
    record_of(request.scope).error = mapped.code
    return errors.response(mapped, request.scope, error.headers)


class Log:
    """Outermost: a line for each request, once it is over."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        record = scope["kronk.record"] = Record(f"debug-{secrets.token_hex(6)}")

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start":
                record.status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, watched)
        finally:
            _write(scope, record)


def _write(scope: Scope, record: Record) -> None:
    path = scope["path"]
    write = log.debug if path in _POLLED and record.status == 200 else log.info
    facts = {"who": record.identity and record.identity.subject, "error": record.error}
    write(
        "debug request",
        path=path[:200],
        status=record.status,
        duration=round(time.monotonic() - record.started, 4),
        **{name: fact for name, fact in facts.items() if fact is not None},
    )
