"""An authentication host that is a function: it answers what a test says, and notes what it was
asked."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx

from kronk.gateway.access.delegation.host import AuthHost

SERVICE = "service.token.secret"
Answer = httpx.Response | Exception


class PlayedHost:
    """`says` is the answer to everything, unless `script` still has one."""

    def __init__(self, says: Answer) -> None:
        self.says = says
        self.script: list[Answer] = []
        self.asked: list[httpx.Request] = []
        self.was_asked = asyncio.Event()
        # Answers wait for it, where there is one.
        self.gate: asyncio.Event | None = None
        self.client = AuthHost(
            "https://auth.example", SERVICE, transport=httpx.MockTransport(self._answer)
        )

    @property
    def bodies(self) -> list[tuple[str, dict[str, Any]]]:
        """Path and body of all that was asked."""
        return [(request.url.path, json.loads(request.content)) for request in self.asked]

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        self.was_asked.set()
        if self.gate is not None:
            await self.gate.wait()
        answer = self.script.pop(0) if self.script else self.says
        if isinstance(answer, Exception):
            raise answer
        # One that is read as it comes.
        return httpx.Response(
            answer.status_code, stream=httpx.ByteStream(answer.content), headers=answer.headers
        )
