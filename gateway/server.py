"""uvicorn, with what it leaves to its users set once."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
import ssl
from contextlib import AbstractContextManager

import uvicorn
from starlette.types import ASGIApp

from kronk.shared.settings import Settings

from .edge.connections import Connections, most_connections
from .protocol import HttpProtocol, Patience

# What uvicorn may still wait for once all runs have ended: answers on their way to slow clients.
LAST_BYTES_SECONDS = 5
# What a client says on a WebSocket is read and dropped, so that it need not say much.
MOST_SOCKET_BYTES = 64 * 1024
# How exact the Date header is.
_DATE_SECONDS = 1.0


class Server(uvicorn.Server):
    """A server whose process handles its own signals, and tells it to `stop`."""

    def __init__(
        self, config: uvicorn.Config, patience: Patience, tls: ssl.SSLContext | None
    ) -> None:
        super().__init__(config)
        self._patience = patience
        self._tls = tls
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Take no more connections, and end when those there are have had their answers."""
        self.should_exit = True
        self._stopping.set()

    def stop_listening(self) -> None:
        """Take no more connections; those there are go on."""
        for server in self.servers:
            server.close()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen. Unix sockets stay without TLS: nobody is in between."""
        assert sockets, "the supervisor gives us what to listen on"
        await self.lifespan.startup()
        loop = asyncio.get_running_loop()
        protocol = functools.partial(
            HttpProtocol,
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
            patience=self._patience,
            connections=Connections(most_connections()),
        )
        self.servers = []
        for one in sockets:
            tls = None if one.family == socket.AF_UNIX else self._tls
            server = await loop.create_server(
                protocol,
                sock=one,
                ssl=tls,
                backlog=self.config.backlog,
                ssl_handshake_timeout=(self._patience.read or None) if tls else None,
            )
            self.servers.append(server)
        self.started = True

    async def main_loop(self) -> None:
        """Keep the date of answers current. uvicorn's own looks ten times a second whether it is to
        stop; beside a few streams that took as long as their tokens."""
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_DATE_SECONDS):
                    await self._stopping.wait()

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]
        """Leave the handlers alone: a signal drains here, it does not exit."""
        return contextlib.nullcontext()


def make_server(app: ASGIApp, settings: Settings, tls: ssl.SSLContext | None = None) -> Server:
    """A server for `app`; give `serve` the listening sockets."""
    # uvicorn's zero would close a connection at once, ours is "no limit".
    idle = settings.idle_timeout
    config = uvicorn.Config(
        app,
        http=HttpProtocol,
        # The protocol above knows where a WebSocket is spoken, and makes it.
        ws="none",
        ws_max_size=MOST_SOCKET_BYTES,
        ws_per_message_deflate=False,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=max(1, round(idle)) if idle else 365 * 86400,
        timeout_graceful_shutdown=LAST_BYTES_SECONDS,
    )
    return Server(config, Patience(settings.read_timeout, settings.write_timeout), tls)
