"""HTTP as no client would send it."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from http.client import HTTPResponse
from typing import NamedTuple

from .waiting import PATIENCE

Headers = Sequence[tuple[bytes, bytes]]


class Answered(NamedTuple):
    """An answer, read to its end."""

    status: int
    headers: dict[str, str]
    content: bytes


def exchange(port: int, head: bytes, body: bytes = b"") -> Answered:
    """Send these bytes and read one answer. Whatever is left of the request is never sent."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        connection.sendall(head + body)
        method = head.partition(b" ")[0].decode()
        with HTTPResponse(connection, method=method) as response:
            response.begin()
            names = {name.lower(): value for name, value in response.getheaders()}
            return Answered(response.status, names, response.read())


def head(method: bytes, path: bytes, headers: Headers) -> bytes:
    """The head of a request: each header as it is given, in this order, and no others."""
    lines = [method + b" " + path + b" HTTP/1.1", b"Host: 127.0.0.1"]
    lines += [name + b": " + value for name, value in headers]
    return b"\r\n".join([*lines, b"", b""])
