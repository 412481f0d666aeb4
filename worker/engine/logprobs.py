"""Log-probabilities of a token and of the likeliest in its place, as the model itself sees them."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from kronk.shared.wire.values import Alternative, TokenLogprob

from .sampling import Ids, Logits

# What has no probability in float32, so that the wire and JSON carry a number.
LEAST = -9999.0
# Distances from the best logit tried, nearest first, until enough tokens are inside.
_REACHES = (8.0, 16.0, 32.0)
_BLOCK = 4096


class Scorer:
    """One request's log-probabilities; `observe` a row, choose its token, `report` it.

    `top` is the number of alternatives, 0 to 20.
    """

    def __init__(self, top: int) -> None:
        self._top = top
        # Of each logit from the best, 0 or below: the token is chosen after the row was written
        # over.
        self._distances: Logits = np.empty(0, np.float32)
        self._scratch: Logits = np.empty(0, np.float32)
        # Logarithm of the sum of their exponentials.
        self._log_total = 0.0
        self._likeliest: list[int] = []

    def observe(self, logits: Logits) -> None:
        """Take in a raw row, before anything writes into it."""
        if self._distances.size != logits.size:
            self._distances = np.empty_like(logits)
            self._scratch = np.empty_like(logits)
        best = logits.max()
        if not math.isfinite(best):
            # No distribution: every token is as unlikely as can be.
            self._distances.fill(-math.inf)
            self._log_total, self._likeliest = 0.0, []
            return
        np.subtract(logits, best, out=self._distances)
        np.exp(self._distances, out=self._scratch)
        self._log_total = math.log(_total(self._scratch))
        self._likeliest = self._find_likeliest(logits) if self._top else []

    def report(self, token: int, piece: Callable[[int], bytes]) -> TokenLogprob:
        """The log-probabilities for the row last observed, in which `token` was chosen.

        Alternatives are sorted, likeliest first; equally likely ones by their ids.
        """
        top = tuple(Alternative(piece(other), self._logprob(other)) for other in self._likeliest)
        return TokenLogprob(piece(token), self._logprob(token), top)

    def _logprob(self, token: int) -> float:
        return max(LEAST, float(self._distances[token]) - self._log_total)

    def _find_likeliest(self, logits: Logits) -> list[int]:
        count = min(self._top, logits.size)
        inside: Ids = np.empty(0, np.intp)
        for reach in _REACHES:
            inside = np.flatnonzero(self._distances >= -reach)
            if inside.size >= count:
                break
        else:
            last = np.partition(logits, logits.size - count)[logits.size - count]
            inside = np.flatnonzero(logits >= last)
        # Rising ids and a stable sort keep ties in the order of their ids.
        order = np.argsort(-logits[inside], kind="stable")[:count]
        chosen: list[int] = inside[order].tolist()
        return chosen


def _total(weights: Logits) -> float:
    """Their sum: blocks in numpy's pairwise float32, which is twice as fast, the blocks in float64.

    A block's error is below that of a single logit.
    """
    blocks = np.add.reduceat(weights, np.arange(0, weights.size, _BLOCK))
    return float(blocks.sum(dtype=np.float64))
