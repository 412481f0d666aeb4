"""The ASGI application: routes and what is around them."""

from __future__ import annotations

import threading
from typing import Any

from fastapi import FastAPI
from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.types import ASGIApp

from kronk import __version__
from kronk.shared.errors import KronkError

from . import errors, openapi
from .access import refusals
from .edge.layer import Edge, Rules
from .edge.prompt_log import PromptLog
from .middleware import AccessLog, HeadAsGet, LastCatch
from .routes import (
    audio,
    audit,
    auth,
    batches,
    benchmark,
    blobs,
    capabilities,
    catalog,
    chat,
    completions,
    config,
    config_file,
    conversations,
    embeddings,
    files,
    health,
    jobs,
    kronk,
    libs,
    lifecycle,
    live,
    logs,
    messages,
    models,
    notes,
    ollama,
    ollama_models,
    prompts,
    reload,
    removing,
    rerank,
    resolve,
    responses,
    security,
    session,
    sizing,
    statistics,
    templates,
    tokens,
    ui,
    usage,
)
from .routes.documents import make_schemas
from .services import Services
from .shortcut import Shortcut, by_path

# Each is asked in turn whether a path is its own: those of most requests come first.
ROUTES = (
    chat,
    completions,
    responses,
    messages,
    ollama,
    embeddings,
    rerank,
    audio,
    tokens,
    files,
    batches,
    models,
    capabilities,
    ollama_models,
    health,
    lifecycle,
    blobs,
    jobs,
    # Before the route of a model, whose name may have slashes.
    templates,
    live,
    kronk,
    statistics,
    libs,
    resolve,
    removing,
    catalog,
    reload,
    sizing,
    benchmark,
    auth,
    config,
    config_file,
    session,
    security,
    usage,
    audit,
    logs,
    conversations,
    prompts,
    notes,
    ui,
)


class Application(FastAPI):
    """FastAPI with a document that is told what FastAPI cannot see."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._document: dict[str, Any] | None = None
        self._making = threading.Lock()

    def build_middleware_stack(self) -> ASGIApp:
        """Ours alone: what Starlette and FastAPI put around them costs each request more than it
        does for us, who catch everything ourselves."""
        inner = ExceptionMiddleware(self.router, handlers=self.exception_handlers)
        app: ASGIApp = AsyncExitStackMiddleware(inner)
        for middleware in reversed(self.user_middleware):
            app = middleware.cls(app, *middleware.args, **middleware.kwargs)
        return app

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document, made once. That takes time: call it in a thread."""
        with self._making:
            if self._document is None:
                make_schemas(self.state.routes)
                self._document = openapi.complete(super().openapi())
            return self._document


def make_app(services: Services) -> FastAPI:
    """Everything but the sockets."""
    routes = [route for part in ROUTES for route in part.router.routes]
    app = Application(
        title="Kronk",
        version=__version__,
        description=openapi.DESCRIPTION,
        # Theirs is made on the loop, and their pages load scripts from a CDN; ours are in
        # `routes.ui`.
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        # FastAPI has traces, metrics and logs of its own, the last with the messages of exceptions,
        # for any OpenTelemetry that the environment sets up.
        telemetry={
            "tracing": False,
            "metrics": False,
            "logs": False,
            "operation_spans": False,
            "auto_configure": False,
        },
        middleware=[
            Middleware(
                AccessLog,
                activity=services.activity,
                audit=services.audit,
                telemetry=services.telemetry,
            ),
            Middleware(Edge, rules=Rules.of(services.settings)),
            *([Middleware(PromptLog)] if services.settings.insecure_logging else []),
            *_cors(services.settings.cors_allowed_origins),
            Middleware(HeadAsGet),
            Middleware(LastCatch),
            Middleware(Shortcut, routes=by_path(routes)),
        ],
        exception_handlers={
            KronkError: errors.on_kronk_error,
            HTTPException: errors.on_http_exception,
        },
    )
    app.state.services = services
    app.state.routes = routes
    for part in ROUTES:
        app.include_router(part.router)
    return app


def _cors(origins: tuple[str, ...]) -> list[Middleware]:
    if not origins:
        return []
    return [
        Middleware(
            CORSMiddleware,
            allow_origins=list(origins),
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=[
                "X-Request-Id",
                "Request-Id",
                "Retry-After",
                "Retry-After-Ms",
                *refusals.HEADERS,
            ],
        )
    ]
