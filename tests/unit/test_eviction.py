"""Which models make room, and which have been idle for too long."""

from __future__ import annotations

import math

import pytest

from kronk.supervisor.eviction import Resident, expired, expiry, least_recently_used

EVER = math.inf
BUSY = Resident("busy", 1, 1.0, 10.0)
OLD = Resident("old", 0, 2.0, 10.0)
NEW = Resident("new", 0, 3.0, EVER)


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
    ("ttl", "wanted_by", "at"),
    [(10.0, 0, 12.0), (0.0, 0, 2.0), (EVER, 0, None), (10.0, 1, None), (0.0, 1, None)],
)
def test_an_idle_model_expires_unless_its_ttl_is_for_ever(
    ttl: float, wanted_by: int, at: float | None
) -> None:
    assert expiry(Resident("a", wanted_by, 2.0, ttl)) == at


@pytest.mark.parametrize(("now", "names"), [(11.9, []), (12.0, ["old"]), (1e9, ["old"])])
def test_expired_models_are_those_idle_for_their_ttl(now: float, names: list[str]) -> None:
    assert expired([BUSY, OLD, NEW], now) == names
