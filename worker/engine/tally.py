"""How fast the tokens of one request came, counted while they do: once for each token."""

from __future__ import annotations

from bisect import bisect_left

from kronk.shared.telemetry.buckets import CONTEXT_TOKENS, ITL_SECONDS
from kronk.shared.wire.values import Speed


class Tally:
    """Of all choices of a request together."""

    def __init__(self) -> None:
        self.sum = 0.0
        self._counts = [0] * (len(ITL_SECONDS) + 1)
        # Index of the bucket of context to tokens and seconds.
        self._speeds: dict[int, list[float]] = {}

    def gap(self, seconds: float, rows: int) -> None:
        """A token came that long after the one before, with so many rows in the context."""
        self._counts[bisect_left(ITL_SECONDS, seconds)] += 1
        self.sum += seconds
        speed = self._speeds.setdefault(bisect_left(CONTEXT_TOKENS, rows), [0, 0.0])
        speed[0] += 1
        speed[1] += seconds

    @property
    def itl(self) -> tuple[int, ...]:
        """Gaps by bucket; empty where there were none."""
        return tuple(self._counts) if self._speeds else ()

    @property
    def speeds(self) -> tuple[Speed, ...]:
        """Tokens and seconds by size of the context, the smallest first."""
        return tuple(
            Speed(context, int(tokens), seconds)
            for context, (tokens, seconds) in sorted(self._speeds.items())
        )
