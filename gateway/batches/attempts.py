"""One request of a batch: run as its route would run it, and tried again where that may help."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable
from dataclasses import replace
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
    ModelFailed,
    Overloaded,
    Timeout,
)
from kronk.shared.wire.to_gateway import Done

from .lines import Line
from .patience import wait_before_retry
from .results import NoResponse, Response

log = structlog.get_logger()


async def answer(
    services: Services, make: Callable[[bytes], Operation], endpoint: str, line: Line
) -> Response | NoResponse:
    """What came of the request. Raises `ModelFailed` when its model cannot be loaded: that is not
    the request's fault, and no other would fare better."""
    request_id, attempts = new_name("req-"), 0
    while True:
        attempts += 1
        try:
            operation = await asyncio.to_thread(_operation, make, line.body)
            with structlog.contextvars.bound_contextvars(request_id=request_id):
                return Response(200, request_id, await _perform(services, operation))
        except KronkError as error:
            failure = error
        except Exception:
            log.exception("unexpected exception in a batch", line=line.number)
            failure = Internal("The server failed; its log says why")
        wait = wait_before_retry(failure, attempts, random.random())
        if wait is None:
            break
        log.debug("a line is tried again", line=line.number, code=failure.code, wait=wait)
        await asyncio.sleep(wait)
    if isinstance(failure, ModelFailed):
        raise failure
    if isinstance(failure, Timeout):
        return NoResponse("request_timeout", failure.message)
    body = envelope(failure, endpoint, request_id)
    return Response(failure.status, request_id, json.dumps(body, ensure_ascii=False).encode())


def _operation(make: Callable[[bytes], Operation], body: bytes) -> Operation:
    operation = make(body)
    if not isinstance(operation.sink, Whole):
        raise InvalidArgument("'stream': answers of a batch cannot be streamed", param="stream")
    return replace(operation, jobs=[replace(job, priority="batch") for job in operation.jobs])


async def _perform(services: Services, operation: Operation) -> bytes:
    assert isinstance(operation.sink, Whole), "checked when it was made"
    watched = _Watched(operation.sink)
    try:
        return await perform(services, replace(operation, sink=watched))
    except Timeout as error:
        if watched.has_begun:
            raise
        # All of its time went by in the queue.
        raise Overloaded(error.message) from error


class _Watched:
    """Knows whether a model has begun to answer."""

    def __init__(self, sink: Whole) -> None:
        self.has_begun = False
        self._sink = sink

    def add(self, event: Event) -> None:
        self.has_begun = True
        self._sink.add(event)

    def body(self, done: Done) -> dict[str, Any] | bytes:
        return self._sink.body(done)
