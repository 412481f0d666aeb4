"""Facts of live states, and a source of them that tells what a test says."""

from __future__ import annotations

import asyncio
from typing import Any

from kronk.gateway.access.admission import Admission
from kronk.gateway.access.rules import READING
from kronk.gateway.live.facts import Facts, Waiter
from kronk.gateway.live.machine import ProcessReading, Reading
from kronk.gateway.live.viewer import Viewer
from kronk.shared.errors import KronkError
from kronk.shared.security.grants import Grants
from kronk.shared.security.identity import OPEN, Identity
from kronk.shared.wire.status import ModelStatus, ProcessStatus, SlotStats
from kronk.shared.wire.to_gateway import Status

SYSTEM = {
    "cpu_percent": 12.5,
    "cores": [10.0, 15.0],
    "core_count": 2,
    "load": [0.1, 0.2, 0.3],
    "memory": {"total_bytes": 16, "used_bytes": 6, "available_bytes": 10},
    "swap": {"total_bytes": 0, "used_bytes": 0},
    "disk": None,
    "gpus": [],
}
SUPERVISOR = ProcessStatus("supervisor", 10, 0, 1000)


def model(name: str, state: str = "ready", generation: int | None = 7, **more: Any) -> ModelStatus:
    """A row; with a slot at work where it is ready."""
    slots = (SlotStats(0, "generating", 30, 12, 12, 18, f"req-{name}"),)
    values: dict[str, Any] = {
        "pid": None if generation is None else 100 + generation,
        "rss_bytes": 5000,
        "n_ctx": 512,
        "slots_busy": 1,
        "slots_total": 1,
        "queued": 0,
        "active_streams": 1,
        "tokens_per_second": 20.0,
        "idle_seconds": None,
        "expires_in": None,
        "restarts": 0,
        "last_exit": None,
        "slots": slots if state == "ready" else (),
    }
    return ModelStatus(model=name, state=state, generation=generation, **(values | more))


def facts(*models: ModelStatus, time: float = 1000.0, draining: bool = False, **more: Any) -> Facts:
    """What is known at a time."""
    readings = {10: ProcessReading(1000, 1.5, 4, 20, 400.0)}
    values: dict[str, Any] = {
        "reading": Reading(SYSTEM, readings),
        "mode": "open",
        "warnings": (),
        "owners": {f"req-{row.model}": "Anna" for row in models},
        "waiters": (),
        "jobs": (),
        "batches": 0,
    }
    status = Status(0, draining, models, (SUPERVISOR,))
    return Facts(time=time, status=status, **(values | more))


def waiter(request: str, model: str, position: int | None) -> Waiter:
    """Somebody who has waited for three seconds."""
    return Waiter(request, model, position, 3.0, "Anna")


def viewer(models: tuple[str, ...] | None = None, *, admin: bool = False) -> Viewer:
    """Somebody with a token that grants these models; an administrator sees all."""
    return Viewer.of(Admission(Identity("s", "Bert", admin, Grants(models=models)), READING))


EVERYBODY = Viewer.of(Admission(OPEN, READING))


class Source:
    """Tells `next`, or raises it."""

    def __init__(self) -> None:
        self.next: Facts | KronkError = facts()
        self.asked = 0
        self.was_asked = asyncio.Event()
        self.forgotten = 0

    async def collect(self) -> Facts:
        self.asked += 1
        self.was_asked.set()
        if isinstance(self.next, KronkError):
            raise self.next
        return self.next

    def forget(self) -> None:
        self.forgotten += 1
