"""Log-probabilities of a token and of the likeliest in its place, as the model itself sees them."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from kronk.shared.wire.values import Alternative, TokenLogprob

from .sampling import Ids, Logits

# What has no probability in float32, so that the wire and JSON carry a number.
LEAST = -9999.0
# Logit distances tried, nearest first, until enough tokens are inside.
_REACHES = (4.0, 8.0, 16.0, 32.0)


class Scorer:
    """One request's log-probabilities; `observe` a row, choose its token, `report` it.

    `top` is the number of alternatives, 0 to 20.
    """

    def __init__(self, top: int) -> None:
        self._top = top
        self._row: Logits = np.empty(0, np.float32)
        self._scratch: Logits = np.empty(0, np.float32)
        self._log_total = 0.0
        self._best: Ids = np.empty(0, np.intp)
        self._best_logits: list[float] = []

    def observe(self, logits: Logits) -> None:
        """Take in a raw row, before anything writes into it."""
        if self._row.size != logits.size:
            self._row = np.empty_like(logits)
            self._scratch = np.empty_like(logits)
        # The token is chosen after the row was written over.
        np.copyto(self._row, logits)
        self._log_total = self._log_sum()
        self._best = self._likeliest() if self._top else self._best

    def report(self, token: int, piece: Callable[[int], bytes]) -> TokenLogprob:
        """The log-probabilities for the row last observed, in which `token` was chosen.

        Alternatives are sorted, likeliest first; equally likely ones by their ids.
        """
        top = tuple(
            Alternative(piece(other), self._logprob(other)) for other in self._best.tolist()
        )
        return TokenLogprob(piece(token), self._logprob(token), top)

    def _logprob(self, token: int) -> float:
        value = float(self._row[token]) - self._log_total
        if math.isnan(value):
            return LEAST
        return min(0.0, max(LEAST, value))

    def _log_sum(self) -> float:
        """The logarithm of the sum of all exponentials."""
        best = float(self._row.max())
        if not math.isfinite(best):
            return best
        np.subtract(self._row, np.float32(best), out=self._scratch)
        np.exp(self._scratch, out=self._scratch)
        return best + math.log(float(self._scratch.sum(dtype=np.float64)))

    def _likeliest(self) -> Ids:
        """Ids of the best logits, best first."""
        row, count = self._row, min(self._top, self._row.size)
        best = float(row.max())
        inside = np.empty(0, np.intp)
        for distance in _REACHES:
            inside = np.flatnonzero(row >= best - distance)
            if inside.size >= count:
                break
        if inside.size < count:
            last = np.partition(row, row.size - count)[row.size - count]
            inside = np.flatnonzero(row >= last)
        # Rising ids and a stable sort keep ties in the order of their ids.
        order = np.argsort(-row[inside], kind="stable")
        return inside[order][:count]
