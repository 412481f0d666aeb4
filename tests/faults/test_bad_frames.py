"""Nonsense at the doors between our processes: read by nobody, named in the log, harmless."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable
from typing import Any

import msgpack
import pytest
import zmq

from harness.counting_model import counted
from harness.damage import unharmed
from harness.server import Server
from harness.waiting import wait_until
from kronk import __version__
from kronk.shared.wire.codec import MAX_FRAME_BYTES
from kronk.shared.wire.values import PROTOCOL

SOCKETS = ("control.sock", "data.sock")
Frames = list[list[bytes]]


def pack(*message: Any) -> bytes:
    frame: bytes = msgpack.packb(message)
    return frame


def send(server: Server, name: str, identity: bytes, frames: Frames) -> None:
    """As a peer of that name; returns when all has left."""
    context: zmq.Context[Any] = zmq.Context()
    peer = context.socket(zmq.DEALER)
    peer.setsockopt(zmq.ROUTING_ID, identity)
    peer.setsockopt(zmq.LINGER, 5000)
    peer.connect(f"ipc://{server.sockets / name}")
    for frame in frames:
        peer.send_multipart(frame)
    peer.close()
    # Blocks until what lingers is sent.
    context.term()


def nonsense(generation: int) -> Frames:
    """What no decoder may choke on; `generation` is a living process's."""
    return [
        [b""],
        [b"\x00" * 1000],
        [os.urandom(300)],
        [b"GET / HTTP/1.1\r\n\r\n"],
        # Promises four billion elements, and nests without end.
        [b"\xdd\xff\xff\xff\xff"],
        [b"\x91" * 100_000],
        [pack()],
        [pack("1")],
        [pack(True)],
        [pack(generation)],
        [pack(generation, 7)],
        [pack(generation, [])],
        [pack(generation, [7])],
        [pack(generation, ["NoSuchMessage", 1, 2])],
        [pack(generation, ["__class__"])],
        [pack(2**63, ["Hello"])],
        [pack(-1, ["Heartbeat", 1, True, None])],
        # Several parts where there should be one.
        [b"a", b"b", b"c"],
    ]


def to_control(generation: int, pid: int) -> Frames:
    """Well-formed or nearly so, from one who may not say it."""
    secret = "0" * 64
    messages: list[list[Any]] = [
        ["Hello", "worker", secret, pid, PROTOCOL, __version__],
        ["Hello", "gateway", secret, pid, PROTOCOL, __version__],
        ["Hello", "worker", "", pid, PROTOCOL + 1, __version__],
        ["Hello", "emperor", secret, pid, PROTOCOL, __version__],
        ["Hello", "worker", secret, "1", PROTOCOL, __version__],
        ["Hello", "worker"],
        ["LeaseRequest", 1, "Bystander"],
        ["LeaseReturn", 1],
        ["LeaseReturn", -1],
        ["StatusRequest", 1],
        ["Heartbeat", 10**9, False, None],
        ["LoadFailed", "internal", "because", None],
        ["LoadProgress", "weights", float("nan")],
        ["Ready", [1, 2, 3]],
    ]
    return [[pack(generation, message)] for message in messages]


def to_data(generation: int, _: int) -> Frames:
    messages: list[list[Any]] = [
        ["Attach"],
        ["Attach", 1],
        ["Delta", 1, 0, "nonsense", [1]],
        ["Delta", (1 << 32) + 1, 0, "nonsense", [1]],
        ["Delta", "1", 0, "nonsense", [1]],
        ["ToolCallDelta", 1, 0, 0, None, None, "nonsense"],
        ["Finished", 1, 0, "because", None],
        ["Vectors", 1, 0, 1, b"nonsense"],
        ["Done", 1, [1, 1, 0, 0], [0.0, 0.0, 0.0, "", 0, 0]],
        ["Failed", 1, "internal", "because", None],
        ["Accepted", 1],
    ]
    return [[pack(generation, message)] for message in messages]


@pytest.mark.parametrize(
    ("name", "messages", "sent", "words"),
    [
        ("control.sock", to_control, "unreadable control frame", "NoSuchMessage"),
        ("data.sock", to_data, "unreadable frame", "NoSuchMessage"),
    ],
)
def test_nonsense_is_dropped_and_named(
    town: Server, name: str, messages: Callable[[int, int], Frames], sent: str, words: str
) -> None:
    with unharmed(town, "Bystander"):
        row = town.row("Bystander")
        assert row is not None
        generation, pid = row["generation"], row["pid"]
        with town.stream("Bystander", "from 7", max_tokens=200) as stream:
            stream.wait_for_pieces(1)
            for identity in (b"stranger", b"\x00\xff", b"x" * 255):
                send(town, name, identity, nonsense(generation) + messages(generation, pid))
            wait_until(
                lambda: any(words in str(record) for record in town.events(sent)),
                f"{sent!r} with {words!r} in the log",
            )
            stream.wait_for_end()
            assert stream.text == counted(7, 200)
        after = town.row("Bystander")
        assert after is not None
        assert (after["generation"], after["pid"]) == (generation, pid)


def test_a_process_that_cannot_prove_who_it_is_is_named(town: Server) -> None:
    with unharmed(town, "Bystander"):
        row = town.row("Bystander")
        assert row is not None
        send(town, "control.sock", b"liar", to_control(row["generation"], row["pid"]))
        dropped = "dropped a control message"
        wait_until(lambda: town.events(dropped, peer="liar", reason="wrong secret"), "the lie")


@pytest.mark.parametrize("name", SOCKETS)
def test_a_frame_over_the_limit_is_not_taken_in(town: Server, name: str) -> None:
    with unharmed(town, "Bystander"):
        context: zmq.Context[Any] = zmq.Context()
        peer = context.socket(zmq.DEALER)
        peer.setsockopt(zmq.LINGER, 0)
        monitor = peer.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        peer.connect(f"ipc://{town.sockets / name}")
        peer.send(bytes(MAX_FRAME_BYTES + 1), copy=False)
        # The connection is the price, and ours.
        assert monitor.poll(60_000), "still connected"
        context.destroy(linger=0)


@pytest.mark.parametrize("name", SOCKETS)
def test_a_peer_that_does_not_speak_our_language_harms_nobody(town: Server, name: str) -> None:
    with unharmed(town, "Bystander"):
        for speech in (
            b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
            os.urandom(2000),
            b"\xff" * 100,
        ):
            with socket.socket(socket.AF_UNIX) as peer:
                peer.connect(str(town.sockets / name))
                # It may be hung up on at any moment, or taken for a peer of another age.
                with contextlib.suppress(OSError):
                    peer.sendall(speech)
        assert town.text("Bystander", "from 7", max_tokens=3) == counted(7, 3)


def test_the_sockets_are_for_this_user_only(town: Server) -> None:
    assert town.sockets.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
        b"\r\n" * 100 + b"nonsense\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
        b"POST /v1/models HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
        b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 100_000 + b"\r\n",
        os.urandom(5000),
    ],
    ids=["TLS", "text", "version", "length", "chunks", "path", "headers", "random"],
)
def test_a_client_that_speaks_no_http_harms_nobody(town: Server, data: bytes) -> None:
    with unharmed(town, "Bystander"):
        answer = b""
        # It may be hung up on in the middle of its speech.
        with (
            socket.create_connection(("127.0.0.1", town.port), timeout=60) as client,
            contextlib.suppress(OSError),
        ):
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
            while part := client.recv(65536):
                answer += part
        assert not answer.startswith(b"HTTP/1.1 5"), answer[:200]
