"""The control plane's door: who may speak, and that each says only what its role says."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Any

import structlog
import zmq

from kronk.shared.errors import WireError
from kronk.shared.wire import curve
from kronk.shared.wire.codec import Message
from kronk.shared.wire.debugging import HeapRequest, HeapTaken, StacksRequest, StacksTaken
from kronk.shared.wire.sockets import (
    Channel,
    PeerGone,
    bind_router,
    heartbeat_identity,
    host_identity,
    inquirer_identity,
    is_readable,
)
from kronk.shared.wire.to_supervisor import (
    CONTROL,
    HOSTS,
    Heartbeat,
    Hello,
    HistoryRequest,
    HostAlive,
    HostExited,
    HostHello,
    HostStarted,
    LeaseRequest,
    LeaseReturn,
    LoadFailed,
    LoadProgress,
    Manage,
    Ready,
    Reload,
    StatusRequest,
)
from kronk.shared.wire.values import PROTOCOL

from .children import AnyChild, Children
from .hosts import FarChild

log = structlog.get_logger()

_MAY_SAY: dict[str, tuple[type, ...]] = {
    "worker": (LoadProgress, Ready, LoadFailed, HeapTaken),
    "gateway": (LeaseRequest, LeaseReturn, StatusRequest, HistoryRequest, Manage, Reload),
}
# What the gateway's debug server may ask, past the gateway's loop.
_INQUIRIES = (StatusRequest, HeapRequest, StacksRequest)
# The supervisor was there before every generation.
_OUR_GENERATION = 0


class Control:
    """The ROUTER that all children dial. `on_message` gets what was found to be in order,
    `on_inquiry` what the gateway's debug server asks, and the name that it is answered by.

    After `listen_far` there is a second one, for other hosts and the workers there.
    """

    def __init__(
        self,
        address: str,
        children: Children,
        on_message: Callable[[AnyChild, Message], None],
        on_inquiry: Callable[[bytes, Message], None],
    ) -> None:
        self.dropped = 0
        self._on_inquiry = on_inquiry
        self._children = children
        self._on_message = on_message
        self._context: zmq.Context[Any] = zmq.Context()
        self._socket = bind_router(self._context, address)
        self._channel = Channel(
            self._socket, _OUR_GENERATION, CONTROL, self._receive, self._on_bad_frame
        )

        self._far: Channel | None = None
        self._doorman: curve.Doorman | None = None

    def listen_far(
        self,
        address: str,
        secret: str,
        name_of: Callable[[str], str | None],
        on_host: Callable[[str, Message], None],
    ) -> None:
        """Let other hosts dial: those whose public key `name_of` knows. `on_host` gets what they
        say of themselves; OSError (as zmq's) when the address cannot be bound."""
        self._name_of = name_of
        self._on_host = on_host
        self._doorman = curve.Doorman(self._context, lambda key: name_of(key) is not None)
        self._far_socket = bind_router(self._context, address, secret=secret)
        self._far = Channel(
            self._far_socket,
            _OUR_GENERATION,
            HOSTS,
            self._receive_far,
            self._on_bad_frame,
            self._may_speak,
        )

    def send(self, child: AnyChild, message: Message) -> bool:
        """False when the child cannot be reached; it is dead or dying then."""
        channel = self._far if isinstance(child, FarChild) else self._channel
        assert channel is not None, "there is no far child without its channel"
        return self._say(channel, message, child.identity)

    def answer(self, peer: bytes, message: Message) -> bool:
        """The same for the one that has inquired."""
        return self._say(self._channel, message, peer)

    def tell_host(self, name: str, message: Message) -> bool:
        """The same for a host."""
        return self._far is not None and self._say(self._far, message, host_identity(name))

    def _say(self, channel: Channel, message: Message, peer: bytes) -> bool:
        try:
            channel.send(message, to=peer)
        except PeerGone:
            return False
        return True

    def drain(self) -> None:
        """Handle everything that has arrived."""
        while not self._socket.closed and is_readable(self._socket):
            self._channel.drain()

    def close(self) -> None:
        self._channel.close()
        if self._far is not None:
            self._far.close()
        if self._doorman is not None:
            self._doorman.close()
        self._context.destroy(linger=0)

    def _may_speak(self, peer: bytes, key: str) -> bool:
        """Whether the connection with this key is that of the peer it says it is."""
        name = self._name_of(key)
        if name is None:
            return False
        if peer.startswith(b"host-"):
            return peer == host_identity(name)
        child = self._children.get(_generation_of(peer))
        return isinstance(child, FarChild) and child.host == name

    def _receive_far(self, peer: bytes, generation: int, message: Message) -> None:
        if isinstance(message, HostHello | HostAlive | HostStarted | HostExited | StacksTaken):
            if peer.startswith(b"host-"):
                self._on_host(peer.removeprefix(b"host-").decode(), message)
        elif generation == _generation_of(peer):
            self._receive(peer, generation, message)

    def _receive(self, peer: bytes, generation: int, message: Message) -> None:
        child = self._children.get(generation)
        if child is None:
            self._drop(peer, message, "a process that is gone")
        elif isinstance(message, Hello):
            self._hello(peer, child, message)
        elif isinstance(message, Heartbeat):
            if peer == _heart_of(child):
                self._on_message(child, message)
            else:
                self._drop(peer, message, "not a heartbeat's sender")
        elif peer == inquirer_identity(generation) and child.role == "gateway" and child.said_hello:
            if isinstance(message, _INQUIRIES):
                self._on_inquiry(peer, message)
        elif peer != child.identity or not child.said_hello:
            self._drop(peer, message, "no Hello before it")
        elif not isinstance(message, _MAY_SAY[child.role]):
            self._drop(peer, message, f"not for a {child.role} to say")
        else:
            self._on_message(child, message)

    def _hello(self, peer: bytes, child: AnyChild, hello: Hello) -> None:
        if reason := _doubt(peer, child, hello):
            self._drop(peer, hello, reason)
            return
        child.said_hello = True
        self._on_message(child, hello)

    def _drop(self, peer: bytes, message: Message, reason: str) -> None:
        self.dropped += 1
        # A stale frame is part of every restart; a Hello that lies is not.
        write = log.warning if isinstance(message, Hello) else log.debug
        write(
            "dropped a control message",
            peer=peer.decode(errors="replace"),
            message=type(message).__name__,
            reason=reason,
        )

    def _on_bad_frame(self, peer: bytes, error: WireError) -> None:
        log.warning(
            "unreadable control frame", peer=peer.decode(errors="replace"), reason=error.message
        )


def _generation_of(peer: bytes) -> int:
    _, _, number = peer.partition(b"-")
    return int(number) if number.isdigit() else -1


def _heart_of(child: AnyChild) -> bytes:
    """A worker has a thread for it with a socket of its own; the gateway's loop is what beats."""
    return child.identity if child.role == "gateway" else heartbeat_identity(child.generation)


def _doubt(peer: bytes, child: AnyChild, hello: Hello) -> str | None:
    """Why this Hello is not believed."""
    if hello.protocol != PROTOCOL:
        return f"speaks protocol {hello.protocol}, we speak {PROTOCOL}"
    if not hmac.compare_digest(hello.secret.encode(), child.secret.encode()):
        return "wrong secret"
    if child.said_hello:
        return "the secret was used before"
    if isinstance(child, FarChild):
        # Its pid is known there only; the connection has proved which host it is on.
        return None if hello.role == child.role else "not the process that was spawned"
    if hello.pid != child.pid or hello.role != child.role or peer != child.identity:
        return "not the process that was spawned"
    return None
