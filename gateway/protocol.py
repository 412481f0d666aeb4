"""uvicorn's HTTP/1.1 protocol with bounds on heads, on slow clients and on their number.

llhttp, the parser, is strict by itself about what is used to smuggle requests past a proxy: two
lengths, a length beside chunks, line feeds alone, folded lines. What it leaves to its users is
refused here, and so is everything of HTTP that is for proxies, which this is not.

While no request is at work, uvicorn's clock runs for a connection that is idle, and from its first
byte on ours, for the head. Another one runs whenever the client does not read, from the moment that
nothing more fits until something does. The body is timed by who reads it (`body`).
"""

from __future__ import annotations

import asyncio
import functools
import json
import socket
import struct
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from kronk.shared.errors import InvalidArgument

from .dialects.errors import openai
from .edge.addresses import group
from .edge.connections import Connections
from .middleware import DIRECT_PART

# Node takes 16K, Apache 8K per line and 100 lines, h11 64K; httptools by itself takes any amount.
MAX_HEAD_BYTES = 64 * 1024
# What a header costs beside its bytes, as HTTP/2 counts (RFC 9113 6.5.2).
_HEADER_BYTES = 32
_VERSIONS = ("1.0", "1.1")
# The parser takes what follows for another protocol's, or for the next request.
_UPGRADE = "A request that asks for an upgrade cannot have a body: only HTTP/1.1 is spoken here."
# For the last bytes to a client that is sent away.
_FAREWELL_SECONDS = 5.0
# On, for no seconds: a reset instead of bytes that nobody takes.
_NO_LINGER = struct.pack("ii", 1, 0)
# Where a GET may become a WebSocket.
SOCKET_PATHS = frozenset({b"/v1/kronk/events"})
_TOO_SOON = "A WebSocket cannot be asked for before the answers to earlier requests are complete."


class AnyLength(int):
    """The length of a body that ends where the connection does: as long as any, and never too
    short. For uvicorn, which counts down what is still expected of one."""

    def __lt__(self, other: int) -> bool:
        return False

    def __sub__(self, other: int) -> AnyLength:
        return self

    def __ne__(self, other: object) -> bool:
        return False

    __hash__ = int.__hash__


class HeadFirst:
    """A transport for one answer, whose head waits for what follows it: one packet, and one wake-up
    of the client, instead of two. It waits for the next turn of the loop at the longest."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._head: bytes | None = None
        self._is_fresh = True

    def write(self, data: bytes) -> None:
        """Write it behind all that was written before."""
        if self._is_fresh:
            self._is_fresh = False
            self._head = data
            self._loop.call_soon(self._flush)
            return
        if self._head is not None:
            data, self._head = self._head + data, None
        self._transport.write(data)

    def close(self) -> None:
        """Close it once all is written."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._head is not None:
            head, self._head = self._head, None
            # The client may have gone meanwhile.
            if not self._transport.is_closing():
                self._transport.write(head)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class PartWriter:
    """Parts of one answer, written where they are made: no message, and nothing to wait for."""

    def __init__(self, cycle: RequestResponseCycle) -> None:
        self._cycle = cycle
        self._flow = cycle.flow
        self._write = cycle.transport.write

    @property
    def has_room(self) -> bool:
        """A part could be written now: the answer has begun, and its client reads."""
        cycle = self._cycle
        return not (
            self._flow.write_paused
            or cycle.disconnected
            or cycle.response_complete
            or not cycle.chunked_encoding
        )

    def write(self, part: bytes) -> None:
        """Write a part that is not empty, as there is room for it."""
        self._write(b"%x\r\n%b\r\n" % (len(part), part))


@dataclass(frozen=True, slots=True)
class Patience:
    """How long clients may take, in seconds; 0 is for ever."""

    read: float = 30.0
    write: float = 900.0


