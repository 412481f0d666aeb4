"""Many clients at once, each on a connection of its own, without a thread for each."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass

from .server import Server, chat_body
from .waiting import PATIENCE


@dataclass(frozen=True, slots=True)
class Answer:
    """What one client was told."""

    start: int
    status: int
    text: str
    retry_after: int | None


def ask_all(server: Server, model: str, starts: Iterable[int], tokens: int) -> list[Answer]:
    """All of them ask at the same time; returns when the last has its answer."""
    return asyncio.run(_ask_all(server.port, model, list(starts), tokens))


async def _ask_all(port: int, model: str, starts: list[int], tokens: int) -> list[Answer]:
    async with asyncio.timeout(2 * PATIENCE):
        return await asyncio.gather(*(_ask(port, model, start, tokens) for start in starts))


async def _ask(port: int, model: str, start: int, tokens: int) -> Answer:
    body = json.dumps(chat_body(model, f"from {start % 900}", max_tokens=tokens)).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        head = (
            "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode() + body)
        answer = await reader.read()
    finally:
        writer.close()
        await writer.wait_closed()
    return _parse(start, answer)


def _parse(start: int, answer: bytes) -> Answer:
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    status = int(first.split()[1])
    said = json.loads(body)
    text = said["choices"][0]["message"]["content"] if status == 200 else said["error"]["message"]
    after = headers.get("retry-after")
    return Answer(start, status, text, int(after) if after else None)
