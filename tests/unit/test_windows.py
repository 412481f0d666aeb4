"""Limits count in days, months and years of UTC."""

from __future__ import annotations

import calendar
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kronk.shared.security.windows import WindowName, is_before, window_of, windows_at

NAMES: tuple[WindowName, ...] = ("day", "month", "year")
# Up to the year 9999, which is the library's that is compared with.
MOMENTS = st.floats(min_value=-2e9, max_value=250_000_000_000)


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("moment", "name", "key", "resets"),
    [
        ("2026-11-22T04:30:00", "day", "2026-11-22", "2026-11-23"),
        ("2026-11-22T04:30:00", "month", "2026-11", "2026-12-01"),
        ("2026-11-22T04:30:00", "year", "2026", "2027-01-01"),
        ("2026-11-22T00:00:00", "day", "2026-11-22", "2026-11-23"),
        ("2026-11-22T23:59:59.999", "day", "2026-11-22", "2026-11-23"),
        ("2026-12-31T23:59:59", "day", "2026-12-31", "2027-01-01"),
        ("2026-12-31T23:59:59", "month", "2026-12", "2027-01-01"),
        ("2027-01-01T00:00:00", "year", "2027", "2028-01-01"),
        ("2028-02-28T12:00:00", "day", "2028-02-28", "2028-02-29"),
        ("2028-02-29T12:00:00", "month", "2028-02", "2028-03-01"),
        ("2027-02-10T12:00:00", "month", "2027-02", "2027-03-01"),
        ("2028-06-01T00:00:00", "year", "2028", "2029-01-01"),
        # No leap years: 2100 is none, 2000 was one.
        ("2100-02-28T12:00:00", "day", "2100-02-28", "2100-03-01"),
        ("2000-02-29T12:00:00", "day", "2000-02-29", "2000-03-01"),
        # A leap second was here; Unix time does not know it.
        ("2016-12-31T23:59:59", "day", "2016-12-31", "2017-01-01"),
        # A machine without a clock of its own.
        ("1970-01-01T00:00:00", "year", "1970", "1971-01-01"),
    ],
)
def test_a_moment_lies_in_a_window_that_resets_at_a_boundary_of_utc(
    moment: str, name: WindowName, key: str, resets: str
) -> None:
    window = window_of(at(moment), name)
    assert (window.key, window.resets) == (key, at(resets))


@given(MOMENTS, st.sampled_from(NAMES))
def test_windows_follow_each_other_without_a_gap(now: float, name: WindowName) -> None:
    window = window_of(now, name)
    assert window.starts <= now < window.resets
    assert window_of(window.starts, name) == window
    following = window_of(window.resets, name)
    assert following.starts == window.resets
    assert following.key > window.key


@given(MOMENTS)
def test_a_key_is_the_date_that_the_calendar_of_the_library_says(now: float) -> None:
    date = datetime.fromtimestamp(now // 86400 * 86400, UTC)
    windows = windows_at(now)
    assert windows.day.key == date.strftime("%Y-%m-%d").rjust(10, "0")
    assert windows.month.starts == calendar.timegm((date.year, date.month, 1, 0, 0, 0))
    assert windows.year.starts == calendar.timegm((date.year, 1, 1, 0, 0, 0))


def test_a_clock_that_is_set_back_comes_to_the_window_it_was_in() -> None:
    before = windows_at(at("2026-11-22T23:59:59"))
    assert windows_at(at("2026-11-23T00:00:01")) != before
    assert windows_at(at("2026-11-22T23:59:58")) == before


@pytest.mark.parametrize(
    ("key", "is_over"),
    [
        ("2026-11-21", True),
        ("2026-11-22", False),
        ("2026-11-23", False),
        ("2026-10", True),
        ("2026-11", False),
        ("2025", True),
        ("2026", False),
        ("what", False),
        ("", False),
    ],
)
def test_windows_of_one_kind_are_ordered_by_their_keys(key: str, is_over: bool) -> None:
    assert is_before(key, windows_at(at("2026-11-22T04:30:00"))) is is_over


def test_moments_after_the_last_year_of_the_library_have_windows_too() -> None:
    window = window_of(253_402_300_800, "year")
    assert (window.key, window.resets - window.starts) == ("10000", 366 * 86400)
