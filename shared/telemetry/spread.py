"""How far values lie apart: their mean, the least and the greatest."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(slots=True)
class Spread:
    """Of all values so far. `low` and `high` mean something once there is one."""

    count: int = 0
    sum: float = 0.0
    low: float = math.inf
    high: float = -math.inf

    def observe(self, value: float) -> None:
        """One more."""
        self.count += 1
        self.sum += value
        self.low = min(self.low, value)
        self.high = max(self.high, value)

    def merge(self, other: Spread) -> None:
        """All values of another one."""
        self.count += other.count
        self.sum += other.sum
        self.low = min(self.low, other.low)
        self.high = max(self.high, other.high)

    @property
    def mean(self) -> float:
        """Their mean; 0 where there is none."""
        return self.sum / self.count if self.count else 0.0
