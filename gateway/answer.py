"""Carries out an operation: its answer streamed or whole, errors before and after the start.

Response classes of our own: Starlette's streaming puts a task group and a generator between a
token and the socket.
"""

from __future__ import annotations

import asyncio
import json
from abc import abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace

import structlog
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from kronk.shared.errors import Internal, KronkError
from kronk.shared.security.identity import Identity
from kronk.shared.telemetry.trace_context import TraceContext
from kronk.shared.wire.to_gateway import Started

from .access_line import facts_of_runs
from .bell import Bell
from .body import disconnect_watch, while_connected
from .dialects.media import linked
from .dialects.sse import comment
from .exchange import Exchange
from .job import Job
from .joined_runs import JoinedRuns
from .middleware import Parts, direct_parts, direct_send
from .operation import Chunks, Operation, Whole, is_stream
from .record import Record, record_of
from .responses.shortening import shortened
from .run import Event, Run
from .services import Services
from .standing import words
from .tracing.stages import stage

log = structlog.get_logger()


def respond(services: Services, operation: Operation) -> Response:
    """The response that runs `operation` and answers with it."""
    sink = operation.sink
    if is_stream(sink):
        return StreamResponse(services, operation, sink)
    return WholeResponse(services, operation, sink)


async def perform(
    services: Services,
    operation: Operation,
    by: Identity,
    name: str,
    endpoint: str = "batches",
) -> bytes:
    """The JSON of an answer that nobody waits for, however long it has to queue; raises what it
    failed with. Its caller may end it by leaving. `by` is who asked for it, `name` what the log
    knows it by, `endpoint` what it counts as."""
    sink = operation.sink
    assert isinstance(sink, Whole), "only whole answers have an object"
    if _is_unfinished(operation):
        operation = await _finished(services, operation, 0.0, by, name)
    with _started(services, operation, 0.0, by, name, None, endpoint) as work:
        await work.source.until_accepted()
        return await _collect(work, operation, sink, None)


@dataclass(frozen=True, slots=True)
class _Work:
    """The runs of one operation."""

    exchange: Exchange
    runs: list[Run]
    source: Run | JoinedRuns

    def hang_up(self) -> None:
        for run in self.runs:
            self.exchange.hang_up(run)

    def repay(self) -> None:
        for run in self.runs:
            if run.is_due:
                self.exchange.repay(run)

    def taken(self) -> tuple[int, int]:
        """Tokens of prompts and answers, as far as they came."""
        return (
            sum(run.prompt_tokens for run in self.runs),
            sum(run.completion_tokens for run in self.runs),
        )


@contextmanager
def _started(
    services: Services,
    operation: Operation,
    timeout: float,
    by: Identity,
    name: str,
    record: Record | None,
    endpoint: str = "",
) -> Iterator[_Work]:
    """The operation's runs while the block runs. Without a record, which knows its endpoint, nobody
    waits for them."""
    exchange, runs = services.link.exchange, list[Run]()
    endpoint = endpoint if record is None else record.endpoint
    try:
        with ExitStack() as stack:
            bell = Bell(exchange.turn)
            for job in operation.jobs:
                trace = _new_trace(services, endpoint) if record is None else record.trace
                running = exchange.running(
                    name, job, timeout, bell, by=by, endpoint=endpoint, trace=trace
                )
                runs.append(stack.enter_context(running))
            yield _Work(exchange, runs, runs[0] if len(runs) == 1 else JoinedRuns(runs, bell))
    finally:
        reports = [run.report for run in runs if run.report is not None]
        if record is not None:
            record.reports += reports
        elif reports:
            # Their batch may have ten thousand of them.
            log.debug("request of a batch", request_id=name, **facts_of_runs(reports))


def _new_trace(services: Services, endpoint: str) -> TraceContext | None:
    """Of a run that belongs to no request; the server's own are of no interest to others."""
    make = services.telemetry.new_trace
    return make() if make is not None and endpoint == "batches" else None


def _is_unfinished(operation: Operation) -> bool:
    """Whether its jobs cannot be run as they are."""
    return linked(operation.jobs) or operation.overlong == "shorten"


