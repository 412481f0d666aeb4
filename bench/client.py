"""A streaming client that costs next to nothing: the cores belong to what is measured."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Stream:
    """One streamed answer: when it was asked for and when each piece of text came."""

    started: float
    times: list[float]
    completion_tokens: int


async def stream_chat(host: str, port: int, body: dict[str, Any]) -> Stream:
    """POST a chat with `stream` on, over a connection of its own."""
    data = json.dumps(body | {"stream": True, "stream_options": {"include_usage": True}}).encode()
    started = time.perf_counter()
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n"
        b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(data) + data
    )
    status = await reader.readline()
    if b" 200 " not in status:
        raise RuntimeError(f"{status!r} {await reader.read(2000)!r}")
    times: list[float] = []
    usage = 0
    async for line in reader:
        if b'"content":"' in line and b'"content":""' not in line:
            times.append(time.perf_counter())
        elif b'"usage":{' in line:
            usage = json.loads(line.removeprefix(b"data: "))["usage"]["completion_tokens"]
        elif b'"error"' in line:
            raise RuntimeError(line.decode())
    writer.close()
    return Stream(started, times, usage)
