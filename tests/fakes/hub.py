"""A server of files on this machine: byte ranges, faults to order, and the hub's protocol."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Served:
    """One path's answer. The deques order faults, one per request; empty: none any more."""

    body: bytes = b""
    etag: str | None = '"v1"'
    ranges: bool = True
    headers: dict[str, str] = field(default_factory=dict)
    # Answer with this status instead.
    statuses: deque[int] = field(default_factory=deque)
    # Close the connection after so many bytes of the body.
    cuts: deque[int] = field(default_factory=deque)


@dataclass
class FileServer:
    """What the test gives out, and what it was asked: (method, path, Range header)."""

    url: str
    files: dict[str, Served] = field(default_factory=dict)
    asked: list[tuple[str, str, str | None]] = field(default_factory=list)

    def hub_file(self, repo: str, path: str, body: bytes, etag: str) -> None:
        """A file as the hub serves it, on its main branch and under its commit."""
        for revision in ("main", COMMIT):
            self.files[f"/{repo}/resolve/{revision}/{path}"] = Served(
                body, etag=f'"{etag}"', headers={"X-Repo-Commit": COMMIT}
            )

    def hub_error(self, repo: str, path: str, status: int, code: str) -> None:
        """A refusal of the hub, with the name it gives it."""
        self.files[f"/{repo}/resolve/main/{path}"] = Served(
            statuses=deque([status] * 20), headers={"X-Error-Code": code}
        )


@contextmanager
def serving() -> Iterator[FileServer]:
    """A server on a free port, until the block ends."""
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server = FileServer(f"http://127.0.0.1:{httpd.server_port}")
    httpd.files = server  # type: ignore[attr-defined]
    # No thread may outlive the test that started it.
    httpd.daemon_threads = False
    thread = threading.Thread(target=httpd.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server
    finally:
        httpd.shutdown()
        httpd.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    def do_HEAD(self) -> None:
        self._answer(send_body=False)

    def do_GET(self) -> None:
        self._answer(send_body=True)

    def _answer(self, *, send_body: bool) -> None:
        server: FileServer = self.server.files  # type: ignore[attr-defined]
        path = self.path.partition("?")[0]
        server.asked.append((self.command, path, self.headers.get("Range")))
        served = server.files.get(path, Served(statuses=deque([404])))
        if served.statuses:
            self._head(served.statuses.popleft(), 0, served, None)
            return
        start = self._start(served)
        if start is not None and start >= len(served.body):
            self._head(416, 0, served, None)
            return
        body = served.body[start or 0 :]
        self._head(200 if start is None else 206, len(body), served, start)
        if send_body:
            self.wfile.write(body[: served.cuts.popleft()] if served.cuts else body)

    def _start(self, served: Served) -> int | None:
        """Where to begin, if a range is to be served."""
        asked = self.headers.get("Range")
        fits = self.headers.get("If-Range", served.etag) == served.etag
        if asked is None or not served.ranges or not fits:
            return None
        return int(asked.removeprefix("bytes=").partition("-")[0])

    def _head(self, status: int, length: int, served: Served, start: int | None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        if served.etag is not None:
            self.send_header("ETag", served.etag)
        if start is not None:
            end = len(served.body)
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{end}")
        for name, value in served.headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet: what matters is in `asked`."""
