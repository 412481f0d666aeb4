"""Clients for `gateway.py`: a crowd whose streams never end, and visits that come at their times.

One thread, one epoll, raw reads, as `client.py`.
"""

from __future__ import annotations

import json
import selectors
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from client import CHAT, Body, Stream

_HOST = "127.0.0.1"
_PATIENCE = 30.0
# Connections that are opened at once.
_AT_ONCE = 100
_READ = 256 * 1024
# What ends a chunked answer.
_LAST_CHUNK = b"0\r\n\r\n"


@dataclass(eq=False)
class _Member:
    socket: socket.socket
    has_begun: bool = False


class Crowd:
    """Streams that are read, and whose text nobody looks at."""

    def __init__(self, port: int, bodies: Sequence[Body]) -> None:
        self._selector = selectors.DefaultSelector()
        self._members: list[_Member] = []
        self._begun = 0
        self.open = len(bodies)
        for start in range(0, len(bodies), _AT_ONCE):
            for body in bodies[start : start + _AT_ONCE]:
                member = _Member(connected(port))
                member.socket.sendall(request(body))
                self._selector.register(member.socket, selectors.EVENT_READ, member)
                self._members.append(member)
            self.until_all_have_begun()

    def until_all_have_begun(self) -> None:
        """Each has sent something."""
        until = time.monotonic() + _PATIENCE
        while self._begun < len(self._members):
            if time.monotonic() > until:
                raise TimeoutError(f"{len(self._members) - self._begun} streams have not begun")
            self._read(0.1)

    def read_for(self, seconds: float) -> None:
        """Read whatever comes."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._read(left)

    def _read(self, seconds: float) -> None:
        for key, _ in self._selector.select(seconds):
            member: _Member = key.data
            data = member.socket.recv(_READ)
            if not member.has_begun and data:
                if not data.startswith(b"HTTP/1.1 200"):
                    raise RuntimeError(data.decode(errors="replace"))
                member.has_begun = True
                self._begun += 1
            if not data:
                self._selector.unregister(member.socket)
                self.open -= 1

    def close(self) -> None:
        """Hang up on all."""
        for member in self._members:
            member.socket.close()
        self._selector.close()


@dataclass(eq=False)
class _Visit:
    socket: socket.socket
    started: float
    reads: list[tuple[float, bytes]] = field(default_factory=list)


class Visits:
    """One request after another at even times, whether those before were answered or not. As with
    the clients' libraries, a connection that is free is used again; another is opened when none
    is, and that is not counted as the request's."""

    def __init__(self, port: int, body: Body, per_second: float) -> None:
        self._port = port
        self._request = request(body)
        self._gap = 1 / per_second

    def run(self, seconds: float) -> list[Visited]:
        """What became of those that came within that time."""
        selector = selectors.DefaultSelector()
        found: list[Visited] = []
        began = time.perf_counter()
        number = running = 0
        free = [connected(self._port)]
        while number * self._gap < seconds or running:
            due = began + number * self._gap
            is_over = number * self._gap >= seconds
            if not is_over and time.perf_counter() >= due:
                connection = free.pop() if free else connected(self._port)
                visit = _Visit(connection, time.perf_counter())
                visit.socket.sendall(self._request)
                selector.register(visit.socket, selectors.EVENT_READ, visit)
                number, running = number + 1, running + 1
                continue
            now = time.perf_counter()
            ready = selector.select(_PATIENCE if is_over else max(due - now, 0.0))
            if is_over and not ready:
                raise TimeoutError("a stream stands still")
            for key, _ in ready:
                visit = key.data
                if self._read(visit):
                    selector.unregister(visit.socket)
                    free.append(visit.socket)
                    found.append(Visited(visit.started, visit.reads))
                    running -= 1
        for one in free:
            one.close()
        selector.close()
        return found

    @staticmethod
    def _read(visit: _Visit) -> bool:
        """Whether the answer is whole."""
        data = visit.socket.recv(_READ)
        visit.reads.append((time.perf_counter(), data))
        return not data or data.endswith(_LAST_CHUNK)


class Visited(Stream):
    """One that is over."""

    def __init__(self, started: float, reads: list[tuple[float, bytes]]) -> None:
        super().__init__(started, reads)
        ends = [when for when, data in reads if CHAT.end.search(data)]
        # When its last word came.
        self.ended = ends[0]


def connected(port: int) -> socket.socket:
    """A connection that does not wait to fill its packets."""
    found = socket.create_connection((_HOST, port))
    found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return found


def request(body: Body) -> bytes:
    """The bytes of a streamed chat."""
    data = json.dumps(body | {"stream": True}).encode()
    head = (
        f"POST {CHAT.path} HTTP/1.1\r\nHost: localhost\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
    )
    return head.encode() + data
