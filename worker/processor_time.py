"""What of this process's own processor time went to decodes, and what to all else."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from .engine_time import ENGINE_TIME, EngineTime
from .thread_times import ThreadTimes

# The name of the engine's thread.
ENGINE = "engine"


class ProcessorTime:
    """Looked at by heartbeats, from the end of the load on.

    The engine's thread is asked for its processor time then only. What it had since the last look
    is shared out as the time by the wall was: others who want the core lengthen both parts alike.
    """

    def __init__(
        self,
        engine: Callable[[], float],
        others: Callable[[], float],
        time: EngineTime = ENGINE_TIME,
    ) -> None:
        # Seconds; both only grow.
        self.decode = 0.0
        self.overhead = 0.0
        self._engine, self._others, self._time = engine, others, time
        self._seen = self._now()

    def look(self) -> None:
        """Bring both up to date."""
        before, self._seen = self._seen, self._now()
        engine, others, computing, between = (
            max(now - then, 0.0) for now, then in zip(self._seen, before, strict=True)
        )
        whole = computing + between
        share = computing / whole if whole > 0 else 0.0
        self.decode += engine * share
        self.overhead += engine * (1.0 - share) + others

    def _now(self) -> tuple[float, float, float, float]:
        return self._engine(), self._others(), *self._time.read()


def of_this_process(messengers: Iterable[int]) -> ProcessorTime:
    """`messengers` are the numbers of ZeroMQ's threads."""
    engine = ThreadTimes(lambda name: name == ENGINE)
    others = ThreadTimes(lambda name: name != ENGINE, messengers)
    return ProcessorTime(engine.total, others.total)
