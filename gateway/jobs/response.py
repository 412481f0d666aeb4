"""The events of one job, to as many as want to see them."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from kronk.gateway.body import while_connected
from kronk.gateway.dialects.errors import openai
from kronk.gateway.dialects.sse import COMMENT, EVENT_STREAM, NO_MORE, sse
from kronk.gateway.run import ClientGone
from kronk.shared.errors import KronkError

from .records import Job
from .store import Jobs

Check = Callable[[], Awaitable[None]]


class JobStream(Response):
    """An event for each change, to the end of the job. Without the closing `[DONE]` the server
    ended before the job did."""

    def __init__(self, jobs: Jobs, job: Job, keep_alive: float, check: Check) -> None:
        """`keep_alive` is how long it may be silent, in seconds; 0 is for ever. `check` is asked
        with each event whether the watcher may still watch, and raises if not."""
        super().__init__()
        self._check = check
        self._jobs = jobs
        self._job = job
        self._keep_alive = keep_alive

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [
            (b"content-type", EVENT_STREAM.encode()),
            (b"cache-control", b"no-cache"),
            (b"x-accel-buffering", b"no"),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        # Who leaves ends nothing but the watching.
        with contextlib.suppress(ClientGone):
            await while_connected(receive, self._tell(send))

    async def _tell(self, send: Send) -> None:
        last = b""
        try:
            async for news in self._jobs.board.changes(self._job, self._keep_alive):
                await self._check()
                if news is None:
                    await self._jobs.look_again(self._job.id)
                event = COMMENT if news is None else news.event
                await send({"type": "http.response.body", "body": event, "more_body": True})
                if news is not None and news.job.is_over:
                    last = NO_MORE
        except KronkError as error:
            last = sse(openai(error))
        await send({"type": "http.response.body", "body": last, "more_body": False})
