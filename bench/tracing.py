"""What tracing costs a request: processor time, without a server.

`python bench/tracing.py`: of a chat whose model was there, on the event loop (nobody collects; a
request that is not sampled; one that is) and in the thread that sends it. Nothing is sent.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from unittest import mock

from kronk.gateway.access.rules import Gate, inference
from kronk.gateway.job import generate
from kronk.gateway.record import Record
from kronk.gateway.telemetry.report import Attempt, RunReport
from kronk.gateway.telemetry.telemetry import Telemetry
from kronk.gateway.tracing.export import Exporter
from kronk.gateway.tracing.incoming import RequestTrace
from kronk.gateway.tracing.requests import request_spans
from kronk.gateway.tracing.stages import stage
from kronk.gateway.tracing.tracing import Tracing
from kronk.shared import settings
from kronk.shared.security.identity import OPEN
from kronk.shared.telemetry.trace_context import TraceContext
from kronk.shared.wire.values import Answer, Prompt, Sampling, Timings, Usage

TIMES, ROUNDS = 5000, 5
BATCH = 64
GATE = Gate(inference("chat-completions"), "POST", "/v1/chat/completions", "chat")
SCOPE: dict[str, Any] = {
    "method": "POST",
    "path": GATE.path,
    "scheme": "http",
    "http_version": "1.1",
    "client": ("127.0.0.1", 5),
    "headers": [(b"host", b"localhost"), (b"content-type", b"application/json")],
}


def main() -> None:
    """Print a line for each."""
    off, rare, always = Telemetry(), _tracing("1e-9"), _tracing("1")
    rows = {
        "nobody collects": _microseconds(lambda: _request(off)),
        "not sampled": _microseconds(lambda: _request(rare)),
        "sampled": _microseconds(lambda: _request(always)),
        "sampled, in the thread that sends": _sending(),
    }
    bare = _microseconds(lambda: _record().reports)
    for name, spent in rows.items():
        own = 0.0 if "thread" in name else bare
        print(f"{name:36} {max(0.0, spent - own):7.1f} µs of processor time")


def _tracing(probability: str) -> Telemetry:
    telemetry = Telemetry()
    values = settings.resolve({"tempo_probability": probability}, {})
    tracing = Tracing(telemetry, values, 1)
    telemetry.on_begin = tracing.begin
    assert tracing.collector is not None
    # Else the queue would be full, and refuse.
    mock.patch.object(tracing.collector, "add", lambda spans: None).start()
    return telemetry


def _request(telemetry: Telemetry) -> None:
    scope, record = dict(SCOPE), _record()
    if telemetry.on_begin is not None:
        telemetry.on_begin(scope, record)
    with stage("auth", {"kronk.access": "inference"}):
        pass
    telemetry.request_ended(scope, record)


def _sending() -> float:
    exporter = Exporter("127.0.0.1:9", "kronk", 1)
    trace = RequestTrace(TraceContext("a" * 32, "b" * 16, True), time.time())
    spans = [span for _ in range(BATCH) for span in request_spans(SCOPE, _record(), trace)]

    def send() -> None:
        from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
        from opentelemetry.sdk.trace.export import SpanExportResult

        def encoded(batch: Any) -> SpanExportResult:
            encode_spans(batch).SerializeToString()
            return SpanExportResult.SUCCESS

        with mock.patch.object(exporter._exporter, "export", encoded):
            exporter.send(spans)

    spent = _microseconds(send, TIMES // BATCH) / BATCH
    exporter.close()
    return spent


def _record() -> Record:
    record = Record("req-1", status=200, gate=GATE, identity=OPEN)
    record.reports = [REPORT]
    return record


def _microseconds(what: Callable[[], Any], times: int = TIMES) -> float:
    """Of one call, in the best round."""
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.thread_time()
        for _ in range(times):
            what()
        best = min(best, time.thread_time() - began)
    return best / times * 1e6


def _report() -> RunReport:
    now = time.monotonic()
    attempt = Attempt(now, now + 0.01, 7, "tiny", submitted=now + 0.01, accepted=now + 0.02)
    attempt.started, attempt.first = now + 0.03, now + 0.1
    prompt = Prompt(messages=({"role": "user", "content": "hi"},))
    job = generate("tiny", prompt, Sampling(temperature=0.0), Answer(), 64, ())
    return RunReport(
        name="req-1",
        job=job,
        by=OPEN,
        endpoint="chat-completions",
        epoch=time.time(),
        asked=now,
        ended=now + 1.0,
        attempts=(attempt,),
        outcome="done",
        prompt_tokens=30,
        completion_tokens=60,
        finish_reasons=("stop",),
        usage=Usage(30, 60),
        timings=Timings(0.02, 0.07, 0.9, "", 0, 0, time.time(), 0.001, 0.001, 0.001),
    )


REPORT = _report()

if __name__ == "__main__":
    main()
