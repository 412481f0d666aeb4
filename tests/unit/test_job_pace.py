"""How fast a job gets on, from what it said when."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kronk.shared.jobs.pace import Pace, observe

Look = tuple[float, str, int, int | None]


def after(*looks: Look) -> Pace:
    pace = None
    for look in looks:
        pace = observe(pace, *look)
    assert pace is not None
    return pace


def steady(seconds: int, rate: int = 100, total: int | None = 10_000) -> list[Look]:
    return [(float(at), "download", at * rate, total) for at in range(seconds + 1)]


@pytest.mark.parametrize(
    ("looks", "rate", "eta"),
    [
        ([(0.0, "download", 0, 1000)], None, None),
        # What was there already took no time.
        ([(0.0, "download", 900, 1000)], None, None),
        ([(0.0, "download", 500, 1000), (1.0, "download", 600, 1000)], 100.0, None),
        (steady(4), 100.0, 96.0),
        (steady(4, total=None), 100.0, None),
        # Another file, another phase: nothing is known of it yet.
        ([*steady(4), (5.0, "verify", 0, 10_000)], None, None),
        ([*steady(4), (5.0, "download", 5000, 9000)], None, None),
        # Begun anew.
        ([*steady(4), (5.0, "download", 0, 10_000)], None, None),
        # Two looks at once.
        ([*steady(4), (4.1, "download", 9000, 10_000)], 100.0, 96.0),
        # It stands still from the start.
        ([(0.0, "download", 5, 10), (9.0, "download", 5, 10)], 0.0, None),
    ],
)
def test_rate_and_time_left_are_told_where_they_are_known(
    looks: list[Look], rate: float | None, eta: float | None
) -> None:
    pace = after(*looks)
    assert pace.rate == (None if rate is None else pytest.approx(rate))
    assert pace.eta == (None if eta is None else pytest.approx(eta))


def test_a_stall_lowers_the_rate_until_nothing_is_promised() -> None:
    pace = after(*steady(10))
    rates = []
    for at in range(11, 120):
        pace = observe(pace, float(at), "download", 1000, 10_000)
        rates.append(pace.rate)
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] is not None
    assert rates[-1] < 1e-6
    assert pace.eta is None


def test_a_faster_line_is_noticed_within_seconds() -> None:
    pace = after(*steady(20))
    for at in range(1, 11):
        pace = observe(pace, 20.0 + at, "download", 2000 + at * 1000, 10**6)
    # The total is another one, so nothing of the old pace counts; the same with the old total:
    assert pace.rate == pytest.approx(1000.0)
    pace = after(*steady(20, total=10**6))
    for at in range(1, 11):
        pace = observe(pace, 20.0 + at, "download", 2000 + at * 1000, 10**6)
    assert pace.rate is not None
    assert 800.0 < pace.rate < 1000.0


@given(
    st.lists(
        st.tuples(
            st.floats(0.0, 100.0),
            st.sampled_from(["download", "verify"]),
            st.integers(0, 10**12),
            st.none() | st.integers(0, 10**12),
        ),
        min_size=1,
    )
)
def test_no_sequence_of_reports_makes_nonsense(steps: list[Look]) -> None:
    now, pace = 0.0, None
    for span, phase, done, total in steps:
        now += span
        pace = observe(pace, now, phase, done, total)
        assert pace.rate is None or pace.rate >= 0.0
        assert pace.eta is None or 0.0 <= pace.eta <= 7 * 86_400
