"""A streaming client that costs next to nothing: the cores belong to what is measured.

One thread, one epoll, raw reads with their time; what was read is looked at when all is over.
"""

from __future__ import annotations

import json
import re
import selectors
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

_EVENT = re.compile(rb"^data: (\{.*\})\r?$", re.MULTILINE)
_PATIENCE = 600.0

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Dialect:
    """Where answers are asked for, and how a piece of text and the end of an answer look."""

    path: str
    piece: re.Pattern[bytes]
    end: re.Pattern[bytes]


CHAT = Dialect("/v1/chat/completions", re.compile(rb'"content":"(?!")'), re.compile(rb"\[DONE\]"))


def chat(model: str, prompt: str | Sequence[Body], tokens: int, **more: object) -> Body:
    """The body of a greedy chat request; a text is one user's message."""
    messages = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else list(prompt)
    body = {"model": model, "messages": messages, "temperature": 0, "max_tokens": tokens}
    return body | {"stream_options": {"include_usage": True}} | more


class Stream:
    """One streamed answer: when it was asked for, when each piece of text came, and, of a chat,
    what it said.

    Raises `RuntimeError` when it is no answer; one that was hung up on is not whole.
    """

    def __init__(
        self,
        started: float,
        reads: list[tuple[float, bytes]],
        *,
        is_whole: bool = True,
        dialect: Dialect = CHAT,
    ) -> None:
        self._whole = b"".join(data for _, data in reads)
        if not self._whole.startswith(b"HTTP/1.1 200") or (
            is_whole and dialect.end.search(self._whole) is None
        ):
            raise RuntimeError(self._whole[:2000].decode(errors="replace"))
        self.started = started
        self.is_whole = is_whole
        self.times = [when for when, data in reads for _ in dialect.piece.findall(data)]

    @property
    def ttft(self) -> float:
        """Seconds to the first piece of text."""
        return self.times[0] - self.started

    @property
    def text(self) -> str:
        """The whole answer."""
        choices = [choice for event in self._events() for choice in event["choices"]]
        return "".join(choice["delta"].get("content") or "" for choice in choices)

    @property
    def tokens(self) -> int:
        """Tokens of the answer: several may have come in one piece."""
        (usage,) = [event["usage"] for event in self._events() if event.get("usage")]
        return int(usage["completion_tokens"])

    @property
    def timings(self) -> dict[str, Any]:
        """What the worker says of it."""
        (timings,) = [event["timings"] for event in self._events() if event.get("timings")]
        return dict(timings)

    def _events(self) -> list[dict[str, Any]]:
        return [json.loads(event) for event in _EVENT.findall(self._whole)]


class _Call:
    """One request on its way."""

    def __init__(self, host: str, port: int, body: Body, dialect: Dialect) -> None:
        self.socket = socket.create_connection((host, port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.reads: list[tuple[float, bytes]] = []
        self.is_over = False
        self._dialect = dialect
        self._request = _request(f"{host}:{port}", body, dialect.path)
        self._started = 0.0

    def send(self) -> None:
        self._started = time.perf_counter()
        self.socket.sendall(self._request)

    def read(self) -> None:
        data = self.socket.recv(65536)
        self.reads.append((time.perf_counter(), data))
        self.is_over = not data

    def close(self) -> Stream:
        self.socket.close()
        return Stream(self._started, self.reads, is_whole=self.is_over, dialect=self._dialect)


def stream_chats(
    host: str,
    port: int,
    bodies: Sequence[Body],
    then: Body | None = None,
    after: int = 0,
    dialect: Dialect = CHAT,
) -> list[Stream]:
    """POST all bodies at once with `stream` on, each over a connection of its own.

    With `then`: it follows when each of the others has sent about `after` pieces, and is the last
    in what is returned; when it is answered the others are hung up on.
    """
    selector = selectors.DefaultSelector()
    calls = [_Call(host, port, body, dialect) for body in bodies]
    awaited = list(calls)
    for call in calls:
        selector.register(call.socket, selectors.EVENT_READ, call)
    for call in calls:
        call.send()
    while not all(call.is_over for call in awaited):
        ready = selector.select(_PATIENCE)
        if not ready:
            raise TimeoutError("a stream stands still")
        for key, _ in ready:
            key.data.read()
            if key.data.is_over:
                selector.unregister(key.fileobj)
        if then is not None and min(len(call.reads) for call in calls) >= after:
            awaited = [_Call(host, port, then, dialect)]
            selector.register(awaited[0].socket, selectors.EVENT_READ, awaited[0])
            awaited[0].send()
            calls, then = calls + awaited, None
    return [call.close() for call in calls]


def hang_up(host: str, port: int, bodies: Sequence[Body], after: float) -> None:
    """POST all bodies at once and go away `after` seconds, whatever came until then."""
    calls = [_Call(host, port, body, CHAT) for body in bodies]
    for call in calls:
        call.send()
    time.sleep(after)
    for call in calls:
        call.socket.close()


def _request(host: str, body: Body, path: str) -> bytes:
    data = json.dumps(body | {"stream": True}).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
    )
    return head.encode() + data
