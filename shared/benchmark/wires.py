"""Requests sent at once and read as cheaply as can be: the cores belong to what is measured.

One thread, one selector, raw reads with their time; what was read is looked at when all is over.
"""

from __future__ import annotations

import json
import selectors
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from kronk.shared.errors import InvalidArgument

from .replies import Read, Reply, failed, reply

# Asked between reads; true ends everything at once.
Stop = Callable[[], bool]

_CONNECT_SECONDS = 10.0
# How soon a stop is seen when nothing comes in.
_GLANCE = 0.1
_READ_BYTES = 65536
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a server is. `root` is the path before all others, mostly empty."""

    host: str
    port: int
    root: str = ""
    tls: ssl.SSLContext | None = None
    # Its Unix socket, where it has no other address.
    unix: str | None = None
    token: str | None = field(default=None, repr=False)
    # Further ones of every request, such as a session's cookie.
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    def request(self, path: str, body: object = None) -> bytes:
        """A whole request: a GET without a body, else a POST of it as JSON."""
        data = b"" if body is None else json.dumps(body).encode()
        method = "GET" if body is None else "POST"
        host = f"[{self.host}]" if ":" in self.host else self.host
        lines = [
            f"{method} {self.root}{path} HTTP/1.1",
            f"Host: {host}:{self.port}",
            "Connection: close",
            "Accept: application/json, text/event-stream",
            "Accept-Encoding: identity",
            "User-Agent: kronk-bench",
            *([f"Authorization: Bearer {self.token}"] if self.token else []),
            *(f"{name}: {value}" for name, value in self.headers),
            *(["Content-Type: application/json", f"Content-Length: {len(data)}"] if data else []),
        ]
        return "\r\n".join([*lines, "", ""]).encode() + data


def endpoint(url: str, token: str | None = None, tls: ssl.SSLContext | None = None) -> Endpoint:
    """The server of a URL such as `http://host:8080/v1`; `tls` says whose certificates are
    believed, if not the usual authorities'."""
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        port = parts.port or _PORTS.get(parts.scheme, 0)
        host = parts.hostname if parts.scheme in _PORTS else None
    except ValueError:
        host, port = None, 0
    if not host or parts.query or parts.fragment or parts.username:
        raise InvalidArgument(
            f"base_url: expected a URL such as http://127.0.0.1:8080/v1, got {url!r}",
            param="base_url",
        )
    if parts.scheme == "https" and tls is None:
        tls = ssl.create_default_context()
    root = parts.path.rstrip("/").removesuffix("/v1")
    return Endpoint(host, port, root, tls if parts.scheme == "https" else None, token=token)


@dataclass(frozen=True, slots=True)
class Cost:
    """What it took this process: seconds of the clock, and of a core."""

    wall: float
    cpu: float

    @property
    def share(self) -> float:
        """Of one core."""
        return self.cpu / self.wall if self.wall > 0 else 0.0


class _Call:
    """One request on its way."""

    def __init__(self, where: Endpoint, request: bytes) -> None:
        self.started = self.ended = time.perf_counter()
        self.socket: socket.socket | None = None
        self.reads: list[Read] = []
        self.failure: tuple[str, str] | None = None
        self._unsent = memoryview(request)
        try:
            self.socket = _connected(where)
        except OSError as error:
            self._end("connection", f"{where.host}:{where.port}: {_words(error)}")

    def begin(self) -> None:
        self.started = time.perf_counter()
        self.write()

    @property
    def wants(self) -> int:
        """What the selector is to look for."""
        return selectors.EVENT_READ | (selectors.EVENT_WRITE if self._unsent else 0)

    def write(self) -> None:
        assert self.socket is not None
        try:
            while self._unsent:
                self._unsent = self._unsent[self.socket.send(self._unsent) :]
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return
        except OSError:
            # It may have answered before it hung up.
            self._unsent = memoryview(b"")

    def read(self) -> None:
        assert self.socket is not None
        # A TLS record may have more than was asked for, which the selector knows nothing of.
        more = True
        while more and self.socket is not None:
            try:
                data = self.socket.recv(_READ_BYTES)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return
            except OSError as error:
                self._end("broken", _words(error))
                return
            if not data:
                self._end()
                return
            self.reads.append((time.perf_counter(), data))
            more = isinstance(self.socket, ssl.SSLSocket)

    def abandon(self, code: str, message: str) -> None:
        """Hang up: the server stops working for it."""
        if self.socket is not None:
            self._end(code, message)

    def result(self, *, is_stream: bool) -> Reply:
        if self.failure is not None:
            return failed(self.started, self.ended, *self.failure)
        return reply(self.started, self.reads, is_stream=is_stream)

    def _end(self, code: str | None = None, message: str = "") -> None:
        if self.socket is not None:
            self.socket.close()
            self.socket = None
        self.ended = time.perf_counter()
        if code is not None:
            self.failure = (code, message)


def exchange(
    where: Endpoint,
    requests: Sequence[bytes],
    stop: Stop,
    *,
    is_stream: bool,
    patience: float,
) -> tuple[list[Reply], Cost]:
    """Send all requests at the same time, each over a connection of its own, and wait for the ends
    of the answers, or for `patience` seconds in which nothing came from any. A failure is an
    answer, too; what was stopped has the code `stopped`."""
    calls = [_Call(where, request) for request in requests]
    began, cpu = time.perf_counter(), time.thread_time()
    try:
        _run([call for call in calls if call.socket is not None], stop, patience)
    finally:
        for call in calls:
            call.abandon("stopped", "stopped")
    cost = Cost(time.perf_counter() - began, time.thread_time() - cpu)
    return [call.result(is_stream=is_stream) for call in calls], cost


def _run(calls: Sequence[_Call], stop: Stop, patience: float) -> None:
    with selectors.DefaultSelector() as selector:
        for call in calls:
            call.begin()
        for call in calls:
            assert call.socket is not None
            selector.register(call.socket, call.wants, call)
        heard = time.perf_counter()
        while selector.get_map() and not stop():
            ready = selector.select(_GLANCE)
            if ready:
                heard = time.perf_counter()
            elif time.perf_counter() - heard > patience:
                for call in calls:
                    call.abandon("timeout", f"nothing came for {patience:g} s")
                return
            for key, events in ready:
                _serve(selector, key, events)


def _serve(selector: selectors.BaseSelector, key: selectors.SelectorKey, events: int) -> None:
    call: _Call = key.data
    if events & selectors.EVENT_WRITE:
        call.write()
        if not call.wants & selectors.EVENT_WRITE:
            selector.modify(key.fileobj, call.wants, call)
    if events & selectors.EVENT_READ:
        # It has no number any more once it is closed.
        number = key.fd
        call.read()
        if call.socket is None:
            selector.unregister(number)


def _connected(where: Endpoint) -> socket.socket:
    if where.unix is not None:
        found = socket.socket(socket.AF_UNIX)
        found.settimeout(_CONNECT_SECONDS)
        try:
            found.connect(where.unix)
        except OSError:
            found.close()
            raise
    else:
        found = socket.create_connection((where.host, where.port), _CONNECT_SECONDS)
        found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if where.tls is not None:
        # It closes what it was given when it fails.
        found = where.tls.wrap_socket(found, server_hostname=where.host)
    found.setblocking(False)
    return found


def _words(error: OSError) -> str:
    return error.strerror or str(error) or type(error).__name__
