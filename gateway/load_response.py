"""Waits for a load that an operator asked for, and streams how far it is."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from kronk.shared.errors import KronkError
from kronk.shared.security.identity import Identity

from .body import disconnect_watch
from .dialects.errors import openai
from .dialects.sse import COMMENT, EVENT_STREAM, NO_MORE, sse
from .job import load
from .link import Link
from .managing import loaded_object, progress_object
from .record import record_of
from .run import Run

# The supervisor bounds every load, and says more than a limit of ours could.
_NO_LIMIT = 0.0
_STATUS_SECONDS = 2.0


async def until_loaded(
    link: Link, name: str, model: str, ttl: float | None, by: Identity
) -> dict[str, Any]:
    """The answer once the model is loaded, for `by`; raises why it is not. `name` is what the log
    knows the request by."""
    began = time.monotonic()
    job = load(model, ttl)
    with link.exchange.running(name, job, _NO_LIMIT, by=by) as run:
        await run.take()
        run.result()
    return await _loaded(link, model, time.monotonic() - began)


async def _loaded(link: Link, model: str, seconds: float) -> dict[str, Any]:
    rows = (await link.status(_STATUS_SECONDS)).models
    return loaded_object(model, seconds, any(row.model == model and row.pinned for row in rows))


class LoadStream(Response):
    """Events of a load's progress, then one of its end. What fails before the first is a status."""

    def __init__(self, link: Link, model: str, ttl: float | None, keep_alive: float) -> None:
        """`keep_alive` is how long it may be silent, in seconds; 0 is for ever."""
        super().__init__()
        self._link = link
        self._model = model
        self._ttl = ttl
        self._keep_alive = keep_alive

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        record = record_of(scope)
        record.model = self._model
        began, exchange = time.monotonic(), self._link.exchange
        job, by = load(self._model, self._ttl), record.identity
        assert by is not None, "nothing is run for who was not let in"
        with exchange.running(record.request_id, job, _NO_LIMIT, by=by) as run:
            async with disconnect_watch(receive, lambda: exchange.hang_up(run)):
                await self._news(run)
                if isinstance(run.ended, KronkError):
                    raise run.ended
                await _start(send)
                await self._tell(run, send)
        try:
            run.result()
            loaded = await _loaded(self._link, self._model, time.monotonic() - began)
            last = sse(loaded) + NO_MORE
        except KronkError as error:
            record.note_error(error)
            last = sse(openai(error))
        await send({"type": "http.response.body", "body": last, "more_body": False})

    async def _tell(self, run: Run, send: Send) -> None:
        told = None
        while run.ended is None:
            event = COMMENT
            if run.standing is not None and run.standing != told:
                told = run.standing
                event = sse(progress_object(self._model, told))
            await send({"type": "http.response.body", "body": event, "more_body": True})
            await self._news(run)

    async def _news(self, run: Run) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._keep_alive or None):
                await run.until_news()


async def _start(send: Send) -> None:
    headers = [
        (b"content-type", EVENT_STREAM.encode()),
        (b"cache-control", b"no-cache"),
        (b"x-accel-buffering", b"no"),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
