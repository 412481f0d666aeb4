"""Parts of a request's way that are measured where they happen: who may, calls to other servers.

The request's task has its trace at hand (`CURRENT`), and what it starts has it too. Where nothing
is traced, a stage costs one look at that.
"""

from __future__ import annotations

import time
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import TracebackType

from kronk.shared.errors import KronkError
from kronk.shared.telemetry.trace_context import TraceContext

from .incoming import RequestTrace
from .spans import Attributes, Kind, Value, new_span_id

# Of what one request may make others do, such as fetching files.
MOST_STAGES = 64


@dataclass(slots=True)
class Stage:
    """A span in the making. Times are monotonic seconds."""

    name: str
    kind: Kind
    span_id: str
    parent_id: str
    began: float
    ended: float
    attributes: dict[str, Value] = field(default_factory=dict)
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a request's trace the code is that runs now."""

    trace: RequestTrace
    # The span that what comes next belongs under.
    span_id: str


CURRENT: ContextVar[Place | None] = ContextVar("place in a trace", default=None)


class stage:
    """A context manager: what is done in it is a span. An exception that leaves it is its error."""

    __slots__ = ("_attributes", "_kind", "_name", "_outer", "_stage")

    def __init__(
        self, name: str, attributes: Attributes | None = None, kind: Kind = "internal"
    ) -> None:
        self._name = name
        self._kind: Kind = kind
        self._attributes = attributes
        self._stage: Stage | None = None

    def __enter__(self) -> stage:
        self._outer = CURRENT.get()
        if self._outer is not None:
            self._begin(self._outer)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if self._stage is None:
            return
        CURRENT.set(self._outer)
        self._stage.ended = time.monotonic()
        if error is not None:
            self._stage.error = error_type(error)

    def note(self, name: str, value: Value) -> None:
        """An attribute that is known by now."""
        if self._stage is not None:
            self._stage.attributes[name] = value

    def _begin(self, outer: Place) -> None:
        trace = outer.trace
        if not trace.context.sampled or len(trace.stages) >= MOST_STAGES:
            return
        now = time.monotonic()
        span_id = new_span_id()
        attributes = dict(self._attributes or {})
        self._stage = Stage(self._name, self._kind, span_id, outer.span_id, now, now, attributes)
        trace.stages.append(self._stage)
        CURRENT.set(Place(trace, span_id))


def calling(method: str, host: str, port: int | None = None) -> stage:
    """A stage in which another server is asked; `outgoing` are its headers. Of the URL nothing but
    the host is told, as the rest may be anything."""
    attributes: dict[str, Value] = {"http.request.method": method, "server.address": host}
    if port is not None:
        attributes["server.port"] = port
    return stage(method, attributes, "client")


def outgoing() -> dict[str, str]:
    """What another server is told of the trace; empty where there is none."""
    place = CURRENT.get()
    if place is None:
        return {}
    context = place.trace.context
    parent = TraceContext(context.trace_id, place.span_id, context.sampled)
    state = {"tracestate": place.trace.state} if place.trace.state else {}
    return {"traceparent": str(parent)} | state


def error_type(error: BaseException) -> str:
    """What a span says that went wrong: the code of our errors, else the kind of exception. Never
    its text, which may quote a request."""
    return error.code if isinstance(error, KronkError) else type(error).__qualname__
