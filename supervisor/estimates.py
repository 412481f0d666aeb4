"""When it is worth coming back: `Retry-After` from what models really take."""

from __future__ import annotations

# Bounds of what a caller is told, in seconds, and what it is told when nothing is known.
SOONEST, LATEST, UNKNOWN = 1.0, 60.0, 2.0
# What the latest request counts in the mean.
_WEIGHT = 0.2


class ServiceTime:
    """Seconds of a slot that a request of one model takes lately; None before the first."""

    def __init__(self) -> None:
        self.mean: float | None = None

    def note(self, held: float, in_slots: int, slots: int) -> None:
        """A request had its lease for `held` seconds, of which it waited its share behind the
        slots: `in_slots` had one too, itself among them."""
        served = held * min(slots / max(in_slots, 1), 1.0)
        self.mean = served if self.mean is None else self.mean + _WEIGHT * (served - self.mean)


def after_queue(mean: float | None, ahead: int, slots: int) -> float:
    """Until a request behind so many others would have a slot."""
    if mean is None:
        return UNKNOWN
    return bounded(mean * (ahead + 1) / max(slots, 1))


def after_load(left: float | None) -> float:
    """Until a load is complete that has so many seconds left."""
    return UNKNOWN if left is None else bounded(left)


def bounded(seconds: float) -> float:
    """Neither a hammering nor a good-bye."""
    return min(max(seconds, SOONEST), LATEST)
