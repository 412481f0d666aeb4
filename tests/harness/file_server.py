"""A web server on this machine that answers each path with the bytes a test wrote for it."""

from __future__ import annotations

import socketserver
import ssl
import threading
from collections.abc import Mapping
from pathlib import Path

# A certificate for this name alone, with its key; it is its own authority.
NAME = "files.example"
CERTIFICATE = Path(__file__).parent / "tls" / "files.example.pem"
# In the table of answers: accept the request and say nothing.
SILENCE = b""


def answer(body: bytes, *headers: str, status: str = "200 OK", length: int | None = None) -> bytes:
    """The bytes of an HTTP answer; `length` announces another length than the body's."""
    said = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}"]
    return "\r\n".join([*said, *headers, "", ""]).encode() + body


def moved(location: str, status: str = "302 Found") -> bytes:
    """A redirect."""
    return answer(b"", f"Location: {location}", status=status)


class FileServer:
    """Use as a context manager. `answers` may be changed while it runs."""

    def __init__(self, answers: Mapping[str, bytes] | None = None, *, tls: bool = False) -> None:
        self.answers = dict(answers or {})
        # The heads of the requests, as they came.
        self.asked: list[str] = []
        self.silent = threading.Event()
        self._over = threading.Event()
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(CERTIFICATE)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port: int = self._server.server_address[1]
        self.host = f"127.0.0.1:{self.port}"
        self.url = f"http://{self.host}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> FileServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _handler(self) -> type[socketserver.StreamRequestHandler]:
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                head = b""
                while line := self.rfile.readline().rstrip():
                    head += line + b"\n"
                if head:
                    outer.asked.append(head.decode())
                    self._reply(head.split()[1].decode())

            def _reply(self, path: str) -> None:
                reply = outer.answers.get(path, answer(b"", status="404 Not Found"))
                if reply == SILENCE:
                    outer.silent.set()
                    outer._over.wait(20)
                self.wfile.write(reply)

        return Handler