class HttpProtocol(HttpToolsProtocol):
    """One connection."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        patience: Patience,
        connections: Connections,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._patience = patience
        self._all = connections
        self._head_bytes = 0
        # Within a head, not in the body or in the trailers after it.
        self._in_head = False
        # What is wrong with the request, in words; the parser only knows that something is.
        self._wrong = ""
        self._peer = ""
        # The request becomes a WebSocket.
        self._becomes_socket = False
        # The request that is being answered; uvicorn's `cycle` is the last that has come.
        self._at_work: RequestResponseCycle | None = None
        # For the head to arrive, and for what was written to be taken.
        self._head_timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None

    @property
    def peer(self) -> str:
        """Whom the connection is from; the same for all that one client may have."""
        return self._peer

    # The connection.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Somebody has connected, and through with TLS."""
        super().connection_made(transport)
        self._peer = group(self.client[0]) if self.client else ""
        self._expect_head()
        in_the_way = self._all.came(self)
        if in_the_way is self:
            self._send_away(HTTPStatus.SERVICE_UNAVAILABLE, "The server has no free connection.")
        elif isinstance(in_the_way, HttpProtocol):
            in_the_way._cut_off()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is closed, by whomever."""
        self._forget_head()
        self._forget_write()
        self._all.left(self)
        at_work = self._at_work
        super().connection_lost(exc)
        if at_work is not None and not at_work.response_complete:
            # uvicorn tells the last request only, and the one before it would write on.
            at_work.disconnected = True
            at_work.message_event.set()

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        if self._is_idle() and self._head_timer is None:
            self._expect_head()
        super().data_received(data)

    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    # The head.

    def on_message_begin(self) -> None:
        """A request starts: its head is counted from here."""
        self._head_bytes = 0
        self._in_head = True
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Part of the request line."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer after a chunked body, which nobody reads: the request is at work
        by then, and must not get another token or host in the middle of it."""
        self._count(len(name) + len(value) + _HEADER_BYTES)
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._in_head = False
        self._becomes_socket = self._asks_for_socket()
        wrong = self._fault()
        if wrong is not None:
            self._refuse(wrong)
        self._forget_head()
        self._all.is_busy(self)
        before = self.cycle
        super().on_headers_complete()
        if self.cycle is not None and self.cycle is not before:
            # Its task has not begun yet.
            self.cycle.transport = HeadFirst(self.transport, self.loop)  # type: ignore[assignment]
            scope: dict[str, Any] = self.cycle.scope  # type: ignore[assignment]  # Ours is in it.
            if scope["http_version"] == "1.0":
                # It knows no chunks (RFC 9112 7); uvicorn closes the connection behind an answer.
                self.cycle.chunked_encoding = False
                self.cycle.expected_content_length = AnyLength()
            else:
                scope[DIRECT_PART] = PartWriter(self.cycle)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._at_work = cycle
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        """The answer is written, as far as it fits."""
        super().on_response_complete()
        if self.transport.is_closing():
            self._bid_farewell(self._patience.write)
        elif self._is_idle():
            self._all.waits(self)

    def _count(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(f"Heads are limited to {MAX_HEAD_BYTES} bytes, {_HEADER_BYTES} a header.")

    def _refuse(self, wrong: str) -> None:
        # The parser turns it into its own error, and that into the 400 below.
        self._wrong = wrong
        raise ValueError(wrong)

    def _fault(self) -> str | None:
        """What the parser lets pass and we do not."""
        version = self.parser.get_http_version()
        if version not in _VERSIONS:
            return "Only HTTP/1.0 and HTTP/1.1 are spoken here."
        if not self.url.startswith(b"/"):
            return "The target must be a path: this is no proxy."
        hosts = codings = 0
        for name, value in self.headers:
            if name == b"host":
                hosts += 1
            elif name == b"content-length" and value != b"0" and self.parser.should_upgrade():
                return _UPGRADE
            elif name == b"transfer-encoding":
                codings += 1
                if self.parser.should_upgrade():
                    return _UPGRADE
                if version == "1.0" or value.strip().lower() != b"chunked":
                    return "Transfer-Encoding can only be chunked, and not in HTTP/1.0."
        if self._becomes_socket and not self._is_idle():
            return _TOO_SOON
        if hosts > 1 or (hosts == 0 and version != "1.0"):
            return f"There must be one Host header, and there are {hosts}."
        return "There can only be one Transfer-Encoding header." if codings > 1 else None

    # WebSockets.

    def _asks_for_socket(self) -> bool:
        if not self.parser.should_upgrade() or self.url.partition(b"?")[0] not in SOCKET_PATHS:
            return False
        is_plain = self.parser.get_method() == b"GET" and self.parser.get_http_version() == "1.1"
        if not is_plain or self._get_upgrade() != b"websocket":
            return False
        # It takes time to import, and few servers are ever asked for one.
        from .websocket import is_handshake

        return is_handshake(self.url, self.headers)

    def _should_upgrade(self) -> bool:
        """Asked by uvicorn at each step of a request."""
        return self._becomes_socket

    def _unsupported_upgrade_warning(self) -> None:
        """uvicorn's word for a wish that is passed over: any client may have one, and as often as
        it likes."""

    def handle_websocket_upgrade(self) -> None:
        """The head is whole: from now on the connection is another protocol's, and still one of
        those that are counted."""
        from .websocket import WebSocketProtocol

        self._forget_head()
        self._forget_write()
        self.ws_protocol_class = functools.partial(  # type: ignore[assignment]
            WebSocketProtocol,
            write_seconds=self._patience.write,
            on_lost=lambda: self._all.left(self),
        )
        super().handle_websocket_upgrade()

    # Clients that take their time.

    def _expect_head(self) -> None:
        if self._patience.read:
            self._head_timer = self.loop.call_later(self._patience.read, self._head_is_late)

    def _head_is_late(self) -> None:
        self._head_timer = None
        if not self._is_idle() or self.transport.is_closing():
            # A pipelined one: its turn has not come.
            return
        if not self._in_head:
            # Browsers open connections in advance, and take an answer there for that of the
            # request they send later.
            self.transport.close()
        else:
            self._send_away(
                HTTPStatus.REQUEST_TIMEOUT,
                f"The head did not arrive within {self._patience.read:g} s (--read-timeout).",
            )

    def pause_writing(self) -> None:
        """The client does not read, and what it was sent fills all buffers."""
        super().pause_writing()
        self._abort_after(self._patience.write)

    def resume_writing(self) -> None:
        """It has read on."""
        self._forget_write()
        super().resume_writing()

    def timeout_keep_alive_handler(self) -> None:
        """Idle for too long. A client that did not even take the end of its last answer is not
        waited for."""
        if self.transport.get_write_buffer_size():
            self._cut_off()
        else:
            super().timeout_keep_alive_handler()

    def _abort_after(self, seconds: float) -> None:
        if seconds and self._write_timer is None:
            self._write_timer = self.loop.call_later(seconds, self._cut_off)

    def _forget_head(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _forget_write(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    # The end.

    def send_400_response(self, msg: str) -> None:
        """What is not HTTP is refused in the same envelope as everything else."""
        self._send_away(HTTPStatus.BAD_REQUEST, f"{msg} {self._wrong}".rstrip())

    def _send_away(self, status: HTTPStatus, words: str) -> None:
        self._forget_head()
        if self.pipeline or (self.cycle and self.cycle.response_started and not self._is_idle()):
            # An answer is being written, and this would stand in the middle of it.
            self.transport.close()
            return
        body = json.dumps(openai(InvalidArgument(words))).encode()
        self.transport.write(
            b"HTTP/1.1 %d %b\r\ncontent-type: application/json\r\ncache-control: no-store\r\n"
            b"x-content-type-options: nosniff\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b"
            % (status, status.phrase.encode(), len(body), body)
        )
        self.transport.close()
        self._bid_farewell(_FAREWELL_SECONDS)

    def _cut_off(self) -> None:
        """Close at once, and have the kernel drop what it still holds for the client."""
        connection = self.transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self.transport.abort()

    def _bid_farewell(self, seconds: float) -> None:
        """A closed connection stays until all is sent: for that long."""
        if self.transport.get_write_buffer_size():
            self._abort_after(seconds)
