"""A server of files on this machine: byte ranges, faults to order, and the hub's protocol."""

from __future__ import annotations

import contextlib
import hashlib
import json
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

COMMIT = "0123456789abcdef0123456789abcdef01234567"

_CHUNK = 16 * 1024


@dataclass
class Served:
    """One path's answer. The deques order faults, one per request with a body (`statuses`: per
    request); empty: none any more."""

    body: bytes = b""
    etag: str | None = '"v1"'
    ranges: bool = True
    headers: dict[str, str] = field(default_factory=dict)
    # Answer with this status instead.
    statuses: deque[int] = field(default_factory=deque)
    # Close the connection after so many bytes of the answer's body.
    cuts: deque[int] = field(default_factory=deque)
    # The same, with a reset instead of an end.
    resets: deque[int] = field(default_factory=deque)
    # Send so many bytes of the answer's body, then nothing until the client or the server ends.
    stalls: deque[int] = field(default_factory=deque)
    # Offsets in the file whose byte is sent flipped; one per answer that holds that byte.
    flips: deque[int] = field(default_factory=deque)
    # The same, in every answer.
    always_flipped: int | None = None
    # Announce this Content-Length, whatever is sent. None in the deque: the truth.
    lengths: deque[int | None] = field(default_factory=deque)
    # Announce this Content-Range with a 206.
    content_ranges: deque[str] = field(default_factory=deque)
    # Send no Content-Length, but chunks.
    chunked: bool = False
    # Between two chunks of 16 KiB.
    seconds_per_chunk: float = 0.0
    # Answer with a 302 to there.
    redirect: str | None = None
    # Who does not send it as bearer token is refused: 401 without any, 403 with another.
    token: str | None = None


@dataclass(frozen=True)
class Request:
    """What was asked, and of which host. Names of headers in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]

    @property
    def host(self) -> str:
        """`127.0.0.1:8123`"""
        return self.headers.get("host", "")

    @property
    def token(self) -> str | None:
        """What came in the Authorization header, whatever the form."""
        return self.headers.get("authorization")


@dataclass
class FileServer:
    """What the test gives out, and what it was asked: (method, path, Range header)."""

    # http://127.0.0.1:PORT
    url: str
    # The same server under another name and another port: another origin for every client.
    elsewhere: str = ""
    files: dict[str, Served] = field(default_factory=dict)
    asked: list[tuple[str, str, str | None]] = field(default_factory=list)
    # The same with all headers.
    requests: list[Request] = field(default_factory=list)
    # Called in the server's thread before each answer.
    on_request: Callable[[Request], None] | None = None
    closing: threading.Event = field(default_factory=threading.Event)

    def hub_file(
        self,
        repo: str,
        path: str,
        body: bytes,
        etag: str | None = None,
        *,
        token: str | None = None,
        xet: str | None = None,
        redirected: bool = False,
    ) -> Served:
        """A file as the hub serves it, on its main branch and under its commit; the answer that
        has the bytes. `etag` is what the hub says is the digest, the true one if None.

        `redirected`: as large files are, the bytes are on another host under a signed address.
        `xet`: the file's hash there; its tokens are to be had under `/xet-token`.
        """
        etag = etag if etag is not None else hashlib.sha256(body).hexdigest()
        headers = {"X-Repo-Commit": COMMIT}
        if xet is not None:
            headers["X-Xet-Hash"] = xet
            headers["X-Xet-Refresh-Route"] = f"{self.url}/xet-token"
        if redirected:
            headers |= {"X-Linked-Etag": f'"{etag}"', "X-Linked-Size": str(len(body))}
            at = f"/cdn/{repo}/{path}"
            stored = self.files[at] = Served(body, etag='"of-the-store"')
            answer = Served(
                headers=headers, redirect=f"{self.elsewhere}{at}?signature=s3cret", token=token
            )
        else:
            stored = answer = Served(body, etag=f'"{etag}"', headers=headers, token=token)
        for revision in ("main", COMMIT):
            self.files[f"/{repo}/resolve/{revision}/{path}"] = answer
        return stored

    def hub_error(self, repo: str, path: str, status: int, code: str) -> None:
        """A refusal of the hub, with the name it gives it."""
        self.files[f"/{repo}/resolve/main/{path}"] = Served(
            statuses=deque([status] * 20), headers={"X-Error-Code": code}
        )

    def json(self, path: str, document: Any) -> None:
        """An answer of the hub's API."""
        headers = {"Content-Type": "application/json"}
        self.files[path] = Served(json.dumps(document).encode(), headers=headers)

    def ranges(self, path: str) -> list[str | None]:
        """The Range headers of the GETs of that path, in order."""
        return [given for method, at, given in self.asked if (method, at) == ("GET", path)]


