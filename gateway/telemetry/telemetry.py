"""Who is told when something is over."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import structlog
from starlette.types import Scope

if TYPE_CHECKING:
    from kronk.gateway.record import Record
    from kronk.shared.telemetry.trace_context import TraceContext

    from .report import RunReport

OnRun = Callable[["RunReport"], None]
OnRequest = Callable[[Scope, "Record"], None]
NewTrace = Callable[[], "TraceContext | None"]

log = structlog.get_logger()


class Telemetry:
    """Called on the event loop, between the tokens of others: who observes takes microseconds, and
    what goes wrong in it is no request's fault."""

    def __init__(self) -> None:
        # Called when a request has come, before anything is known of it; None while nobody wants
        # to know, which is nearly always.
        self.on_begin: OnRequest | None = None
        # A trace for work that no HTTP request waits for; None while nobody collects.
        self.new_trace: NewTrace | None = None
        self._on_run: list[OnRun] = []
        self._on_request: list[OnRequest] = []

    def observe(self, *, runs: OnRun | None = None, requests: OnRequest | None = None) -> None:
        """Be told of each run, and of each HTTP request, when it has ended."""
        if runs is not None:
            self._on_run.append(runs)
        if requests is not None:
            self._on_request.append(requests)

    def run_ended(self, report: RunReport) -> None:
        """A run has ended, however it did."""
        for tell in self._on_run:
            try:
                tell(report)
            except Exception:
                log.exception("a run could not be measured")

    def request_ended(self, scope: Scope, record: Record) -> None:
        """A request's answer is over, however it ended."""
        for tell in self._on_request:
            try:
                tell(scope, record)
            except Exception:
                log.exception("a request could not be measured")
