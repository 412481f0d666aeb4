"""A scrape: everything that is known, in Prometheus' words.

It is asked in a thread of its own, so that it answers while the gateway's loop hangs. What the
supervisor knows has to be fetched over that loop, and is left out where it does not come in time.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import platform
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from kronk import __version__
from kronk.gateway.exchange import Exchange
from kronk.gateway.link import Link
from kronk.gateway.middleware import Activity
from kronk.gateway.telemetry.telemetry import Telemetry
from kronk.shared.errors import KronkError
from kronk.shared.telemetry.runtime import Meter
from kronk.shared.wire.to_gateway import Status

from .of_jobs import JobTallies
from .tallies import Tallies

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric
    from prometheus_client.registry import CollectorRegistry

    from .sheet import Sheet

# The supervisor answers in milliseconds. A scrape is given ten seconds as a rule.
STATUS_SECONDS = 2.0
# For the loop, which may be busy itself.
_LOOP_SECONDS = 1.0


class Metrics:
    """One per gateway. Made on its loop, asked from any thread."""

    def __init__(self, telemetry: Telemetry, link: Link, activity: Activity, meter: Meter) -> None:
        self.tallies = Tallies()
        self.jobs = JobTallies(time.monotonic)
        self._link = link
        self._activity = activity
        self._meter = meter
        self._loop = asyncio.get_running_loop()
        self._registry: CollectorRegistry | None = None
        self._making = threading.Lock()
        telemetry.observe(runs=self.tallies.run_ended, requests=self.tallies.request_ended)

    def exposition(self) -> bytes:
        """In the text format 0.0.4, which everything reads. Blocks for some seconds at most."""
        return self.answer("")[0]

    def answer(self, accept: str) -> tuple[bytes, str]:
        """The text, and its content type, in the form that an Accept header asks for."""
        # Imported at the first scrape: a gateway that nobody scrapes starts without it.
        from prometheus_client.exposition import choose_encoder

        encode, content_type = choose_encoder(accept)
        return encode(self._registered()), content_type

    def collect(self) -> Iterator[Metric]:
        """All families; what the registry asks for."""
        from . import of_machine, of_requests, of_status
        from .sheet import Sheet

        sheet = Sheet()
        of_requests.write(sheet, self.tallies)
        self.jobs.write(sheet)
        of_machine.write_gpus(sheet)
        self._write_gateway(sheet)
        status = self._status()
        sheet.add("kronk_scrape_complete", status is not None)
        if status is not None:
            of_status.write(sheet, status, time.time())
            of_machine.write_processes(sheet, status)
        yield from sheet.families()

    def _write_gateway(self, sheet: Sheet) -> None:
        from . import of_machine

        exchange: Exchange = self._link.exchange
        runtime = self._meter.read()
        sheet.add("goroutines", runtime.tasks + runtime.threads)
        python = platform.python_version()
        sheet.add("kronk_build_info", 1, version=__version__, python=python)
        sheet.add("kronk_http_requests_running", self._activity.count)
        sheet.add("kronk_requests_live", len(exchange))
        sheet.add("kronk_frames_dropped_total", exchange.stale_frames, why="stale")
        sheet.add("kronk_frames_dropped_total", exchange.late_frames, why="late")
        recoveries = exchange.recoveries
        for how in ("retried", "resumed", "quarantined"):
            sheet.add("kronk_recoveries_total", getattr(recoveries, how), how=how)
        of_machine.write_runtime(sheet, "gateway", "", runtime)

    def _status(self) -> Status | None:
        """What the supervisor says; None where it, or our own loop, does not answer."""
        if self._loop.is_closed():
            return None
        asked = asyncio.run_coroutine_threadsafe(self._link.status(STATUS_SECONDS), self._loop)
        try:
            return asked.result(STATUS_SECONDS + _LOOP_SECONDS)
        except (KronkError, concurrent.futures.TimeoutError, concurrent.futures.CancelledError):
            asked.cancel()
            return None

    def _registered(self) -> CollectorRegistry:
        from prometheus_client import GCCollector, ProcessCollector
        from prometheus_client.registry import CollectorRegistry

        with self._making:
            if self._registry is None:
                registry = CollectorRegistry()
                # Of the gateway's process, under the names that all of Prometheus' clients use.
                ProcessCollector(registry=registry)
                GCCollector(registry=registry)
                registry.register(self)
                self._registry = registry
            return self._registry