@contextmanager
def serving() -> Iterator[FileServer]:
    """A server on two free ports, until the block ends."""
    doors = [ThreadingHTTPServer(("127.0.0.1", 0), _Handler) for _ in range(2)]
    server = FileServer(
        f"http://127.0.0.1:{doors[0].server_port}", f"http://localhost:{doors[1].server_port}"
    )
    threads = []
    for door in doors:
        door.files = server  # type: ignore[attr-defined]
        # No thread may outlive the test that started it.
        door.daemon_threads = False
        thread = threading.Thread(target=door.serve_forever, args=(0.02,))
        thread.start()
        threads.append(thread)
    try:
        yield server
    finally:
        server.closing.set()
        for door in doors:
            door.shutdown()
            door.server_close()
        for thread in threads:
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    # For chunks; every connection is closed all the same, as clients' pools outlive tests.
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer(send_body=False)

    def do_GET(self) -> None:
        self._answer(send_body=True)

    def _answer(self, *, send_body: bool) -> None:
        server: FileServer = self.server.files  # type: ignore[attr-defined]
        path = self.path.partition("?")[0]
        request = Request(
            self.command, path, {name.lower(): value for name, value in self.headers.items()}
        )
        server.asked.append((self.command, path, self.headers.get("Range")))
        server.requests.append(request)
        if server.on_request is not None:
            server.on_request(request)
        served = server.files.get(path, Served(statuses=deque([404])))
        refusal = self._refusal(served, request)
        if refusal is not None:
            self._head(refusal, 0, served)
            return
        span = self._span(served)
        if span is not None and span[0] >= len(served.body):
            self._head(416, 0, served, f"bytes */{len(served.body)}")
            return
        start, end = span or (0, len(served.body))
        content_range = None
        if span is not None:
            content_range = f"bytes {start}-{end - 1}/{len(served.body)}"
            if served.content_ranges and send_body:
                content_range = served.content_ranges.popleft()
        length: int | None = end - start
        if served.lengths and send_body:
            told = served.lengths.popleft()
            length = told if told is not None else length
        self._head(200 if span is None else 206, length, served, content_range)
        if send_body:
            # A client that leaves in the middle is one of the cases.
            with contextlib.suppress(OSError):
                self._send(served, start, _flipped(served, start, end), server.closing)

    def _refusal(self, served: Served, request: Request) -> int | None:
        if served.statuses:
            return served.statuses.popleft()
        if served.token is not None and request.token != f"Bearer {served.token}":
            return 401 if request.token is None else 403
        return 302 if served.redirect is not None else None

    def _span(self, served: Served) -> tuple[int, int] | None:
        """Which bytes, if a range is to be served."""
        asked = self.headers.get("Range")
        fits = self.headers.get("If-Range", served.etag) == served.etag
        if asked is None or not served.ranges or not fits:
            return None
        first, _, last = asked.removeprefix("bytes=").partition("-")
        size = len(served.body)
        return int(first), (min(int(last) + 1, size) if last else size)

    def _send(self, served: Served, start: int, body: bytes, closing: threading.Event) -> None:
        for order in (served.cuts, served.resets, served.stalls):
            if order:
                limit = order.popleft()
                self._write(served, body[:limit])
                if order is served.resets:
                    self._reset()
                elif order is served.stalls:
                    closing.wait()
                return
        self._write(served, body)
        if served.chunked:
            self.wfile.write(b"0\r\n\r\n")

    def _write(self, served: Served, body: bytes) -> None:
        for at in range(0, len(body), _CHUNK):
            chunk = body[at : at + _CHUNK]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk) if served.chunked else chunk)
            self.wfile.flush()
            if served.seconds_per_chunk:
                time.sleep(served.seconds_per_chunk)

    def _reset(self) -> None:
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # The server would say goodbye first.
        self.connection.close()

    def _head(
        self, status: int, length: int | None, served: Served, content_range: str | None = None
    ) -> None:
        self.send_response(status)
        self.send_header("Connection", "close")
        self.close_connection = True
        if served.chunked and status in (200, 206):
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(length))
        if served.etag is not None:
            self.send_header("ETag", served.etag)
        if content_range is not None:
            self.send_header("Content-Range", content_range)
        if status == 302 and served.redirect is not None:
            self.send_header("Location", served.redirect)
        if served.token is not None and status in (401, 403):
            self.send_header("X-Error-Code", "GatedRepo")
        for name, value in served.headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet: what matters is in `asked`."""


def _flipped(served: Served, start: int, end: int) -> bytes:
    body = served.body[start:end]
    wrong = [] if served.always_flipped is None else [served.always_flipped]
    if served.flips and start <= served.flips[0] < end:
        wrong.append(served.flips.popleft())
    if not any(start <= at < end for at in wrong):
        return body
    damaged = bytearray(body)
    for at in wrong:
        if start <= at < end:
            damaged[at - start] ^= 0x10
    return bytes(damaged)
