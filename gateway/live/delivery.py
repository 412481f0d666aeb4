"""The two ways the live state takes to who watches: server-sent events and a WebSocket."""

from __future__ import annotations

import asyncio
import contextlib

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from kronk.gateway.body import while_connected
from kronk.gateway.dialects.sse import COMMENT, EVENT_STREAM
from kronk.gateway.run import ClientGone

from .hub import Check, Hub
from .viewer import Viewer

# Why a WebSocket is closed (RFC 6455 7.4.1 and IANA's registry): the server restarts, and who
# watches may not do so.
_RESTART, _REFUSED = 1012, 1008


class LiveStream(Response):
    """Server-sent events until the client leaves or a message says why they end."""

    def __init__(
        self, hub: Hub, viewer: Viewer, check: Check, expires: float | None, quiet: float
    ) -> None:
        """As `Subscription.messages` has them."""
        super().__init__()
        self._hub = hub
        self._viewer = viewer
        self._check = check
        self._expires = expires
        self._quiet = quiet

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Before the first byte: who is one too many gets a real error.
        with self._hub.join(self._viewer) as subscription:
            headers = [
                (b"content-type", EVENT_STREAM.encode()),
                (b"cache-control", b"no-cache"),
                (b"x-accel-buffering", b"no"),
            ]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            if "kronk.head" in scope:
                # Asked for with HEAD: nothing follows, and nobody waits for it.
                await send({"type": "http.response.body", "body": b"", "more_body": False})
                return

            async def tell() -> None:
                async for one in subscription.messages(self._check, self._expires, self._quiet):
                    event = COMMENT if one is None else one.event
                    await send({"type": "http.response.body", "body": event, "more_body": True})
                    # Comes back when there is room for more: what is told next is chosen then.
                    await send({"type": "http.response.body", "body": b"", "more_body": True})
                await send({"type": "http.response.body", "body": b"", "more_body": False})

            # Who leaves ends nothing but the watching.
            with contextlib.suppress(ClientGone):
                await while_connected(receive, tell())


async def tell_socket(
    websocket: WebSocket, hub: Hub, viewer: Viewer, check: Check, expires: float | None
) -> None:
    """The same on a WebSocket, whose silence its pings break."""
    with hub.join(viewer) as subscription:
        await websocket.accept()

        async def tell() -> None:
            async for one in subscription.messages(check, expires, 0.0):
                assert one is not None, "it is never quiet for too long"
                await websocket.send_text(one.text)
                if one.kind == "end":
                    await _close(websocket, hub)

        telling = asyncio.create_task(tell(), name="live-socket")
        hearing = asyncio.create_task(_hear(websocket), name="live-socket-hears")
        both = (telling, hearing)
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in both:
                task.cancel()
            results = await asyncio.gather(*both, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception) and not isinstance(result, WebSocketDisconnect):
                raise result


async def _close(websocket: WebSocket, hub: Hub) -> None:
    is_draining = hub.end is not None
    reason = "the server is stopping" if is_draining else "not authorized any more"
    await websocket.close(_RESTART if is_draining else _REFUSED, reason)


async def _hear(websocket: WebSocket) -> None:
    """Until the client leaves; what it says means nothing."""
    while (await websocket.receive())["type"] != "websocket.disconnect":
        pass
