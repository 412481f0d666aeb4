"""A collector of traces: an OTLP server over gRPC that remembers what it was sent."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as service
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as rpc
from opentelemetry.proto.trace.v1.trace_pb2 import Span as ProtoSpan
from opentelemetry.proto.trace.v1.trace_pb2 import Status

PATIENCE = 20.0


@dataclass(frozen=True)
class Got:
    """A span as it arrived, with its resource's attributes."""

    name: str
    trace_id: str
    span_id: str
    # "" for none.
    parent_id: str
    start: int
    end: int
    kind: str
    is_error: bool
    status: str
    attributes: dict[str, Any]
    resource: dict[str, Any]
    events: tuple[str, ...]

    @property
    def process(self) -> str:
        return str(self.resource["kronk.process"])


class Collector(rpc.TraceServiceServicer):
    """Use as a context manager; `start` and `stop` make outages."""

    def __init__(self, port: int = 0) -> None:
        self.port = port
        self.spans: list[Got] = []
        # What it refuses exports with, if anything.
        self.refuses: grpc.StatusCode | None = None
        self.calls = 0
        self._changed = threading.Condition()
        self._server: grpc.Server | None = None

    def __enter__(self) -> Collector:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Listen, on the same port as before if there was one."""
        self._server = grpc.server(ThreadPoolExecutor(2, "collector"))
        rpc.add_TraceServiceServicer_to_server(self, self._server)
        self.port = self._server.add_insecure_port(self.address)
        self._server.start()

    def stop(self) -> None:
        """Vanish."""
        if self._server is not None:
            self._server.stop(None).wait(PATIENCE)
            self._server = None

    def Export(self, request: Any, context: Any) -> Any:
        with self._changed:
            self.calls += 1
            if self.refuses is None:
                self.spans += _spans_of(request)
            self._changed.notify_all()
        if self.refuses is not None:
            context.abort(self.refuses, "not today")
        return service.ExportTraceServiceResponse()

    def wait_for(self, what: Callable[[list[Got]], bool]) -> list[Got]:
        """All spans, once what came is what is waited for."""
        with self._changed:
            self._changed.wait_for(lambda: what(self.spans), PATIENCE)
            assert what(self.spans), [span.name for span in self.spans]
            return list(self.spans)

    def wait_for_calls(self, count: int) -> None:
        """Until so many exports were tried."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.calls >= count, PATIENCE), self.calls

    def request(self, request_id: str) -> Got:
        """The span of an HTTP request, once it is here."""
        self.wait_for(lambda spans: bool(_of_request(spans, request_id)))
        return _of_request(self.spans, request_id)[0]

    def trace(self, request_id: str) -> list[Got]:
        """All spans of the trace of an HTTP request, which come in one export."""
        trace_id = self.request(request_id).trace_id
        return [span for span in self.spans if span.trace_id == trace_id]


def _of_request(spans: list[Got], request_id: str) -> list[Got]:
    return [span for span in spans if span.attributes.get("kronk.request.id") == request_id]


def _spans_of(request: Any) -> list[Got]:
    return [
        _got(span, _plain(resource.resource.attributes))
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def _got(span: Any, resource: dict[str, Any]) -> Got:
    return Got(
        name=span.name,
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        start=span.start_time_unix_nano,
        end=span.end_time_unix_nano,
        kind=ProtoSpan.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
        is_error=span.status.code == Status.STATUS_CODE_ERROR,
        status=span.status.message,
        attributes=_plain(span.attributes),
        resource=resource,
        events=tuple(event.name for event in span.events),
    )


def _plain(attributes: Any) -> dict[str, Any]:
    return {one.key: _value(one.value) for one in attributes}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(one) for one in value.array_value.values]
    return getattr(value, kind)
