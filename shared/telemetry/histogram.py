"""Counts by bucket, and the sum of what was counted."""

from __future__ import annotations

from collections.abc import Sequence

from .buckets import bucket


class Histogram:
    """Of values with these bounds, which ascend. Not for several threads."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        # Not cumulative; the last one has no bound.
        self.counts = [0] * (len(self.bounds) + 1)
        self.sum = 0.0

    @property
    def count(self) -> int:
        """How many values there were."""
        return sum(self.counts)

    def observe(self, value: float, times: int = 1) -> None:
        """Count a value, as often as it occurred."""
        self.counts[bucket(self.bounds, value)] += times
        self.sum += value * times

    def add(self, counts: Sequence[int], total: float) -> None:
        """Take in what was counted elsewhere by the same bounds. Counts of others are left out:
        what cannot be placed must not be shown in a wrong place."""
        if len(counts) != len(self.counts):
            return
        self.counts = [mine + more for mine, more in zip(self.counts, counts, strict=True)]
        self.sum += total

    def cumulative(self) -> list[int]:
        """As Prometheus has them: values of at most each bound, and all."""
        total, result = 0, []
        for count in self.counts:
            total += count
            result.append(total)
        return result
