"""Sends the answer of a run: as server-sent events or whole, errors before and after the start.

Response classes of our own: Starlette's streaming puts a task group and a generator between a
token and the socket.
"""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any, Protocol

import structlog
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from kronk.shared.errors import Internal, KronkError
from kronk.shared.wire.to_gateway import Done

from . import errors
from .batch import Batch
from .body import disconnect_watch
from .exchange import Exchange
from .job import Job
from .middleware import direct_send
from .record import Record, record_of
from .run import Bell, Event, Run

log = structlog.get_logger()

_STREAM_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    # nginx would hold the events back otherwise.
    (b"x-accel-buffering", b"no"),
]


class Chunks(Protocol):
    """A dialect's way to write an answer as server-sent events."""

    def opening(self) -> bytes:
        """What is sent before the first event."""

    def event(self, event: Event) -> bytes:
        """What an event comes to; may be empty."""

    def closing(self, done: Done) -> bytes:
        """The rest of an answer that ended well."""


class Whole(Protocol):
    """A dialect's way to write an answer as one JSON object."""

    def add(self, event: Event) -> None:
        """Take note of an event."""

    def body(self, done: Done) -> dict[str, Any] | bytes:
        """The object, or its JSON, once the answer ended well."""


class RunResponse(Response):
    """Runs a job and answers with it. Nothing is sent before the worker has accepted it.

    `more` are jobs that share the answer, as `Batch` says.
    """

    def __init__(
        self, exchange: Exchange, name: str, job: Job, timeout: float, more: Sequence[Job] = ()
    ) -> None:
        super().__init__()
        self._exchange = exchange
        self._name = name
        self._timeout = timeout
        self._jobs = (job, *more)
        self._runs: list[Run] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        record = record_of(scope)
        record.model = self._jobs[0].model
        with ExitStack() as stack:
            bell = Bell()
            for job in self._jobs:
                running = self._exchange.running(self._name, job, self._timeout, bell)
                self._runs.append(stack.enter_context(running))
            source = self._runs[0] if len(self._runs) == 1 else Batch(self._runs, bell)
            async with disconnect_watch(receive, self._hang_up):
                await source.until_accepted()
                await self._answer(source, record, send, direct_send(scope, send))

    @abstractmethod
    async def _answer(
        self, source: Run | Batch, record: Record, send: Send, send_body: Send
    ) -> None: ...

    def _hang_up(self) -> None:
        for run in self._runs:
            self._exchange.hang_up(run)


class StreamResponse(RunResponse):
    """The answer as server-sent events."""

    def __init__(
        self,
        exchange: Exchange,
        name: str,
        job: Job,
        timeout: float,
        chunks: Chunks,
        more: Sequence[Job] = (),
    ) -> None:
        super().__init__(exchange, name, job, timeout, more)
        self._chunks = chunks

    async def _answer(
        self, source: Run | Batch, record: Record, send: Send, send_body: Send
    ) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": _STREAM_HEADERS})
        try:
            await _send_body(send_body, self._chunks.opening(), more=True)
            await self._send_events(source, record, send_body)
            done = source.result()
            record.tokens = done.usage.completion_tokens
            last = self._chunks.closing(done)
        except KronkError as error:
            record.error = error.code
            last = errors.event(error)
        except Exception:
            log.exception("unexpected exception in a stream")
            record.error = Internal.code
            last = errors.event(Internal("The server failed; its log says why"))
        await _send_body(send_body, last, more=False)

    async def _send_events(self, source: Run | Batch, record: Record, send: Send) -> None:
        chunk, runs, repay = self._chunks.event, self._runs, self._exchange.repay
        while events := await source.take():
            record.first_token()
            # One send for all that waited: a slow client gets fewer, larger writes.
            body = b"".join([chunk(event) for event in events])
            if body:
                await send({"type": "http.response.body", "body": body, "more_body": True})
            for run in runs:
                repay(run)


class WholeResponse(RunResponse):
    """The answer as one JSON object."""

    def __init__(
        self,
        exchange: Exchange,
        name: str,
        job: Job,
        timeout: float,
        whole: Whole,
        more: Sequence[Job] = (),
    ) -> None:
        super().__init__(exchange, name, job, timeout, more)
        self._whole = whole

    async def _answer(
        self, source: Run | Batch, record: Record, send: Send, send_body: Send
    ) -> None:
        while events := await source.take():
            record.first_token()
            for event in events:
                self._whole.add(event)
            for run in self._runs:
                self._exchange.repay(run)
        done = source.result()
        record.tokens = done.usage.completion_tokens
        body = self._whole.body(done)
        if not isinstance(body, bytes):
            body = json.dumps(body, ensure_ascii=False).encode()
        length = (b"content-length", b"%d" % len(body))
        headers = [(b"content-type", b"application/json"), length]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await _send_body(send_body, body, more=False)


async def _send_body(send: Send, body: bytes, *, more: bool) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": more})
