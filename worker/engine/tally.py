"""How fast the tokens of one request came: noted while they do, counted at the end."""

from __future__ import annotations

from array import array
from bisect import bisect_left

import numpy as np

from kronk.shared.telemetry.buckets import CONTEXT_TOKENS, ITL_SECONDS
from kronk.shared.wire.values import Speed


class Tally:
    """Of all choices of a request together."""

    def __init__(self) -> None:
        # Index of the bucket of context to the gaps between tokens, in seconds.
        self._gaps: dict[int, array[float]] = {}
        self._note = array("d").append
        # The contexts that the newest gaps belong to.
        self._above, self._up_to = 0, -1

    def gap(self, seconds: float, rows: int) -> None:
        """A token came that long after the one before, with so many rows in the context."""
        if not self._above < rows <= self._up_to:
            self._enter(rows)
        self._note(seconds)

    def _enter(self, rows: int) -> None:
        bucket = bisect_left(CONTEXT_TOKENS, rows)
        self._above = CONTEXT_TOKENS[bucket - 1] if bucket else -1
        self._up_to = CONTEXT_TOKENS[bucket] if bucket < len(CONTEXT_TOKENS) else 1 << 62
        self._note = self._gaps.setdefault(bucket, array("d")).append

    @property
    def itl(self) -> tuple[int, ...]:
        """Gaps by bucket; empty where there were none."""
        if not self._gaps:
            return ()
        gaps = np.concatenate([np.frombuffer(gaps) for gaps in self._gaps.values()])
        buckets = np.searchsorted(ITL_SECONDS, gaps)
        return tuple(np.bincount(buckets, minlength=len(ITL_SECONDS) + 1).tolist())

    @property
    def sum(self) -> float:
        """Seconds of all gaps."""
        return sum(map(sum, self._gaps.values()))

    @property
    def speeds(self) -> tuple[Speed, ...]:
        """Tokens and seconds by size of the context, the smallest first."""
        return tuple(
            Speed(context, len(gaps), sum(gaps)) for context, gaps in sorted(self._gaps.items())
        )
