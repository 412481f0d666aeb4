"""The spans of one run: for each attempt at it the lease and the inference, with what the
supervisor and the worker did for them."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from kronk.gateway.telemetry.report import Attempt, RunReport
from kronk.shared.telemetry.trace_context import TraceContext

from .genai import answered, asked, operation
from .spans import SUPERVISOR, Event, Origin, Span, Value, nanoseconds, new_span_id
from .worker_spans import ACCEPTED, FIRST_TOKEN, SLOT, seen_spans, worker_spans

# Of how a worker was lost. What comes with it may be the worker's own last words.
_HOW = re.compile(r"\bSIG[A-Z0-9]+\b|\bexit code -?\d+|\b(?:unloaded|interrupted)\b")


@dataclass(frozen=True, slots=True)
class Clock:
    """Monotonic seconds of this process as nanoseconds of the epoch."""

    # Both of one moment.
    monotonic: float
    epoch: float

    def at(self, moment: float) -> int:
        """That moment."""
        return nanoseconds(self.epoch + (moment - self.monotonic))


def run_spans(report: RunReport, parent: TraceContext, clock: Clock) -> list[Span]:
    """All spans of a run, which belongs under `parent`."""
    spans: list[Span] = []
    for number, attempt in enumerate(report.attempts, 1):
        is_last = number == len(report.attempts)
        ended = report.ended if is_last or attempt.lost is None else attempt.lost
        one = _Attempt(report, attempt, number, is_last, ended, parent, clock)
        spans += one.lease()
        if attempt.submitted is not None:
            spans += one.inference(attempt.submitted)
    return spans


@dataclass(frozen=True, slots=True)
class _Attempt:
    report: RunReport
    attempt: Attempt
    number: int
    is_last: bool
    ended: float
    parent: TraceContext
    clock: Clock

    def lease(self) -> list[Span]:
        attempt, at = self.attempt, self.clock.at
        granted = attempt.granted
        until = self.ended if granted is None else granted
        attributes: dict[str, Value] = {
            "kronk.attempt": self.number,
            "kronk.queued.seconds": until - attempt.asked,
            "kronk.loading.seconds": attempt.loading,
            "kronk.priority": self.report.priority,
        }
        if attempt.model:
            attributes["kronk.model"] = attempt.model
        if attempt.generation is not None:
            attributes["kronk.generation"] = attempt.generation
        lease = self._span("lease", self.parent.span_id, at(attempt.asked), at(until), attributes)
        lease.error = self._error() if granted is None else None
        return [lease, *self._load(lease)]

    def _load(self, lease: Span) -> list[Span]:
        attempt, at = self.attempt, self.clock.at
        if attempt.ready is None or attempt.loading <= 0.0:
            return []
        attributes: dict[str, Value] = {
            # All of it: others may have asked for the model first.
            "kronk.load.seconds": attempt.load_seconds,
            "kronk.model": attempt.model or "",
        }
        began, ended = at(attempt.ready - attempt.loading), at(attempt.ready)
        load = self._span("load", lease.span_id, began, ended, attributes)
        load.origin = SUPERVISOR
        return [load]

    def inference(self, submitted: float) -> list[Span]:
        report, attempt, at = self.report, self.attempt, self.clock.at
        attributes = asked(report.job) | {"kronk.attempt": self.number}
        if attempt.generation is not None:
            attributes["kronk.generation"] = attempt.generation
        if self.is_last:
            attributes |= answered(report)
        if attempt.cause and (how := _HOW.search(attempt.cause)):
            attributes["kronk.cause"] = how[0]
        name = " ".join(filter(None, (operation(report.job), attempt.model)))
        span = self._span(name, self.parent.span_id, at(submitted), at(self.ended), attributes)
        span.kind = "client"
        span.error = self._error()
        span.events = self._events()
        origin = Origin("worker", attempt.model or "", attempt.generation)
        if attempt.process is not None:
            origin = replace(origin, pid=attempt.process.pid, host=attempt.process.host)
        if not self.is_last or report.timings is None:
            return [span, *seen_spans(span, origin)]
        return [span, *worker_spans(report, report.timings, span, origin)]

    def _events(self) -> tuple[Event, ...]:
        """What the gateway saw of the worker's progress."""
        attempt = self.attempt
        seen = (
            (ACCEPTED, attempt.accepted),
            (SLOT, attempt.started),
            (FIRST_TOKEN, attempt.first),
        )
        return tuple(Event(name, self.clock.at(then)) for name, then in seen if then is not None)

    def _error(self) -> str | None:
        if not self.is_last:
            return "worker_lost"
        error = self.report.error
        # A client that leaves is no fault of anything here.
        return None if error is None or self.report.outcome == "cancelled" else error.code

    def _span(
        self, name: str, parent_id: str, start: int, end: int, attributes: dict[str, Value]
    ) -> Span:
        trace_id = self.parent.trace_id
        return Span(name, trace_id, new_span_id(), parent_id, start, end, attributes)
