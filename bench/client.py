"""A streaming client that costs next to nothing: the cores belong to what is measured.

One thread, one epoll, raw reads with their time; what was read is looked at when all is over.
"""

from __future__ import annotations

import json
import re
import selectors
import socket
import time
from dataclasses import dataclass
from typing import Any

_CONTENT = re.compile(rb'"content":"(?!")')
_PATIENCE = 600.0


@dataclass(frozen=True, slots=True)
class Stream:
    """One streamed answer: when it was asked for and when each piece of text came."""

    started: float
    times: list[float]


def stream_chats(host: str, port: int, bodies: list[dict[str, Any]]) -> list[Stream]:
    """POST all chats at once with `stream` on, each over a connection of its own."""
    selector = selectors.DefaultSelector()
    reads: list[list[tuple[float, bytes]]] = [[] for _ in bodies]
    requests = [_request(body) for body in bodies]
    sockets = [socket.create_connection((host, port)) for _ in bodies]
    for at, connection in enumerate(sockets):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        selector.register(connection, selectors.EVENT_READ, at)
    started = []
    for connection, request in zip(sockets, requests, strict=True):
        started.append(time.perf_counter())
        connection.sendall(request)
    running = len(bodies)
    while running:
        ready = selector.select(_PATIENCE)
        if not ready:
            raise TimeoutError("a stream stands still")
        for key, _ in ready:
            data = key.fileobj.recv(65536)  # type: ignore[union-attr]
            reads[key.data].append((time.perf_counter(), data))
            if not data:
                selector.unregister(key.fileobj)
                running -= 1
    for connection in sockets:
        connection.close()
    return [Stream(start, _times(read)) for start, read in zip(started, reads, strict=True)]


def _request(body: dict[str, Any]) -> bytes:
    data = json.dumps(body | {"stream": True}).encode()
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
    )
    return head.encode() + data


def _times(reads: list[tuple[float, bytes]]) -> list[float]:
    whole = b"".join(data for _, data in reads)
    if not whole.startswith(b"HTTP/1.1 200") or b"[DONE]" not in whole:
        raise RuntimeError(whole[:2000].decode(errors="replace"))
    return [when for when, data in reads for _ in _CONTENT.findall(data)]
