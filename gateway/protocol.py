"""uvicorn's HTTP/1.1 protocol with a bound on headers, and refusals in our own form."""

from __future__ import annotations

import json

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from kronk.shared.errors import InvalidArgument

from .dialects.errors import openai

# Node takes 16K, Apache 8K per line and 100 lines, h11 64K; httptools by itself takes any amount.
MAX_HEAD_BYTES = 64 * 1024


class HttpProtocol(HttpToolsProtocol):
    """One connection."""

    def on_message_begin(self) -> None:
        """A request starts: its head is counted from here."""
        self._head_bytes = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Part of the request line."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer after a chunked body."""
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def _count(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > MAX_HEAD_BYTES:
            # The parser turns it into its own error, and that into the 400 below.
            raise ValueError("the head of the request is too large")

    def send_400_response(self, msg: str) -> None:
        """What is not HTTP is refused in the same envelope as everything else."""
        error = InvalidArgument(f"{msg} Heads are limited to {MAX_HEAD_BYTES} bytes.")
        body = json.dumps(openai(error)).encode()
        self.transport.write(
            b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\n"
            b"content-length: %d\r\nconnection: close\r\n\r\n%b" % (len(body), body)
        )
        self.transport.close()
