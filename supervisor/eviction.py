"""Which loaded models make room, and which have been idle for too long.

A TTL says how long a model may be idle, not that it stays: an idle model makes room for another
one that is wanted, also when its TTL is for ever. A pinned model stays.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Resident:
    """A ready model as eviction sees it."""

    model: str
    # Leases granted and requests waiting; a model with either is never unloaded.
    wanted_by: int
    last_used: float
    # Seconds it may be idle; infinity is for ever.
    ttl: float
    # It is not unloaded, whatever else is said.
    pinned: bool = False


def least_recently_used(residents: Iterable[Resident], count: int) -> list[str]:
    """The idle models to unload so that `count` places come free, or as many as there are."""
    idle = sorted(
        (resident for resident in residents if not resident.wanted_by and not resident.pinned),
        key=lambda resident: resident.last_used,
    )
    return [resident.model for resident in idle[: max(count, 0)]]


def expiry(resident: Resident) -> float | None:
    """When an idle model is to be unloaded; None while it is wanted, or if time never does it."""
    if resident.wanted_by or resident.pinned or math.isinf(resident.ttl):
        return None
    return resident.last_used + resident.ttl


def expired(residents: Iterable[Resident], now: float) -> list[str]:
    """The idle models whose TTL is over."""
    return [
        resident.model
        for resident in residents
        if (at := expiry(resident)) is not None and now >= at
    ]
