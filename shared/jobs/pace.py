"""How fast a job gets on, and how long it still takes. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

# Seconds after which what was measured counts a third.
_MEMORY = 5.0
# Less than that between two looks says more of buffers than of the line.
_LEAST_SPAN = 0.2
# An estimate from less would be a guess, and one for longer than this of no use.
_LEAST_SEEN, _LONGEST_ETA = 2.0, 7 * 86_400.0


@dataclass(frozen=True, slots=True)
class Pace:
    """What was seen of one phase; `done` bytes of `total` at the time `at`, in seconds."""

    phase: str
    total: int | None
    done: int
    at: float
    began: float
    # Sums of what was measured, older measurements counting less.
    moved: float = 0.0
    seconds: float = 0.0

    @property
    def rate(self) -> float | None:
        """Bytes a second lately; None while nothing was measured."""
        return self.moved / self.seconds if self.seconds else None

    @property
    def eta(self) -> float | None:
        """Seconds left, where that can honestly be told."""
        rate = self.rate
        if self.total is None or not rate or self.at - self.began < _LEAST_SEEN:
            return None
        left = max(self.total - self.done, 0) / rate
        return left if left <= _LONGEST_ETA else None


def observe(pace: Pace | None, now: float, phase: str, done: int, total: int | None) -> Pace:
    """The pace after another look. What was there when a phase or a file began took no time."""
    if pace is None or (phase, total) != (pace.phase, pace.total) or done < pace.done:
        return Pace(phase, total, done, now, now)
    span = now - pace.at
    if span < _LEAST_SPAN and done != total:
        return pace
    kept = math.exp(-span / _MEMORY)
    return Pace(
        phase,
        total,
        done,
        now,
        pace.began,
        pace.moved * kept + done - pace.done,
        pace.seconds * kept + span,
    )
