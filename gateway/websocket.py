"""uvicorn's WebSocket protocol with the bounds that our connections have.

Pings find out whether the other end is still there. A client that does not read is cut off after
the time that any client has for that; until then at most one message of its own is on its way.
Nothing is compressed: it would have to be done for each client anew.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Callable, Iterable
from typing import Any

from uvicorn._types import ASGISendEvent
from uvicorn.config import Config
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState

# As `websockets` takes them; what has more is no handshake to us.
_MOST_HEADERS, _LONGEST_LINE = 100, 8000
_KEY_BYTES = 16


def is_handshake(url: bytes, headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether a GET asks, in good form, for the WebSocket that we speak. Anything else is a GET
    like others, whose wish is passed over, as HTTP lets a server do."""
    found = list(headers)
    lines = [len(name) + len(value) for name, value in found]
    if len(found) > _MOST_HEADERS or max(lines, default=0) > _LONGEST_LINE:
        return False
    if len(url) > _LONGEST_LINE or not url.isascii():
        return False
    versions = [value.strip() for name, value in found if name == b"sec-websocket-version"]
    keys = [value.strip() for name, value in found if name == b"sec-websocket-key"]
    return versions == [b"13"] and len(keys) == 1 and _is_key(keys[0])


def _is_key(value: bytes) -> bool:
    try:
        return len(base64.b64decode(value, validate=True)) == _KEY_BYTES
    except binascii.Error:
        return False


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """One connection, from its handshake on."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        *,
        write_seconds: float,
        on_lost: Callable[[], None],
    ) -> None:
        """`write_seconds` is how long a client may not read; 0 is for ever."""
        super().__init__(config, server_state, app_state)
        self._write_seconds = write_seconds
        self._on_lost = on_lost
        self._write_timer: asyncio.TimerHandle | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        """It is closed, by whomever."""
        self._forget_timer()
        self._on_lost()
        super().connection_lost(exc)

    async def send(self, message: ASGISendEvent) -> None:
        """From the application; comes back when there is room for more. A refusal is a whole
        answer, which uvicorn takes for none."""
        await super().send(message)
        if message["type"] == "websocket.send":
            await self.writable.wait()
        elif message["type"] == "websocket.http.response.body" and not message.get("more_body"):
            self.handshake_complete = True

    def pause_writing(self) -> None:
        """The client does not read, and what it was sent fills all buffers."""
        super().pause_writing()
        if self._write_seconds and self._write_timer is None:
            self._write_timer = self.loop.call_later(self._write_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """It has read on."""
        self._forget_timer()
        super().resume_writing()

    def _forget_timer(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None
