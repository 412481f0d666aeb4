"""uvicorn, with what it leaves to its users set once."""

from __future__ import annotations

import contextlib
from contextlib import AbstractContextManager

import uvicorn
from starlette.types import ASGIApp

from .protocol import HttpProtocol

# What uvicorn may still wait for once all runs have ended: answers on their way to slow clients.
LAST_BYTES_SECONDS = 5


class Server(uvicorn.Server):
    """A server whose process handles its own signals."""

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]
        """Leave the handlers alone: a signal drains here, it does not exit."""
        return contextlib.nullcontext()


def make_server(app: ASGIApp, idle_timeout: float) -> Server:
    """A server for `app`; give `serve` the listening socket."""
    # uvicorn's zero would close a connection at once, ours is "no limit".
    keep_alive = max(1, round(idle_timeout)) if idle_timeout else 365 * 86400
    config = uvicorn.Config(
        app,
        http=HttpProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=keep_alive,
        timeout_graceful_shutdown=LAST_BYTES_SECONDS,
    )
    return Server(config)
