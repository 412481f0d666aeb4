"""A pull as Ollama's clients watch it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from kronk.gateway.body import while_connected
from kronk.gateway.dialects.errors import ollama
from kronk.gateway.dialects.ollama.answer import NDJSON
from kronk.gateway.dialects.ollama.pull import SUCCESS, status
from kronk.gateway.dialects.sse import compact
from kronk.gateway.run import ClientGone
from kronk.shared.errors import KronkError, Overloaded, ServerError, from_code

from .records import Job, State
from .response import Check
from .store import Jobs

# Its clients take no empty lines, so silence is the same line again.
_QUIET_SECONDS = 10.0


class PullStream(Response):
    """A line for each change of a job, then `success` or why it failed."""

    def __init__(self, jobs: Jobs, job: Job, check: Check) -> None:
        """`check` as of `JobStream`."""
        super().__init__()
        self._check = check
        self._jobs = jobs
        self._job = job

    async def until_done(self) -> None:
        """Raises what it failed with."""
        async for _ in self._lines():
            pass

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-type", NDJSON.encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        # Who leaves ends nothing but the watching.
        with contextlib.suppress(ClientGone):
            await while_connected(receive, self._tell(send))

    async def _tell(self, send: Send) -> None:
        try:
            async for line in self._lines():
                await send({"type": "http.response.body", "body": _line(line), "more_body": True})
            last = SUCCESS
        except KronkError as error:
            last = ollama(error)
        await send({"type": "http.response.body", "body": _line(last), "more_body": False})

    async def _lines(self) -> AsyncIterator[dict[str, Any]]:
        job = self._job
        async for news in self._jobs.board.changes(job, _QUIET_SECONDS):
            await self._check()
            if news is None:
                await self._jobs.look_again(job.id)
            else:
                job = news.job
            if not job.is_over:
                yield status(job.target, job.phase, job.done_bytes, job.total_bytes)
        _raise_unless_done(job)


def _raise_unless_done(job: Job) -> None:
    if job.state is State.DONE:
        return
    if job.state is State.CANCELLED:
        raise ServerError(f"job {job.id} was cancelled")
    if job.error is not None and job.state is State.FAILED:
        raise from_code(job.error.code, job.error.message)
    raise Overloaded(f"the server is stopped; job {job.id} goes on when it is started again")


def _line(value: dict[str, Any]) -> bytes:
    return f"{compact(value)}\n".encode()
