"""Which loaded models make room, and which have been idle for too long."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Resident:
    """A ready model as eviction sees it."""

    model: str
    # Leases granted and requests waiting; a model with either is never unloaded.
    wanted_by: int
    last_used: float


def least_recently_used(residents: Iterable[Resident], count: int) -> list[str]:
    """The idle models to unload so that `count` places come free, or as many as there are."""
    idle = sorted(
        (resident for resident in residents if not resident.wanted_by),
        key=lambda resident: resident.last_used,
    )
    return [resident.model for resident in idle[: max(count, 0)]]


def expiry(resident: Resident, ttl: float) -> float | None:
    """When an idle model is to be unloaded; None while it is wanted, or with a TTL of 0."""
    return resident.last_used + ttl if ttl and not resident.wanted_by else None


def expired(residents: Iterable[Resident], ttl: float, now: float) -> list[str]:
    """The idle models whose TTL is over."""
    return [
        resident.model
        for resident in residents
        if (at := expiry(resident, ttl)) is not None and now >= at
    ]
