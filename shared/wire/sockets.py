"""ZeroMQ sockets, wrapped once: options, framing, and an asyncio reader."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from typing import Any

import zmq
from zmq.utils.monitor import recv_monitor_message

from kronk.shared.errors import KronkError, WireError

from . import curve
from .codec import MAX_FRAME_BYTES, Family, Frame, Message, encode

# Messages queued in one direction before a send is refused. Leases and credit keep real traffic
# far below; only a peer that stopped reading gets here.
HIGH_WATER_MARK = 10_000
# How long a closing process waits for its last frames to leave.
LINGER_MS = 200
# Frames handled before other tasks of the loop get their turn, so that a flood cannot starve them.
FRAMES_PER_TURN = 64

# Plain numbers: zmq's enumerations cost as much as what is done with them.
_READABLE = int(zmq.POLLIN)
_NOBLOCK = int(zmq.NOBLOCK)
_MORE = int(zmq.SNDMORE)
# A connection over ipc stands within a millisecond.
_CONNECT_POLL = 0.002


class PeerGone(KronkError):
    """The peer is not connected, or has stopped reading until its queue was full."""

    code = "peer_gone"


def bind_router(
    context: zmq.Context[Any], address: str, *, secret: str | None = None
) -> zmq.Socket[bytes]:
    """A ROUTER that refuses to drop: sending to an absent peer raises instead.

    With a `secret` key it is for other hosts, and the context has a `curve.Doorman`.
    """
    socket = _socket(context, zmq.ROUTER)
    if secret is not None:
        curve.as_server(socket, secret)
    socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
    # A peer that reconnects may arrive before its old connection is noticed to be gone.
    socket.setsockopt(zmq.ROUTER_HANDOVER, 1)
    socket.bind(address)
    return socket


def connect_dealer(
    context: zmq.Context[Any],
    address: str,
    identity: bytes,
    *,
    connect: bool = True,
    queue_while_away: bool = False,
    token: curve.Token | None = None,
) -> zmq.Socket[bytes]:
    """A DEALER known to its peer as `identity`; reconnects by itself.

    With `connect` False the caller connects it, after `watch_connection` for example. With
    `queue_while_away` frames wait for a peer that is not there, up to the high-water mark. With a
    `token` the peer is on another host.
    """
    socket = _socket(context, zmq.DEALER)
    if token is not None:
        curve.as_client(socket, token)
    socket.setsockopt(zmq.ROUTING_ID, identity)
    socket.setsockopt(zmq.IMMEDIATE, 0 if queue_while_away else 1)
    socket.setsockopt(zmq.RECONNECT_IVL, 20)
    socket.setsockopt(zmq.RECONNECT_IVL_MAX, 200)
    if connect:
        socket.connect(address)
    return socket


def watch_connection(
    socket: zmq.Socket[bytes], on_connected: Callable[[], None], on_lost: Callable[[], None]
) -> None:
    """Call back on the running loop each time the socket's peer comes and goes."""
    events = zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED
    monitor = socket.get_monitor_socket(events)
    loop = asyncio.get_running_loop()

    def drain() -> None:
        while not monitor.closed and monitor.poll(0):
            event = recv_monitor_message(monitor)["event"]
            (on_connected if event == zmq.EVENT_HANDSHAKE_SUCCEEDED else on_lost)()

    loop.add_reader(monitor.fileno(), drain)
    loop.call_soon(drain)


def _socket(context: zmq.Context[Any], kind: int) -> zmq.Socket[bytes]:
    socket: zmq.Socket[bytes] = context.socket(kind)
    socket.setsockopt(zmq.SNDHWM, HIGH_WATER_MARK)
    socket.setsockopt(zmq.RCVHWM, HIGH_WATER_MARK)
    socket.setsockopt(zmq.LINGER, LINGER_MS)
    socket.setsockopt(zmq.MAXMSGSIZE, MAX_FRAME_BYTES)
    return socket


def is_readable(socket: zmq.Socket[bytes]) -> bool:
    """Whether a frame waits."""
    # Half of what it takes to ask the socket's options: those are looked up in an enumeration.
    return bool(zmq.zmq_poll([(socket, _READABLE)], 0))


def worker_identity(generation: int) -> bytes:
    """The identity of a worker on both planes."""
    return b"worker-%d" % generation


def events_identity(generation: int) -> bytes:
    """The identity of a worker's engine thread on the data plane, which sends its events itself."""
    return b"events-%d" % generation


