"""A server that speaks the data API of an Open Policy Agent, and fails as it is told to."""

from __future__ import annotations

import contextlib
import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

PATH = "/v1/data/kronk/authorization"


@dataclass
class Agent:
    """What it answers, and what it was asked."""

    result: Any = field(default_factory=lambda: {"allow": True})
    # The whole body instead; None is `{"result": ...}`.
    body: bytes | None = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    # Set: answers wait for it.
    hold: threading.Event | None = None
    # Between two bytes of the body.
    drip: float = 0.0
    url: str = ""
    asked: list[Any] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)


@contextmanager
def agent(certificate: Path | None = None) -> Iterator[Agent]:
    """An agent on a free port of this machine; with a certificate it speaks TLS."""
    told = Agent()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(told))
    server.daemon_threads = True
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        # The handshake is in the connection's own thread.
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    scheme = "http" if certificate is None else "https"
    told.url = f"{scheme}://127.0.0.1:{server.server_port}{PATH}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield told
    finally:
        if told.hold is not None:
            told.hold.set()
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(told: Agent) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle(self) -> None:
            # A client that does not like the certificate is gone.
            with contextlib.suppress(OSError):
                super().handle()

        def do_POST(self) -> None:
            told.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.do_GET()

        def do_GET(self) -> None:
            told.paths.append(self.path)
            if told.hold is not None:
                told.hold.wait(20)
            body = told.body
            if body is None:
                body = json.dumps({"result": told.result}).encode()
            self.send_response(told.status)
            for name, value in {"Content-Type": "application/json", **told.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self._write(body)

        def _write(self, body: bytes) -> None:
            if not told.drip:
                self.wfile.write(body)
                return
            for byte in body:
                self.wfile.write(bytes([byte]))
                time.sleep(told.drip)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler
