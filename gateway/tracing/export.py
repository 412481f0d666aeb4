"""Spans on their way to a collector: OpenTelemetry's values and its OTLP exporter over gRPC.

The only module that imports either, which takes a third of a second and 20 MB: it is imported
when a collector answers, in the collector's thread.
"""

from __future__ import annotations

import functools
import logging
import os
import socket
from collections.abc import Sequence

# Its C library writes to stderr by itself, in a form of its own.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

from opentelemetry.exporter.otlp.proto.grpc import exporter as otlp
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.trace.span import TraceState

from kronk import __version__

from .spans import Origin, Span

# For an export, with what the exporter tries again of itself.
_EXPORT_SECONDS = 5.0
_LONGEST_HOST = 255
# Models come and go.
_MOST_ORIGINS = 256
_SCOPE = InstrumentationScope("kronk", __version__)
_KINDS = {
    "internal": SpanKind.INTERNAL,
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
}
_OK, _FLAGS = Status(StatusCode.UNSET), TraceFlags(TraceFlags.SAMPLED)


class _Reason(logging.Filter):
    """Keeps what the exporter complains of, which is ours to say, and once."""

    def __init__(self) -> None:
        super().__init__()
        self.last = ""

    def filter(self, record: logging.LogRecord) -> bool:
        self.last = record.getMessage()[:300]
        return False


_REASON = _Reason()
# Before the exporter's own, which leaves out what it has said of late.
otlp.logger.filters.insert(0, _REASON)


class Exporter:
    """A connection to a collector. For one thread, but for `close`."""

    def __init__(self, address: str, service: str, generation: int) -> None:
        """`generation` is the gateway's own."""
        self._service = service
        self._generation = generation
        self._is_closed = False
        # Without a scheme of TLS, and what OTEL_EXPORTER_OTLP_* say otherwise: headers for a
        # collector that wants some, certificates.
        self._exporter = OTLPSpanExporter(
            endpoint=f"http://{address}",
            timeout=_EXPORT_SECONDS,
            # No proxy of the environment stands between us and a collector.
            channel_options=(("grpc.enable_http_proxy", 0),),  # type: ignore[arg-type]
        )
        self._resource = functools.lru_cache(_MOST_ORIGINS)(self._resource_of)

    def send(self, spans: Sequence[Span]) -> str | None:
        """Why the collector did not take them; None if it did."""
        _REASON.last = ""
        readable = [_readable(span, self._resource(span.origin)) for span in spans]
        if self._exporter.export(readable) is SpanExportResult.SUCCESS:
            return None
        return _REASON.last or "the export failed"

    def close(self) -> None:
        """Idempotent; ends an export that another thread is at."""
        if not self._is_closed:
            self._is_closed = True
            self._exporter.shutdown()

    def _resource_of(self, origin: Origin) -> Resource:
        host, role = origin.host[:_LONGEST_HOST] or socket.gethostname(), origin.role
        generation = self._generation if role == "gateway" else origin.generation
        # The supervisor starts gateways, and nobody else does.
        pids = {"gateway": os.getpid(), "supervisor": os.getppid(), "worker": origin.pid or None}
        number = "" if generation is None else f"-{generation}"
        known = {
            "service.name": self._service,
            "service.version": __version__,
            "service.instance.id": f"{host}/{role}{number}",
            "host.name": host,
            "kronk.process": role,
            "process.pid": pids[role],
            "kronk.generation": generation,
            "kronk.model": origin.model or None,
        }
        return Resource.create({name: said for name, said in known.items() if said is not None})


def _readable(span: Span, resource: Resource) -> ReadableSpan:
    trace_id = int(span.trace_id, 16)
    parent = span.parent_id
    attributes = span.attributes
    if span.error is not None:
        attributes = {**attributes, "error.type": span.error}
    return ReadableSpan(
        name=span.name,
        context=_context(trace_id, span.span_id),
        parent=None if parent is None else _context(trace_id, parent),
        resource=resource,
        attributes=attributes,
        events=[Event(event.name, timestamp=event.at) for event in span.events],
        kind=_KINDS[span.kind],
        status=_OK if span.error is None else Status(StatusCode.ERROR, span.error),
        start_time=span.start,
        end_time=span.end,
        instrumentation_scope=_SCOPE,
    )


def _context(trace_id: int, span_id: str) -> SpanContext:
    return SpanContext(trace_id, int(span_id, 16), False, _FLAGS, TraceState())
