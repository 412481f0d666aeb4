"""The spans of an HTTP request: its own, what was measured on its way, and its runs'."""

from __future__ import annotations

import time

from starlette.types import Scope

from kronk.gateway.middleware import path_for_log
from kronk.gateway.record import Record
from kronk.gateway.telemetry.report import RunReport
from kronk.shared.telemetry.trace_context import TraceContext

from .incoming import RequestTrace
from .runs import Clock, run_spans
from .spans import Span, Value
from .stages import Stage

_OK, _SERVER_ERROR = 200, 500
# Nobody's fault here: the client left.
_LEFT = "client_gone"


def request_spans(scope: Scope, record: Record, trace: RequestTrace) -> list[Span]:
    """All of a request that is over."""
    clock = Clock(record.started, trace.epoch)
    spans = [_request(scope, record, trace, clock)]
    spans += [_staged(stage, trace.context.trace_id, clock) for stage in trace.stages]
    for report in record.reports:
        spans += run_spans(report, trace.context, clock)
    return spans


def batch_spans(report: RunReport, root: TraceContext) -> list[Span]:
    """Of a line of a batch, which no HTTP request waits for: a trace of its own."""
    clock = Clock(report.asked, report.epoch)
    attributes: dict[str, Value] = {"kronk.request.id": report.name}
    span = Span(
        "batch line",
        root.trace_id,
        root.span_id,
        None,
        clock.at(report.asked),
        clock.at(report.ended),
        attributes,
    )
    span.error = report.error.code if report.outcome == "failed" and report.error else None
    return [span, *run_spans(report, root, clock)]


def _request(scope: Scope, record: Record, trace: RequestTrace, clock: Clock) -> Span:
    method, gate = scope["method"], record.gate
    span = Span(
        # Never the path: there would be as many names as there are paths.
        method if gate is None else f"{method} {gate.path}",
        trace.context.trace_id,
        trace.context.span_id,
        trace.parent_id,
        clock.at(record.started),
        clock.at(time.monotonic()),
        _attributes(scope, record),
        kind="server",
    )
    span.error = _error(record)
    return span


def _error(record: Record) -> str | None:
    """What went wrong here. A request that was refused is its client's fault, and who leaves has
    done nothing wrong."""
    if record.error == _LEFT:
        return None
    if record.status is None or record.status >= _SERVER_ERROR:
        return record.error or str(record.status or "no_answer")
    # An answer that had begun, and ended badly.
    return record.error if record.status == _OK else None


def _attributes(scope: Scope, record: Record) -> dict[str, Value]:
    client, gate, identity = scope.get("client"), record.gate, record.identity
    found: dict[str, Value | None] = {
        "http.request.method": scope["method"],
        "http.route": None if gate is None else gate.path,
        "http.response.status_code": record.status,
        "url.path": path_for_log(scope["path"]),
        "url.scheme": scope.get("scheme"),
        "network.protocol.version": scope.get("http_version"),
        "client.address": client[0] if client else None,
        "enduser.id": None if identity is None else identity.subject,
        "kronk.request.id": record.request_id,
        "kronk.model": record.reports[-1].model if record.reports else None,
        "kronk.ttft.seconds": record.ttft,
        "error.type": record.error,
    }
    return {name: value for name, value in found.items() if value is not None}


def _staged(stage: Stage, trace_id: str, clock: Clock) -> Span:
    return Span(
        stage.name,
        trace_id,
        stage.span_id,
        stage.parent_id,
        clock.at(stage.began),
        clock.at(stage.ended),
        stage.attributes,
        kind=stage.kind,
        error=stage.error,
    )
