"""Tracing as the gateway has it: told of requests when they begin and when they are over."""

from __future__ import annotations

import time

from starlette.types import Scope

from kronk.gateway.record import Record
from kronk.gateway.telemetry.report import RunReport
from kronk.gateway.telemetry.telemetry import Telemetry
from kronk.shared.settings import Settings
from kronk.shared.telemetry.trace_context import TraceContext

from .collector import Collector, Exporter
from .incoming import RequestTrace, incoming, new_root
from .requests import batch_spans, request_spans
from .stages import CURRENT, Place

_TRACE = "kronk.trace"


class Tracing:
    """One per gateway. While nobody collects, `telemetry` does not even call it for a request."""

    def __init__(self, telemetry: Telemetry, settings: Settings, generation: int) -> None:
        self._telemetry = telemetry
        self._probability = float(settings.tempo_probability)
        self._collector: Collector | None = None
        address = settings.tempo_host
        if address is None or self._probability == 0.0:
            return

        def exporter() -> Exporter:
            # Here and not above: see there.
            from .export import Exporter as OtlpExporter

            return OtlpExporter(str(address), settings.tempo_service_name, generation)

        self._collector = Collector(address.host, address.port, exporter, self._switch)
        telemetry.observe(runs=self.run_ended, requests=self.request_ended)

    @property
    def collector(self) -> Collector | None:
        """Where spans go; None where none are ever made."""
        return self._collector

    def start(self) -> None:
        """Begin to look for a collector."""
        if self._collector is not None:
            self._collector.start()

    def close(self) -> None:
        """Send what is there; takes seconds at most. Not for the event loop."""
        if self._collector is not None:
            self._collector.close()

    def begin(self, scope: Scope, record: Record) -> None:
        """A request has come; its record says its trace from now on, where it has one."""
        trace = incoming(scope["path"], scope["headers"], self._probability, time.time())
        if trace is not None:
            scope[_TRACE] = trace
            record.trace = trace.context
            CURRENT.set(Place(trace, trace.context.span_id))

    def request_ended(self, scope: Scope, record: Record) -> None:
        """Its spans are made, and sent later."""
        if record.trace is None:
            return
        CURRENT.set(None)
        trace = scope[_TRACE]
        assert isinstance(trace, RequestTrace)
        if trace.context.sampled and self._collector is not None:
            self._collector.add(request_spans(scope, record, trace))

    def run_ended(self, report: RunReport) -> None:
        """Runs of requests come with their request; here those that no request waits for."""
        if self._collector is None or report.endpoint != "batches" or report.trace is None:
            return
        self._collector.add(batch_spans(report, report.trace))

    def _switch(self, is_wanted: bool) -> None:
        # In the collector's thread; the loop sees the one or the other.
        self._telemetry.on_begin = self.begin if is_wanted else None
        self._telemetry.new_trace = self._new_trace if is_wanted else None

    def _new_trace(self) -> TraceContext | None:
        return new_root(self._probability)
