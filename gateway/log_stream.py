"""New lines of the log as events, to those who watch it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from kronk.shared.errors import KronkError, Overloaded
from kronk.shared.logbook.query import Query
from kronk.shared.logbook.reader import Reader

from .body import while_connected
from .dialects.errors import openai
from .dialects.sse import COMMENT, EVENT_STREAM, NO_MORE, sse
from .run import ClientGone

# Each looks at a file so often.
MOST_WATCHERS = 16
_POLL_SECONDS = 0.5


class Watchers:
    """How many there are, of one gateway."""

    def __init__(self) -> None:
        self.count = 0

    def check(self) -> None:
        """Raise `Overloaded` where there are enough."""
        if self.count >= MOST_WATCHERS:
            raise Overloaded(f"{MOST_WATCHERS} others watch the log already", retry_after=30.0)


class LogStream(Response):
    """The last lines, then each new one, until the watcher leaves, may watch no more, or the
    server ends. `reader` is closed with it."""

    def __init__(
        self,
        reader: Reader,
        query: Query,
        count: int,
        *,
        watchers: Watchers,
        keep_alive: float,
        check: Callable[[], Awaitable[None]],
        draining: asyncio.Event,
    ) -> None:
        """`keep_alive` is how long it may be silent, in seconds; 0 is for ever. `check` raises
        where the watcher may not watch any more."""
        super().__init__()
        self._reader = reader
        self._query = query
        self._count = count
        self._watchers = watchers
        self._keep_alive = keep_alive
        self._check = check
        self._draining = draining

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [
            (b"content-type", EVENT_STREAM.encode()),
            (b"cache-control", b"no-cache"),
            (b"x-accel-buffering", b"no"),
        ]
        self._watchers.count += 1
        try:
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            # Who leaves ends nothing but the watching.
            with contextlib.suppress(ClientGone):
                await while_connected(receive, self._tell(send))
        finally:
            self._watchers.count -= 1
            self._reader.close()

    async def _tell(self, send: Send) -> None:
        last = NO_MORE
        try:
            await self._watch(send)
        except KronkError as error:
            last = sse(openai(error))
        await send({"type": "http.response.body", "body": last, "more_body": False})

    async def _watch(self, send: Send) -> None:
        lines = await asyncio.to_thread(self._reader.last, self._count, self._query)
        said = 0.0
        while not self._draining.is_set():
            if lines or self._is_due(said):
                await self._check()
                body = b"".join(b"data: %s\n\n" % line.encode() for line in lines) or COMMENT
                await send({"type": "http.response.body", "body": body, "more_body": True})
                said = time.monotonic()
            await asyncio.sleep(_POLL_SECONDS)
            lines = await asyncio.to_thread(self._reader.more, self._query)

    def _is_due(self, said: float) -> bool:
        return bool(self._keep_alive) and time.monotonic() - said >= self._keep_alive
