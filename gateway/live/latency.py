"""How long clients lately waited for their first token. Told by each run at its end."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kronk.gateway.telemetry.report import RunReport

# What is older is not "lately" any more.
WINDOW_SECONDS = 60.0
# Of a crowd the newest are a fair sample.
_MOST_KEPT = 2000


@dataclass(frozen=True, slots=True)
class Latency:
    """Of the answers that ended in the last minute. Seconds; None when there were none."""

    ended: int = 0
    failed: int = 0
    ttft_p50: float | None = None
    ttft_p95: float | None = None


class RecentLatency:
    """The last minute's runs that generate."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._runs: deque[tuple[float, bool, float | None]] = deque(maxlen=_MOST_KEPT)

    def observe(self, report: RunReport) -> None:
        """A run has ended."""
        if report.kind == "generate":
            self._runs.append((self._clock(), report.outcome == "failed", report.ttft))

    def figures(self) -> Latency:
        """As of now."""
        oldest = self._clock() - WINDOW_SECONDS
        while self._runs and self._runs[0][0] < oldest:
            self._runs.popleft()
        waits = sorted(ttft for _, _, ttft in self._runs if ttft is not None)
        return Latency(
            len(self._runs),
            sum(failed for _, failed, _ in self._runs),
            _percentile(waits, 0.5),
            _percentile(waits, 0.95),
        )


def _percentile(ordered: Sequence[float], share: float) -> float | None:
    """The nearest rank's value, rounded to tenths of a millisecond."""
    if not ordered:
        return None
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 4)
