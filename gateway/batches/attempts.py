"""One request of a batch: run as its route would run it, and tried again where that may help."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import structlog

from kronk.gateway.access.admission import Admission, Outcome
from kronk.gateway.answer import perform
from kronk.gateway.dialects.errors import envelope
from kronk.gateway.operation import Operation, Whole
from kronk.gateway.operations import new_name
from kronk.gateway.run import Event
from kronk.gateway.services import Services
from kronk.shared.errors import (
    Internal,
    InvalidArgument,
    KronkError,
    ModelCrashed,
    ModelFailed,
    PromptQuarantined,
    Timeout,
)
from kronk.shared.security.identity import Identity
from kronk.shared.wire.to_gateway import Done
from kronk.shared.wire.values import Usage

from .endpoints import GATES, Maker
from .lines import Line
from .patience import wait_before_retry
from .records import Batch
from .results import NoResponse, Response
from .turns import Ward

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Desk:
    """What answering a batch's lines takes."""

    services: Services
    batch: Batch
    # Who made the batch, as far as that is true now.
    identity: Identity
    make: Maker
    ward: Ward


async def answer(desk: Desk, line: Line) -> Response | NoResponse:
    """What came of the request. Raises `ModelFailed` when its model cannot be loaded: that is not
    the request's fault, and no other would fare better."""
    bill = _Bill(desk, line)
    try:
        return await _answer(desk, line, bill)
    finally:
        bill.settle()


async def _answer(desk: Desk, line: Line, bill: _Bill) -> Response | NoResponse:
    request_id, attempts, place = new_name("req-"), 0, desk.ward.beside_others
    failure: KronkError | None = None
    while True:
        attempts += 1
        try:
            await bill.open()
            operation = await asyncio.to_thread(_operation, desk.make, line.body)
            async with place():
                with structlog.contextvars.bound_contextvars(request_id=request_id):
                    body = await _perform(desk, operation, bill, request_id)
                    bill.note_end(None)
                    return Response(200, request_id, body)
        except PromptQuarantined as error:
            # The attempt before says more.
            failure = failure if isinstance(failure, ModelCrashed) else error
            break
        except KronkError as error:
            failure = error
        except Exception:
            log.exception("unexpected exception in a batch", line=line.number)
            failure = Internal("The server failed; its log says why")
        wait = wait_before_retry(failure, attempts, random.random())
        if wait is None:
            break
        log.debug("a line is tried again", line=line.number, code=failure.code, wait=wait)
        if isinstance(failure, ModelCrashed):
            place = desk.ward.alone
        await asyncio.sleep(wait)
    bill.note_end(failure)
    if isinstance(failure, ModelFailed):
        raise failure
    if isinstance(failure, Timeout):
        return NoResponse("request_timeout", failure.message)
    said = envelope(failure, desk.batch.endpoint, request_id)
    return Response(failure.status, request_id, json.dumps(said, ensure_ascii=False).encode())


class _Bill:
    """What a line costs who made the batch: a request of its endpoint, however often it is tried.

    A line that was charged and has no end, because the gateway was killed, is not charged when it
    runs again.
    """

    def __init__(self, desk: Desk, line: Line) -> None:
        self._desk = desk
        self._line = line
        self._admission: Admission | None = None
        self._usage = Usage(0, 0)
        # Nothing came of it unless somebody says so: it will run again, or never.
        self._end: tuple[int | None, str | None] = (None, "cut_off")

    async def open(self) -> None:
        """Raises why the line may not be run, as its route would."""
        batch, services, identity = self._desk.batch, self._desk.services, self._desk.identity
        gate = GATES[batch.endpoint]
        if self._admission is None:
            self._admission = await services.access.admit_again(
                identity, gate, f"{batch.id}/{self._line.number}"
            )
        else:
            # It may have waited for hours since.
            await services.access.check(identity, gate)
        self._admission.check_model(self._line.model, services.configs)

    def note_usage(self, usage: Usage) -> None:
        """What the answer has taken."""
        self._usage = usage

    def note_end(self, failure: KronkError | None) -> None:
        """What came of it."""
        self._end = (200, None) if failure is None else (failure.status, failure.code)

    def settle(self) -> None:
        """It is over."""
        if self._admission is not None:
            usage = self._usage
            self._admission.settle(
                Outcome(*self._end, usage.prompt_tokens, usage.completion_tokens)
            )


def _operation(make: Callable[[bytes], Operation], body: bytes) -> Operation:
    operation = make(body)
    if not isinstance(operation.sink, Whole):
        raise InvalidArgument("'stream': answers of a batch cannot be streamed", param="stream")
    return replace(operation, jobs=[replace(job, priority="batch") for job in operation.jobs])


async def _perform(desk: Desk, operation: Operation, bill: _Bill, name: str) -> bytes:
    """As `perform`; only the answering may take as long as the server allows, not the waiting."""
    assert isinstance(operation.sink, Whole), "checked when it was made"
    services, loop = desk.services, asyncio.get_running_loop()
    seconds = services.settings.write_timeout
    try:
        async with asyncio.timeout(None) as deadline:

            def begin() -> None:
                if seconds:
                    deadline.reschedule(loop.time() + seconds)

            watched = _Watched(operation.sink, begin, bill.note_usage)
            watching = replace(operation, sink=watched)
            return await perform(services, watching, desk.identity, name)
    except TimeoutError as error:
        raise Timeout(f"the answer took longer than the server allows ({seconds:g} s)") from error


class _Watched:
    """Says when a model begins to answer, and what the answer has taken."""

    def __init__(
        self, sink: Whole, begin: Callable[[], None], note_usage: Callable[[Usage], None]
    ) -> None:
        self._sink = sink
        self._begin: Callable[[], None] | None = begin
        self._note_usage = note_usage

    def add(self, event: Event) -> None:
        if self._begin is not None:
            self._begin()
            self._begin = None
        self._sink.add(event)

    def body(self, done: Done) -> dict[str, Any] | bytes:
        self._note_usage(done.usage)
        return self._sink.body(done)
