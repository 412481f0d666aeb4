"""The figures of the live charts: measured while somebody watches, once for all who do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from kronk.shared.telemetry.runtime import Meter
from kronk.shared.wire.status import Runtime
from kronk.shared.wire.to_gateway import Status

from . import proc
from .targets import SUPERVISOR, Target, Targets

EVERY_SECONDS = 1.0

# Frames received and sent, and answers that are being written.
Traffic = Callable[[], dict[str, int]]


class Board:
    """One per debug server."""

    def __init__(self, targets: Targets, meter: Meter, traffic: Traffic) -> None:
        self._targets = targets
        self._meter = meter
        self._traffic = traffic
        self._one_at_a_time = asyncio.Lock()
        self._sample: dict[str, Any] = {}
        self._taken = 0.0
        # By pid: when, and the seconds of processor time it had had.
        self._cpu: dict[int, tuple[float, float]] = {}

    async def sample(self) -> dict[str, Any]:
        """The figures, a second old at most."""
        async with self._one_at_a_time:
            if time.monotonic() - self._taken >= EVERY_SECONDS * 0.9:
                self._sample = await self._measure()
                self._taken = time.monotonic()
            return self._sample

    async def _measure(self) -> dict[str, Any]:
        targets = await self._targets.all()
        status = self._targets.last
        rows = [self._row(target, status) for target in targets]
        living = {target.pid for target in targets}
        self._cpu = {pid: seen for pid, seen in self._cpu.items() if pid in living}
        leases = None if status is None else status.leases
        return {
            "time": time.time(),
            "processes": rows,
            "requests": {
                "waiting": 0 if leases is None else leases.waiting,
                "granted": 0 if leases is None else leases.granted,
                **self._traffic(),
            },
        }

    def _row(self, target: Target, status: Status | None) -> dict[str, Any]:
        row: dict[str, Any] = {
            "name": target.name,
            "role": target.role,
            "pid": target.pid,
            "host": target.host,
        }
        figures = None
        if target.pid is not None and target.host is None:
            figures = proc.figures(target.pid)
        if target.pid is not None and figures is not None:
            row |= {
                "rss_bytes": figures.rss_bytes,
                "cpu_percent": self._percent(target.pid, figures.cpu_seconds),
                "threads": figures.threads,
                "fds": figures.fds,
            }
        runtime = self._runtime(target, status)
        if runtime is not None:
            # The kernel's number of threads has those of libraries too.
            row |= {name: value for name, value in asdict(runtime).items() if name != "threads"}
        return row

    def _runtime(self, target: Target, status: Status | None) -> Runtime | None:
        if target.role == "gateway":
            return self._meter.read()
        if status is None:
            return None
        if target.generation == SUPERVISOR:
            return status.runtime
        rows = (row for row in status.models if row.generation == target.generation)
        return next((row.runtime for row in rows), None)

    def _percent(self, pid: int, seconds: float) -> float | None:
        """Of one core, since the last sample; None for the first one."""
        now = time.monotonic()
        before = self._cpu.get(pid)
        self._cpu[pid] = (now, seconds)
        if before is None or now <= before[0]:
            return None
        return round(100 * (seconds - before[1]) / (now - before[0]), 1)