async def _finished(
    services: Services, operation: Operation, seconds: float, by: Identity, name: str
) -> Operation:
    jobs: Sequence[Job] = operation.jobs
    if linked(jobs):
        fetched = await asyncio.to_thread(_fetched)
        jobs = await fetched(jobs, services.settings.media_urls)
    if operation.overlong == "shorten":
        jobs = [await shortened(services.link, name, job, seconds, by) for job in jobs]
    return replace(operation, jobs=jobs)


def _fetched() -> Callable[[Sequence[Job], tuple[str, ...]], Awaitable[Sequence[Job]]]:
    """What fetches files, imported when the first is asked for: it takes an HTTP client."""
    from .media.fetch import fetched

    return fetched


def _note_token(record: Record, events: Sequence[Event]) -> None:
    """A request that got its slot has no token yet."""
    if any(type(event) is not Started for event in events):
        record.first_token()


async def _collect(work: _Work, operation: Operation, whole: Whole, record: Record | None) -> bytes:
    """The whole answer of accepted runs."""

    def add(events: Sequence[Event]) -> None:
        if record is not None and record.ttft is None:
            _note_token(record, events)
        for event in events:
            whole.add(event)
        work.repay()

    def add_now() -> bool:
        if work.source.has_ended:
            return False
        add(work.source.take_now())
        return True

    while events := await work.source.take(add_now):
        add(events)
    done = work.source.result()
    if record is not None:
        record.note_usage(done.usage)
    body = whole.body(done)
    if operation.settle is not None:
        await operation.settle()
    return body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()


class _RunResponse(Response):
    """Runs an operation and answers with it."""

    def __init__(self, services: Services, operation: Operation) -> None:
        super().__init__()
        self._services = services
        self._operation = operation
        self._parts: Parts | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        record = record_of(scope)
        record.model, record.answer_id = self._operation.jobs[0].model, self._operation.name
        assert record.admission is not None, "nothing is run for who was not let in"
        for job in self._operation.jobs:
            record.admission.check_model(job.model, self._services.configs)
            if job.ask is None and job.ttl == 0:
                record.admission.check_unload()
        self._parts = direct_parts(scope)
        answering = self._answer(record, receive, send, direct_send(scope, send))
        # A token that wakes this task would go through all the layers it is called by.
        await asyncio.create_task(answering, name="answer")

    @abstractmethod
    async def _answer(
        self, record: Record, receive: Receive, send: Send, send_body: Send
    ) -> None: ...

    @asynccontextmanager
    async def _working(self, receive: Receive, record: Record) -> AsyncIterator[_Work]:
        """The operation's runs, which end with the block or when the client goes away."""
        timeout = self._services.settings.write_timeout
        assert record.admission is not None, "nothing is run for who was not let in"
        by, name = record.admission.identity, record.request_id
        if _is_unfinished(self._operation):
            with stage("prepare"):
                finishing = _finished(self._services, self._operation, timeout, by, name)
                self._operation = await while_connected(receive, finishing)
        with _started(self._services, self._operation, timeout, by, name, record) as work:
            try:
                async with disconnect_watch(receive, work.hang_up):
                    yield work
            finally:
                record.resumed = sum(run.attempts - 1 for run in work.runs) or None
                # An answer that is not cut off says better what it has taken.
                record.note_taken(*work.taken())


class WholeResponse(_RunResponse):
    """The answer as one JSON object; nothing is sent before it is complete."""

    def __init__(self, services: Services, operation: Operation, whole: Whole) -> None:
        super().__init__(services, operation)
        self._whole = whole

    async def _answer(self, record: Record, receive: Receive, send: Send, send_body: Send) -> None:
        async with self._working(receive, record) as work:
            await work.source.until_accepted()
            body = await _collect(work, self._operation, self._whole, record)
        length = (b"content-length", b"%d" % len(body))
        headers = [(b"content-type", self._operation.media_type.encode()), length]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send_body({"type": "http.response.body", "body": body, "more_body": False})


