"""GET /v1/kronk/events: the server's live state, as server-sent events or on a WebSocket."""

from __future__ import annotations

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.websockets import WebSocket

from kronk.gateway.access.live import still_good
from kronk.gateway.access.router import Router
from kronk.gateway.access.rules import READING
from kronk.gateway.live.delivery import LiveStream, tell_socket
from kronk.gateway.live.hub import Check, Hub
from kronk.gateway.live.schemas import MESSAGE
from kronk.gateway.live.viewer import Viewer
from kronk.gateway.record import admission_of, identity_of
from kronk.gateway.services import services_of

from .documents import answer_documents

router = Router()

PATH = "/v1/kronk/events"
_JSON_TEXT = {"type": "string", "contentMediaType": "application/json", "contentSchema": MESSAGE}
_EVENT = {
    "type": "object",
    "required": ["event", "data"],
    "properties": {"event": {"enum": ["state", "event", "end"]}, "data": _JSON_TEXT},
    "additionalProperties": False,
}


@router.get(
    PATH,
    access=READING,
    responses=answer_documents(
        None,
        "Messages, the first at once. On a WebSocket each is a text of its own.",
        also={"text/event-stream": _EVENT},
    ),
    summary="Watch the live state",
)
async def live_events(request: Request) -> Response:
    """The whole state once a second, and what happened in between. A client that asks for a
    WebSocket gets the same messages there; what it says itself means nothing. Leaving ends nothing
    but the watching. Clients that are slow skip states and never fall behind."""
    hub, viewer, check, expires = _watch(request)
    quiet = services_of(request).settings.stream_keepalive
    return LiveStream(hub, viewer, check, expires, quiet)


@router.websocket(PATH, access=READING)
async def live_socket(websocket: WebSocket) -> None:
    """The same on a WebSocket."""
    hub, viewer, check, expires = _watch(websocket)
    await tell_socket(websocket, hub, viewer, check, expires)


def _watch(connection: HTTPConnection) -> tuple[Hub, Viewer, Check, float | None]:
    services, identity = services_of(connection), identity_of(connection)
    viewer = Viewer.of(admission_of(connection))
    return services.live, viewer, still_good(services.access, identity), identity.expires
