"""Which models make room, and which have been idle for too long."""

from __future__ import annotations

import pytest

from kronk.supervisor.eviction import Resident, expired, expiry, least_recently_used

BUSY = Resident("busy", 1, 1.0)
OLD = Resident("old", 0, 2.0)
NEW = Resident("new", 0, 3.0)


@pytest.mark.parametrize(
    ("residents", "count", "chosen"),
    [
        ([], 1, []),
        ([NEW, OLD], 1, ["old"]),
        ([NEW, OLD], 2, ["old", "new"]),
        ([NEW, OLD], 0, []),
        ([NEW, OLD], -1, []),
        ([NEW], 3, ["new"]),
        # In use: not even when it is the oldest, and not when there is no other.
        ([BUSY, NEW, OLD], 3, ["old", "new"]),
        ([BUSY], 1, []),
    ],
)
def test_the_least_recently_used_idle_models_make_room(
    residents: list[Resident], count: int, chosen: list[str]
) -> None:
    assert least_recently_used(residents, count) == chosen


@pytest.mark.parametrize(
    ("resident", "ttl", "at"),
    [(OLD, 10.0, 12.0), (OLD, 0.0, None), (BUSY, 10.0, None)],
)
def test_an_idle_model_expires_unless_the_ttl_is_zero(
    resident: Resident, ttl: float, at: float | None
) -> None:
    assert expiry(resident, ttl) == at


@pytest.mark.parametrize(
    ("ttl", "now", "names"),
    [
        (10.0, 11.9, []),
        (10.0, 12.0, ["old"]),
        (10.0, 13.0, ["old", "new"]),
        (0.0, 1e9, []),
    ],
)
def test_expired_models_are_those_idle_for_the_ttl(
    ttl: float, now: float, names: list[str]
) -> None:
    assert expired([BUSY, OLD, NEW], ttl, now) == names
