"""Reading a request: its body within bounds, and after that the news that the client left."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.types import Receive

from kronk.shared.errors import Timeout, TooLarge

from .run import ClientGone

T = TypeVar("T")

# A chat of a million tokens is about 4 MB; the wire's frames end at 64 MB.
MAX_BODY_BYTES = 32 * 1024 * 1024
# Parsing this much takes a millisecond or two; more would be felt by the streams of others.
LARGE_BYTES = 256 * 1024
# In the scope of a request: how long a client may be silent in its body, in seconds; 0 is for ever.
READ_TIMEOUT = "kronk.read_timeout"
# The least that a body must come at on average, so that no client dribbles for ever: Apache's.
_BYTES_PER_SECOND = 500.0


async def read_body(request: Request, limit: int = MAX_BODY_BYTES) -> bytes:
    """The whole body; `TooLarge` as soon as it is known to be over the limit."""
    too_large = TooLarge(f"The body is larger than the limit of {limit} bytes")
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limit:
        raise too_large
    body = bytearray()
    async for part in body_parts(request):
        body += part
        if len(body) > limit:
            raise too_large
    return bytes(body)


async def body_parts(request: Request) -> AsyncIterator[bytes]:
    """The body as it arrives; raises when the client is silent for too long, too slow, or gone."""
    loop = asyncio.get_running_loop()
    seconds: float = request.scope.get(READ_TIMEOUT, 0.0)
    # What the client may still keep us waiting, all in all. How long we take ourselves, for a disk,
    # is not the client's fault.
    left = seconds
    more = True
    while more:
        asked = loop.time()
        try:
            async with asyncio.timeout(min(seconds, left) if seconds else None):
                message = await request.receive()
        except TimeoutError as error:
            raise Timeout(
                f"The body did not arrive: nothing came for {seconds:g} s (--read-timeout), or it "
                f"came at less than {_BYTES_PER_SECOND:g} bytes a second"
            ) from error
        if message["type"] == "http.disconnect":
            raise ClientGone("the client closed the connection in the middle of its request")
        part = message.get("body", b"")
        left += len(part) / _BYTES_PER_SECOND - (loop.time() - asked)
        yield part
        more = message.get("more_body", False)


async def parse_body(
    request: Request,
    parse: Callable[[bytes], T],
    is_slow: Callable[[bytes], bool] = lambda body: False,
) -> T:
    """What `parse` makes of the body; in a thread where that takes time, which it does where the
    body is large or `is_slow` says so."""
    body = await read_body(request)
    if len(body) < LARGE_BYTES and not is_slow(body):
        return parse(body)
    return await asyncio.to_thread(parse, body)


@asynccontextmanager
async def disconnect_watch(receive: Receive, act: Callable[[], object]) -> AsyncIterator[None]:
    """Call `act` if the client goes away while the block runs."""

    async def watch() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        act()

    task = asyncio.create_task(watch(), name="disconnect-watch")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def while_connected(receive: Receive, work: Coroutine[Any, Any, T]) -> T:
    """What `work` comes to; it is cancelled if the client goes away, and that is `ClientGone`."""
    task = asyncio.create_task(work, name="while-connected")
    try:
        async with disconnect_watch(receive, task.cancel):
            await asyncio.wait([task])
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    if task.cancelled():
        raise ClientGone("the client closed the connection")
    return task.result()
