"""The control plane's door: who may speak, and that each says only what its role says."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Any

import structlog
import zmq

from kronk.shared.errors import WireError
from kronk.shared.wire.codec import Message
from kronk.shared.wire.sockets import (
    Channel,
    PeerGone,
    bind_router,
    heartbeat_identity,
    is_readable,
)
from kronk.shared.wire.to_supervisor import (
    CONTROL,
    Heartbeat,
    Hello,
    LeaseRequest,
    LeaseReturn,
    LoadFailed,
    LoadProgress,
    Ready,
    StatusRequest,
)
from kronk.shared.wire.values import PROTOCOL

from .processes import Child, Processes

log = structlog.get_logger()

_MAY_SAY: dict[str, tuple[type, ...]] = {
    "worker": (LoadProgress, Ready, LoadFailed),
    "gateway": (LeaseRequest, LeaseReturn, StatusRequest),
}
# The supervisor was there before every generation.
_OUR_GENERATION = 0


class Control:
    """The ROUTER that all children dial. `on_message` gets what was found to be in order."""

    def __init__(
        self, address: str, processes: Processes, on_message: Callable[[Child, Message], None]
    ) -> None:
        self.dropped = 0
        self._processes = processes
        self._on_message = on_message
        self._context: zmq.Context[Any] = zmq.Context()
        self._socket = bind_router(self._context, address)
        self._channel = Channel(
            self._socket, _OUR_GENERATION, CONTROL, self._receive, self._on_bad_frame
        )

    def send(self, child: Child, message: Message) -> bool:
        """False when the child cannot be reached; it is dead or dying then."""
        try:
            self._channel.send(message, to=child.identity)
        except PeerGone:
            return False
        return True

    def drain(self) -> None:
        """Handle everything that has arrived."""
        while not self._socket.closed and is_readable(self._socket):
            self._channel.drain()

    def close(self) -> None:
        self._channel.close()
        self._context.destroy(linger=0)

    def _receive(self, peer: bytes, generation: int, message: Message) -> None:
        child = self._processes.get(generation)
        if child is None:
            self._drop(peer, message, "a process that is gone")
        elif isinstance(message, Hello):
            self._hello(peer, child, message)
        elif isinstance(message, Heartbeat):
            if child.role == "worker" and peer == heartbeat_identity(generation):
                self._on_message(child, message)
            else:
                self._drop(peer, message, "not a heartbeat's sender")
        elif peer != child.identity or not child.said_hello:
            self._drop(peer, message, "no Hello before it")
        elif not isinstance(message, _MAY_SAY[child.role]):
            self._drop(peer, message, f"not for a {child.role} to say")
        else:
            self._on_message(child, message)

    def _hello(self, peer: bytes, child: Child, hello: Hello) -> None:
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


def _doubt(peer: bytes, child: Child, hello: Hello) -> str | None:
    """Why this Hello is not believed."""
    if hello.protocol != PROTOCOL:
        return f"speaks protocol {hello.protocol}, we speak {PROTOCOL}"
    if not hmac.compare_digest(hello.secret.encode(), child.secret.encode()):
        return "wrong secret"
    if child.said_hello:
        return "the secret was used before"
    if hello.pid != child.pid or hello.role != child.role or peer != child.identity:
        return "not the process that was spawned"
    return None