@functools.lru_cache(1024)
def worker_of(peer: bytes) -> int | None:
    """The generation of the worker a data-plane peer is, by either of its identities."""
    kind, _, number = peer.partition(b"-")
    return int(number) if kind in (b"worker", b"events") and number.isdigit() else None


def heartbeat_identity(generation: int) -> bytes:
    """The identity of a worker's heartbeat thread, which has a socket of its own."""
    return b"heartbeat-%d" % generation


def inquirer_identity(generation: int) -> bytes:
    """The identity of a gateway's debug server, which asks for itself."""
    return b"inquirer-%d" % generation


def host_identity(name: str) -> bytes:
    """The identity of another host that runs workers."""
    return b"host-%s" % name.encode()


GATEWAY_IDENTITY = b"gateway"


class Channel:
    """A socket read by the running asyncio loop.

    `on_message(peer, generation, message)` is called for each message, on the loop; it must not
    block. `peer` is empty on a DEALER. A frame that cannot be read is counted, handed to
    `on_bad_frame(peer, error)` and dropped: the connection stays. `may_speak(peer, key)` is asked
    for each frame of another host, with the public key its connection proved.
    """

    def __init__(
        self,
        socket: zmq.Socket[bytes],
        generation: int,
        accepts: Family,
        on_message: Callable[[bytes, int, Message], None],
        on_bad_frame: Callable[[bytes, WireError], None],
        may_speak: Callable[[bytes, str], bool] | None = None,
    ) -> None:
        self.bad_frames = 0
        # Frames, since the start.
        self.sent = self.received = 0
        self._may_speak = may_speak
        self._socket = socket
        self._generation = generation
        self._accepts = accepts
        self._on_message = on_message
        self._on_bad_frame = on_bad_frame
        self._is_router = socket.getsockopt(zmq.TYPE) == zmq.ROUTER
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(socket.fileno(), self.drain)
        # The descriptor is edge-triggered: what arrived before add_reader announces itself never.
        self._loop.call_soon(self.drain)

    def send(self, *messages: Message, to: bytes = b"") -> None:
        """Queue one frame; `PeerGone` when the peer is absent or its queue is full."""
        frame = encode(self._generation, messages)
        try:
            if self._is_router:
                self._socket.send(to, _NOBLOCK | _MORE)
            # A view is of a large frame, and sent from where it is.
            self._socket.send(frame, _NOBLOCK, copy=isinstance(frame, bytes))
        except zmq.ZMQError as error:
            if error.errno not in (zmq.EAGAIN, zmq.EHOSTUNREACH):
                raise
            raise PeerGone(f"{to.decode(errors='replace') or 'peer'}: {error.strerror}") from error
        self.sent += 1
        # A send can swallow the edge that announces a received frame.
        if is_readable(self._socket):
            self._loop.call_soon(self.drain)

    async def send_when_connected(self, *messages: Message) -> None:
        """For a DEALER's first message: wait until the connection stands."""
        while True:
            try:
                return self.send(*messages)
            except PeerGone:
                await asyncio.sleep(_CONNECT_POLL)

    def drain(self) -> None:
        """Handle what has arrived; again on the next turn of the loop when there is more."""
        socket = self._socket
        for _ in range(FRAMES_PER_TURN):
            # Asking is cheaper than the exception of a recv that finds nothing.
            if socket.closed or not is_readable(socket):
                return
            peer = socket.recv(_NOBLOCK) if self._is_router else b""
            received = socket.recv(_NOBLOCK, copy=False)
            self.received += 1
            frame: Frame = received.buffer
            if received.more:
                frame = b"".join([frame, *socket.recv_multipart(_NOBLOCK)])
            if self._may_speak is None or self._may_speak(peer, str(received.get("User-Id"))):
                self._deliver(peer, frame)
        self._loop.call_soon(self.drain)

    def _deliver(self, peer: bytes, frame: Frame) -> None:
        try:
            generation, messages = self._accepts.decode(frame)
        except WireError as error:
            self.bad_frames += 1
            self._on_bad_frame(peer, error)
            return
        self._hand_over(peer, generation, messages)

    def _hand_over(self, peer: bytes, generation: int, messages: list[Message]) -> None:
        """What was in one frame."""
        for message in messages:
            self._on_message(peer, generation, message)

    def close(self) -> None:
        """Stop reading; frames already sent leave within the linger time. Idempotent."""
        if not self._socket.closed:
            self._loop.remove_reader(self._socket.fileno())
            self._socket.close()
