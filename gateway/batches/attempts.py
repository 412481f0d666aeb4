"""One request of a batch: run as its route would run it, and tried again where that may help."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import structlog

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
from kronk.shared.wire.to_gateway import Done

from .lines import Line
from .patience import wait_before_retry
from .results import NoResponse, Response
from .turns import Ward

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Desk:
    """What answering a batch's lines takes."""

    services: Services
    endpoint: str
    make: Callable[[bytes], Operation]
    ward: Ward


async def answer(desk: Desk, line: Line) -> Response | NoResponse:
    """What came of the request. Raises `ModelFailed` when its model cannot be loaded: that is not
    the request's fault, and no other would fare better."""
    request_id, attempts, place = new_name("req-"), 0, desk.ward.beside_others
    failure: KronkError | None = None
    while True:
        attempts += 1
        try:
            operation = await asyncio.to_thread(_operation, desk.make, line.body)
            async with place():
                with structlog.contextvars.bound_contextvars(request_id=request_id):
                    return Response(200, request_id, await _perform(desk.services, operation))
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
    if isinstance(failure, ModelFailed):
        raise failure
    if isinstance(failure, Timeout):
        return NoResponse("request_timeout", failure.message)
    body = envelope(failure, desk.endpoint, request_id)
    return Response(failure.status, request_id, json.dumps(body, ensure_ascii=False).encode())


def _operation(make: Callable[[bytes], Operation], body: bytes) -> Operation:
    operation = make(body)
    if not isinstance(operation.sink, Whole):
        raise InvalidArgument("'stream': answers of a batch cannot be streamed", param="stream")
    return replace(operation, jobs=[replace(job, priority="batch") for job in operation.jobs])


async def _perform(services: Services, operation: Operation) -> bytes:
    """As `perform`; only the answering may take as long as the server allows, not the waiting."""
    assert isinstance(operation.sink, Whole), "checked when it was made"
    seconds, loop = services.settings.write_timeout, asyncio.get_running_loop()
    try:
        async with asyncio.timeout(None) as deadline:

            def begin() -> None:
                if seconds:
                    deadline.reschedule(loop.time() + seconds)

            watched = _Watched(operation.sink, begin)
            return await perform(services, replace(operation, sink=watched))
    except TimeoutError as error:
        raise Timeout(f"the answer took longer than the server allows ({seconds:g} s)") from error


class _Watched:
    """Says when a model begins to answer."""

    def __init__(self, sink: Whole, begin: Callable[[], None]) -> None:
        self._sink = sink
        self._begin: Callable[[], None] | None = begin

    def add(self, event: Event) -> None:
        if self._begin is not None:
            self._begin()
            self._begin = None
        self._sink.add(event)

    def body(self, done: Done) -> dict[str, Any] | bytes:
        return self._sink.body(done)