class StreamResponse(_RunResponse):
    """The answer as a stream.

    It starts when the worker has accepted the request, so that what is wrong with it is a real
    4xx; or with the first keep-alive, when a model's load or a full queue takes that long.
    """

    def __init__(self, services: Services, operation: Operation, chunks: Chunks) -> None:
        super().__init__(services, operation)
        self._chunks = chunks

    async def _answer(self, record: Record, receive: Receive, send: Send, send_body: Send) -> None:
        outlet = _Outlet(send, send_body, self._chunks.media_type)
        seconds = self._services.settings.stream_keepalive
        keep_alive, waiting = self._chunks.keep_alive, list[Run]()
        pacemaker = _pacemaker(
            outlet, lambda: _standing_comment(waiting) + keep_alive, seconds if keep_alive else 0
        )
        try:
            # Both are left before anything is decided by whether the answer has started.
            async with pacemaker, self._working(receive, record) as work:
                waiting += work.runs
                await work.source.until_accepted()
                await outlet.send(self._chunks.opening())
                await self._send_events(work, record, outlet)
                done = work.source.result()
            record.note_usage(done.usage)
            last = self._chunks.closing(done)
            await self._settle()
        except KronkError as error:
            if not outlet.has_started:
                raise
            last = await self._failed(error, record)
        except Exception:
            if not outlet.has_started:
                raise
            log.exception("unexpected exception in a stream")
            last = await self._failed(Internal("The server failed; its log says why"), record)
        await outlet.end(last)

    async def _settle(self) -> None:
        if self._operation.settle is not None:
            await self._operation.settle()

    async def _failed(self, error: KronkError, record: Record) -> bytes:
        record.note_error(error)
        last = self._chunks.failure(error)
        try:
            await self._settle()
        except Exception:
            # It may be why the stream failed; the client hears of one error.
            log.exception("what came of a failed stream cannot be kept")
        return last

    async def _send_events(self, work: _Work, record: Record, outlet: _Outlet) -> None:
        chunk, source, repay, parts = self._chunks.event, work.source, work.repay, self._parts

        def written(events: Sequence[Event]) -> bytes:
            if record.ttft is None:
                _note_token(record, events)
            # One part for all that waited: a slow client gets fewer, larger writes.
            return b"".join([chunk(event) for event in events])

        def send_now() -> bool:
            if parts is None or source.has_ended or not parts.has_room:
                return False
            if body := written(source.take_now()):
                outlet.sends += 1
                parts.write(body)
            repay()
            return True

        while events := await source.take(send_now):
            if body := written(events):
                await outlet.send(body)
            repay()


class _Outlet:
    """A response that starts with the first thing sent, whichever of two tasks sends it."""

    def __init__(self, send: Send, send_body: Send, media_type: str) -> None:
        # Its head is written: an error cannot become a status any more.
        self.has_started = False
        # Grows with each send, and with each part that is written past it.
        self.sends = 0
        self._starting = asyncio.Lock()
        self._send = send
        self._send_body = send_body
        self._headers = [
            (b"content-type", media_type.encode()),
            (b"cache-control", b"no-cache"),
            # nginx would hold the events back otherwise.
            (b"x-accel-buffering", b"no"),
        ]

    async def send(self, body: bytes) -> None:
        """Send a part; returns once the client has room for more."""
        self.sends += 1
        if not self.has_started:
            await self._start()
        await self._send_body({"type": "http.response.body", "body": body, "more_body": True})

    async def end(self, body: bytes) -> None:
        """Send the last part of an answer that has started."""
        await self._send_body({"type": "http.response.body", "body": body, "more_body": False})

    async def _start(self) -> None:
        async with self._starting:
            if not self.has_started:
                start = {"type": "http.response.start", "status": 200, "headers": self._headers}
                await self._send(start)
                self.has_started = True


@asynccontextmanager
async def _pacemaker(
    outlet: _Outlet, keep_alive: Callable[[], bytes], seconds: float
) -> AsyncIterator[None]:
    """Send what keeps it alive whenever nothing was sent for that long; 0 is never."""
    if not seconds:
        yield
        return
    task = asyncio.create_task(_beat(outlet, keep_alive, seconds), name="keep-alive")
    try:
        yield
    finally:
        # The server writes a part whole or, while the client has no room, not at all.
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _beat(outlet: _Outlet, keep_alive: Callable[[], bytes], seconds: float) -> None:
    while True:
        before = outlet.sends
        await asyncio.sleep(seconds)
        if outlet.sends == before:
            await outlet.send(keep_alive())


def _standing_comment(runs: Iterable[Run]) -> bytes:
    """How the first of them that waits for its model is doing, where that is known."""
    standings = (run.standing for run in runs if run.standing is not None)
    standing = next(standings, None)
    return b"" if standing is None else comment(words(standing))
