"""A server that speaks OpenAI's API and computes nothing: what it does is in its model's name."""

from __future__ import annotations

import contextlib
import json
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

# A request that nobody hangs up on would otherwise hold a test for ever.
_MOST_PIECES = 200_000


class Fake(ThreadingHTTPServer):
    """Models: `plain` sends neither usage nor a name, `counted` sends both, `strict` refuses fields
    that not every server knows, `endless` answers until it is hung up on, `short` stops after two
    pieces, `broken` breaks off, `full` refuses for now, `late` refuses prompts of many words,
    `closed` wants the key."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.bodies: list[dict[str, Any]] = []
        self.prompts: list[str] = []
        self.keys: set[str | None] = set()
        self.streaming = threading.Event()
        self.hung_up = threading.Event()

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients come and go."""


class _Handler(BaseHTTPRequestHandler):
    server: Fake

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        if self.path == "/v1/models":
            self._answer(200, {"data": [{"id": "counted"}, {"id": "plain"}]})
        else:
            self._answer(404, {"error": "no such path"})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path != "/v1/chat/completions":
            self._answer(404, {"error": "no such path"})
            return
        self.server.bodies.append(body)
        self.server.keys.add(self.headers["Authorization"])
        prompt = body["messages"][0]["content"]
        self.server.prompts.append(prompt)
        model = body["model"]
        if model == "strict" and ({"ignore_eos", "stream_options"} & body.keys()):
            self._answer(400, {"error": {"message": "unknown field", "code": "bad"}})
        elif model == "closed" and self.headers["Authorization"] != "Bearer key":
            self._answer(401, {"error": {"message": "who are you", "code": "unauthenticated"}})
        elif model == "full" or (model == "late" and len(prompt.split()) > 200):
            code, words = (503, "busy") if model == "full" else (400, "too long")
            self._answer(code, {"error": {"message": words, "code": words.replace(" ", "_")}})
        elif model in ("plain", "counted", "strict", "endless", "short", "broken", "late"):
            self._stream(model, body, len(prompt.split()))
        else:
            self._answer(404, {"error": {"message": f"no model {model}", "code": "not_found"}})

    def _answer(self, status: int, document: dict[str, Any]) -> None:
        data = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _stream(self, model: str, body: dict[str, Any], words: int) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        is_endless = model == "endless" and body["max_tokens"] > 10
        count = 2 if model == "short" else _MOST_PIECES if is_endless else body["max_tokens"]
        named = {} if model == "plain" else {"system_fingerprint": "fake-1"}
        try:
            for number in range(count):
                self._event(choices=[{"delta": {"content": f" {number}"}}], **named)
                if is_endless:
                    self.server.streaming.set()
        except OSError:
            self.server.hung_up.set()
            return
        if model == "broken":
            return
        self._event(choices=[{"delta": {}, "finish_reason": "length"}])
        if model not in ("plain", "strict"):
            usage = {"prompt_tokens": 10 + 2 * words, "completion_tokens": count}
            self._event(choices=[], usage=usage)
        self.wfile.write(b"data: [DONE]\n\n")

    def _event(self, **fields: Any) -> None:
        self.wfile.write(b"data: " + json.dumps(fields).encode() + b"\n\n")


@contextlib.contextmanager
def running_fake(tls: ssl.SSLContext | None = None) -> Iterator[Fake]:
    """A fake on a port of its own."""
    with Fake() as fake:
        if tls is not None:
            fake.socket = tls.wrap_socket(fake.socket, server_side=True)
        thread = threading.Thread(target=fake.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield fake
        finally:
            fake.shutdown()
            thread.join()
