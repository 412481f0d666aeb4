"""Connections to other hosts: encrypted and mutually authenticated by ZeroMQ's CURVE.

A token is all that a worker host needs: its name, its own secret key and the server's public key.
The server keeps its own secret key, and of each host the name and the public key.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import zmq
from zmq.utils import z85

from kronk.shared.errors import InvalidArgument

_PREFIX = "kronk-worker-1-"
_KEY_BYTES = 32
# From the last sign of life to the connection's end, in milliseconds: a network that is down for
# some seconds only delays what TCP still delivers.
HEARTBEAT_MS = 5_000
DEAD_AFTER_MS = 60_000


@dataclass(frozen=True, slots=True)
class Token:
    """Who a worker host is, and whom it talks to. Keys are 40 characters of Z85."""

    name: str
    secret: str
    server: str

    @property
    def public(self) -> str:
        """The public half of its own key: what the server knows it by."""
        return zmq.curve_public(self.secret.encode()).decode()

    def text(self) -> str:
        """The token as it is handed over."""
        raw = z85.decode(self.server) + z85.decode(self.secret) + self.name.encode()
        return _PREFIX + base64.urlsafe_b64encode(raw).decode().rstrip("=")


def new_token(name: str, server_secret: str) -> Token:
    """A token with a fresh key for the host of that name."""
    _, secret = zmq.curve_keypair()
    return Token(name, secret.decode(), public_of(server_secret))


def parse_token(text: str) -> Token:
    """The token that `text` is; `InvalidArgument` for anything else."""
    wrong = InvalidArgument(
        "--token: expected what `kronk worker add` printed on the server's host", param="token"
    )
    if not text.startswith(_PREFIX):
        raise wrong
    body = text.removeprefix(_PREFIX)
    try:
        raw = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
        name = raw[2 * _KEY_BYTES :].decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise wrong from error
    if not name:
        raise wrong
    server, secret = raw[:_KEY_BYTES], raw[_KEY_BYTES : 2 * _KEY_BYTES]
    return Token(name, z85.encode(secret).decode(), z85.encode(server).decode())


def new_secret() -> str:
    """A secret key for a server."""
    return zmq.curve_keypair()[1].decode()


def public_of(secret: str) -> str:
    """The public half of a secret key."""
    return zmq.curve_public(secret.encode()).decode()


def as_server(socket: zmq.Socket[bytes], secret: str) -> None:
    """Let only those in whom the context's `Doorman` knows.

    It sends no heartbeats: libzmq 4.3.5 aborts the process when one is due on a connection that
    was handed over to a second one of its identity and then broke. Those of the clients do for
    both: they carry the time after which the server gives a silent connection up.
    """
    socket.setsockopt(zmq.CURVE_SERVER, 1)
    socket.setsockopt_string(zmq.CURVE_SECRETKEY, secret)


def as_client(socket: zmq.Socket[bytes], token: Token) -> None:
    """Dial as the host of this token, and nobody but its server."""
    socket.setsockopt_string(zmq.CURVE_SERVERKEY, token.server)
    socket.setsockopt_string(zmq.CURVE_SECRETKEY, token.secret)
    socket.setsockopt_string(zmq.CURVE_PUBLICKEY, token.public)
    socket.setsockopt(zmq.HEARTBEAT_IVL, HEARTBEAT_MS)
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, DEAD_AFTER_MS)
    socket.setsockopt(zmq.HEARTBEAT_TTL, DEAD_AFTER_MS)


class Doorman:
    """Decides for all CURVE servers of a context who may connect; `is_known` gets a public key, on
    a thread of its own. libzmq asks over the ZAP protocol (ZeroMQ RFC 27)."""

    def __init__(self, context: zmq.Context[Any], is_known: Callable[[str], bool]) -> None:
        # Here, because only servers with workers on other hosts need it.
        from zmq.auth.thread import ThreadAuthenticator

        self._is_known = is_known
        self._authenticator = ThreadAuthenticator(context)
        self._authenticator.start()
        self._authenticator.configure_curve_callback("*", self)

    def callback(self, _domain: str, key: bytes) -> bool:
        """Called by the authenticator."""
        return self._is_known(key.decode())

    def close(self) -> None:
        """Nobody else is let in."""
        self._authenticator.stop()
