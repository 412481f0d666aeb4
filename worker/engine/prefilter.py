"""Which tokens of a row the samplers could choose at all.

llama.cpp's samplers copy and sort what they are given: 0.3 to 20 ms a row at 262,144 tokens. Most
tokens cannot be chosen, so numpy first keeps those that can, and the C samplers see only them.
What is kept is a superset of what the chain could choose from the whole row, so the prefilter
changes cost, never the result:

* top-n-sigma is a threshold on the row's own mean and deviation; it is applied here, on all of it.
* With top-k, what follows sees K tokens, and those are kept.
* Without it, stages that look at probabilities (typical, top-p, XTC, the draw) lose what has none:
  exp(-30) is 1e-13, and a million tokens that far below the best do not add up to one float32
  rounding error. Typical-p ranks such tokens last, as no vocabulary has half that entropy.
  A temperature above 1 brings the tail closer, in proportion.
* Without any of these, min-p alone is a threshold on the logit.
* Mirostat 1 needs its best 100 and the K it will compute from them; mirostat 2 is a threshold on
  the probability. Both follow from the surprise it has reached (`mu`), which the caller tracks.

At least two tokens stay where there are two: a stage draws a random number only when it has a
choice, and the same seed must see the same draws.
"""

from __future__ import annotations

import math

import numpy as np

from .sampling import Ids, Logits, Resolved

_NEGLIGIBLE = 30.0
# Logit distances tried, nearest first, until enough tokens are inside.
_REACHES = (4.0, 8.0, 16.0)
# Mirostat 1 estimates its exponent from this many tokens; llama.cpp's default.
MIROSTAT_M = 100
# Rounding differs between numpy and C; thresholds give way by this much.
_ROUNDING = 1e-3


def candidates(row: Logits, params: Resolved, mu: float = 0.0) -> Ids:
    """Ids that the chain could choose from `row`, in rising order; none if the row has no best.

    `mu` is mirostat's state before this row.
    """
    best = float(np.maximum.reduce(row))
    if not math.isfinite(best):
        return np.empty(0, np.intp)
    match params.mirostat:
        case 1:
            return _best(row, best, _mirostat_k(row, best, params, mu), -math.inf)
        case 2:
            return _from(row, _mirostat_floor(row, best, params, mu))
    floor = _sigma_floor(row, best, params.top_n_sigma)
    if params.typical_p < 1.0:
        # Also under top-k: typical-p takes logarithms, and of a probability of 0 there is none.
        floor = max(floor, best - _NEGLIGIBLE)
    if 0 < params.top_k < row.size:
        return _best(row, best, params.top_k, floor)
    inside = _from(row, max(floor, best - reach(params)))
    return inside if inside.size > 1 else _best(row, best, 2, floor)


def reach(params: Resolved) -> float:
    """How far below the best logit a token can lie and still be chosen, without top-k."""
    if params.typical_p < 1.0 or params.top_p < 1.0:
        return _NEGLIGIBLE
    distance = _NEGLIGIBLE
    if params.xtc_probability > 0.0 and params.xtc_threshold <= 0.5:
        # What is left after the likely ones are gone can be as little as the threshold.
        distance -= math.log(params.xtc_threshold) if params.xtc_threshold > 0.0 else -math.inf
    distance *= max(1.0, params.temperature + params.dynatemp_range)
    if params.min_p > 0.0:
        distance = min(distance, _ROUNDING - math.log(params.min_p))
    return distance


def _best(row: Logits, best: float, count: int, floor: float) -> Ids:
    """The `count` best ids, and maybe more; none below `floor`."""
    for distance in _REACHES:
        inside = (row >= max(floor, best - distance)).nonzero()[0]
        # Once the floor is reached, more distance finds no more.
        if inside.size >= count or best - distance <= floor:
            return inside
    possible = _from(row, floor)
    if possible.size <= count:
        return possible
    chosen = np.argpartition(row[possible], -count)[-count:]
    return np.sort(possible[chosen])


def _from(row: Logits, floor: float) -> Ids:
    """What reaches `floor`; of what is ruled out, nothing ever does."""
    return (row >= floor if floor > -math.inf else row > floor).nonzero()[0]


def _sigma_floor(row: Logits, best: float, n_sigma: float) -> float:
    """Top-n-sigma's threshold; tokens that are ruled out have no part in the deviation."""
    if n_sigma <= 0.0:
        return -math.inf
    finite = row if row.min() > -math.inf else row[row > -math.inf]
    distances = finite - finite.mean()
    return best - n_sigma * math.sqrt(float(np.dot(distances, distances)) / finite.size)


def _mirostat_floor(row: Logits, best: float, params: Resolved, mu: float) -> float:
    """Mirostat 2 keeps what surprises by no more than `mu` bits."""
    distances = (row - np.float32(best)) / np.float32(params.temperature)
    log_total = math.log(float(np.exp(distances, out=distances).sum(dtype=np.float64)))
    nats = min(mu * math.log(2.0) - log_total, _NEGLIGIBLE)
    return best - max(0.0, nats) * params.temperature


def _mirostat_k(row: Logits, best: float, params: Resolved, mu: float) -> int:
    """Mirostat 1 computes its K from the slope of the best tokens' probabilities."""
    head = np.sort(row[_best(row, best, MIROSTAT_M, -math.inf)])[::-1][:MIROSTAT_M]
    if head.size < 2:
        return MIROSTAT_M
    ranks = np.arange(1, head.size, dtype=np.float64)
    steps = np.log((ranks + 1) / ranks)
    drops = -np.diff(head.astype(np.float64)) / params.temperature
    slope = float((steps * drops).sum() / (steps * steps).sum())
    excess = slope - 1.0
    try:
        k = ((excess * 2.0**mu) / (1.0 - row.size**-excess)) ** (1.0 / slope)
    except (OverflowError, ZeroDivisionError):
        return row.size
    if isinstance(k, complex) or not math.isfinite(k):
        return row.size
    return max(MIROSTAT_M, min(int(k * 1.01) + 2, row.size))
