"""Taking turns, and what to make of the rounds."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TypeVar

T = TypeVar("T")
Side = TypeVar("Side", bound=Hashable)


def in_turns(
    rounds: int, sides: Mapping[Side, Callable[[], T]], warm_ups: int = 1
) -> dict[Side, list[T]]:
    """What each side returned, round by round.

    All sides run in each round, so that noise hits all of them; the order is turned around from
    round to round. `warm_ups` rounds more, at first, do not count.
    """
    results: dict[Side, list[T]] = {side: [] for side in sides}
    for round_ in range(-warm_ups, rounds):
        for side in sides if round_ % 2 else reversed(list(sides)):
            result = sides[side]()
            if round_ >= 0:
                results[side].append(result)
    return results


def quotients(above: Sequence[float], below: Sequence[float]) -> list[float]:
    """The rounds' ratios."""
    return [a / b for a, b in zip(above, below, strict=True)]


def ratio(above: Sequence[float], below: Sequence[float]) -> float:
    """The median of the rounds' ratios."""
    return statistics.median(quotients(above, below))


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which that share of the values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
