"""Whether a worker gets on with all it has to do, in the one number that its heartbeats carry."""

from __future__ import annotations

import resource
from collections import deque
from collections.abc import Callable
from typing import Protocol

import structlog

from kronk.shared.telemetry.runtime import Meter
from kronk.shared.wire.loading import Fitted
from kronk.shared.wire.status import SlotStats, WorkerStats
from kronk.shared.wire.to_supervisor import Heartbeat

from .cache.stats import Caches, cache_stats
from .processor_time import ProcessorTime

log = structlog.get_logger()

# Beats that the token rate is averaged over.
_RATE_BEATS = 4


class Counters(Protocol):
    """What the engine counts; read without locks, each value being one machine word."""

    is_working: bool
    tokens: int
    requests: int

    @property
    def progress(self) -> int: ...

    @property
    def busy_slots(self) -> int: ...

    @property
    def queued(self) -> int: ...

    @property
    def slots(self) -> tuple[SlotStats, ...]: ...

    @property
    def caches(self) -> Caches: ...


class Effort:
    """One counter made of several: it grows when every part that has work has got on with it.

    A sum would hide a part that stands still behind one that does not.
    """

    def __init__(self) -> None:
        self.progress = 0
        # Of each part, when the counter last grew.
        self._seen: dict[str, int] = {}

    def look(self, parts: dict[str, tuple[bool, int]]) -> None:
        """Each part as it is now: whether it has work, and a number that changes as it gets on."""
        if all(not busy or self._seen.get(name) != count for name, (busy, count) in parts.items()):
            self.progress += 1
            self._seen = {name: count for name, (_, count) in parts.items()}


class Pulse:
    """What the beats report. The engine (before it the load), the preparation of requests and the
    asyncio loop are each watched: any of them may hang while the others do not."""

    def __init__(self, preparing: Callable[[], int], disk: Callable[[], int] | None = None) -> None:
        self.load_steps = 0
        self.loading = False
        self.meter = Meter()
        # Requests that are being prepared, and steps of that which came to their end.
        self._preparing = preparing
        self.prepared = 0
        self._turns = 0
        self._effort = Effort()
        self._engine: Counters | None = None
        self._fitted: Fitted | None = None
        self._seen: deque[tuple[float, int]] = deque(maxlen=_RATE_BEATS + 1)
        self._disk = disk or pages_read
        self._times: ProcessorTime | None = None

    def serve(
        self,
        engine: Counters,
        fitted: Fitted | None = None,
        times: ProcessorTime | None = None,
    ) -> None:
        """From now on report what this engine does; what it keeps where it is known what was
        fitted, and what it costs where that is measured."""
        self._engine, self._fitted, self._times = engine, fitted, times
        self.loading = False

    def turned(self) -> None:
        """The loop has had its turn since it was asked to."""
        self._turns += 1
        self.meter.turned()

    def beat(self, now: float) -> Heartbeat:
        """The next heartbeat."""
        engine = self._engine
        busy, steps = self.loading, self.load_steps
        if engine is not None:
            busy, steps = engine.is_working, steps + engine.progress
        self._effort.look(
            {
                # Bytes that come from the disk are progress too: a model's first use of a mapped
                # file is one long step.
                "engine": (busy, steps + self._disk()),
                "preparation": (self._preparing() > 0, self.prepared),
                "loop": (True, self._turns),
            }
        )
        return Heartbeat(self._effort.progress, True, self._told(engine, now))

    def _told(self, engine: Counters | None, now: float) -> WorkerStats | None:
        try:
            return None if engine is None else self._stats(engine, now)
        except Exception:
            # A bug of ours; but without a next beat a worker that is well would be ended for it.
            log.exception("cannot tell what the engine does")
            return None

    def _stats(self, engine: Counters, now: float) -> WorkerStats:
        self._seen.append((now, engine.tokens))
        if self._times is not None:
            self._times.look()
        return WorkerStats(
            slots_busy=engine.busy_slots,
            queued=engine.queued,
            tokens_per_second=self._rate(),
            requests=engine.requests,
            tokens=engine.tokens,
            slots=engine.slots,
            caches=() if self._fitted is None else cache_stats(engine.caches, self._fitted, now),
            runtime=self.meter.read(),
            decode_seconds=0.0 if self._times is None else self._times.decode,
            overhead_seconds=0.0 if self._times is None else self._times.overhead,
        )

    def _rate(self) -> float:
        (then, before), (now, after) = self._seen[0], self._seen[-1]
        return (after - before) / (now - then) if now > then else 0.0


def pages_read() -> int:
    """Blocks and pages that this process had to wait for until they came from a disk."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_inblock + usage.ru_majflt
