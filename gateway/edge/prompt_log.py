"""Prompts and answers in the log, which is what `--insecure-logging` asks for."""

from __future__ import annotations

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kronk.gateway.middleware import DIRECT_PART, direct_send
from kronk.gateway.record import record_of

# Of a request and of an answer; what is longer is cut.
MOST_BYTES = 64 * 1024

log = structlog.get_logger()


class PromptLog:
    """Only there with the setting. Writes one line for each request to a model; never headers, and
    nothing of other routes, whose bodies have passwords and tokens in them."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        asked, answered = _Excerpt(), _Excerpt()
        past_layers = direct_send(scope, send)

        async def hearing() -> Message:
            message = await receive()
            asked.add(message)
            return message

        async def saying(message: Message) -> None:
            answered.add(message)
            await send(message)

        async def saying_directly(message: Message) -> None:
            answered.add(message)
            await past_layers(message)

        scope["kronk.send"] = saying_directly
        # What is written past `send` would be missing in the log.
        scope.pop(DIRECT_PART, None)
        try:
            await self.app(scope, hearing, saying)
        finally:
            gate = record_of(scope).gate
            if gate is not None and gate.access.kind == "inference":
                log.info(
                    "prompt and answer",
                    path=scope["path"],
                    request=asked.text(),
                    answer=answered.text(),
                )


class _Excerpt:
    """The beginning of a body."""

    def __init__(self) -> None:
        self._kept = bytearray()
        self._size = 0

    def add(self, message: Message) -> None:
        body: bytes = message.get("body", b"")
        self._size += len(body)
        self._kept += body[: MOST_BYTES - len(self._kept)]

    def text(self) -> str:
        if b"\0" in self._kept:
            return f"({self._size} bytes that are no text)"
        text = self._kept.decode("utf-8", "replace")
        cut = self._size - len(self._kept)
        return f"{text} (and {cut} bytes more)" if cut else text
