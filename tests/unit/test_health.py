"""Frozen, stuck or neither; dead is not decided here."""

from __future__ import annotations

import math

import pytest

from kronk.supervisor.health import (
    FROZEN_AFTER,
    LEAST_FROZEN_AFTER,
    STUCK_AFTER,
    Limits,
    Vitals,
    judge,
    limits,
    slept,
)

USUAL = Limits()


@pytest.mark.parametrize(
    ("heartbeat", "progress", "busy", "verdict"),
    [
        (100.0, 100.0, False, None),
        # A long silence of the counter is nothing while there is nothing to do.
        (100.0, 0.0, False, None),
        (100.0, 100.0 - STUCK_AFTER, True, None),
        (100.0, 99.9 - STUCK_AFTER, True, "stuck"),
        (100.0 - FROZEN_AFTER, 100.0, False, None),
        (99.9 - FROZEN_AFTER, 100.0, False, "frozen"),
        (99.9 - FROZEN_AFTER, 100.0, True, "frozen"),
        # Its last word was not that it stands still for so long.
        (98.0, 99.9 - STUCK_AFTER, True, None),
        (99.0, 98.9 - STUCK_AFTER, True, "stuck"),
        # Never heard of: a process that does not report has a deadline of its own.
        (None, 100.0, False, None),
        (None, 99.9 - STUCK_AFTER, True, "stuck"),
    ],
)
def test_the_two_clocks_are_judged_apart(
    heartbeat: float | None, progress: float, busy: bool, verdict: str | None
) -> None:
    assert judge(heartbeat, progress, busy, 100.0, USUAL) == verdict


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        (60.0, Limits(60.0, 60.0)),
        (10.0, Limits(10.0, 10.0)),
        # Heartbeats come once a second.
        (0.5, Limits(LEAST_FROZEN_AFTER, 0.5)),
        # More time for a step is not more time for a thread that takes none.
        (600.0, Limits(FROZEN_AFTER, 600.0)),
        (0.0, Limits(FROZEN_AFTER, math.inf)),
    ],
)
def test_both_limits_follow_from_one_setting(setting: float, expected: Limits) -> None:
    assert limits(setting) == expected


def test_a_limit_of_for_ever_is_never_reached() -> None:
    assert judge(1e9, 0.0, True, 1e9, limits(0.0)) is None


def test_progress_keeps_a_long_prefill_alive() -> None:
    vitals = Vitals(None, 0.0)
    for second in range(600):
        vitals.beat(float(second), progress=second // 50, busy=True)
        assert vitals.judge(float(second), USUAL) is None


def test_becoming_busy_starts_the_clock_anew() -> None:
    vitals = Vitals(None, 0.0)
    vitals.beat(1000.0, progress=0, busy=False)
    vitals.beat(1001.0, progress=0, busy=True)
    assert vitals.judge(1001.0 + STUCK_AFTER, USUAL) is None


def test_a_process_that_is_stopped_before_its_first_heartbeat_is_missed() -> None:
    vitals = Vitals(None, 0.0)
    assert vitals.judge(1000.0, USUAL) is None
    vitals.introduced(1000.0)
    assert vitals.judge(1000.0 + FROZEN_AFTER, USUAL) is None
    assert vitals.judge(1001.0 + FROZEN_AFTER, USUAL) == "frozen"


def test_forgiving_starts_both_clocks_anew() -> None:
    vitals = Vitals(0.0, 0.0, busy=True)
    vitals.forgive(1000.0)
    assert vitals.judge(1000.0 + STUCK_AFTER, USUAL) is None


@pytest.mark.parametrize(
    ("last", "now", "answer"), [(None, 100.0, False), (99.0, 100.0, False), (90.0, 100.0, True)]
)
def test_a_gap_between_our_own_ticks_is_noticed(
    last: float | None, now: float, answer: bool
) -> None:
    assert slept(last, now, USUAL) is answer


@pytest.mark.parametrize(
    ("stuck_after", "gap"), [(0.0, 5.0), (600.0, 5.0), (60.0, 5.0), (6.0, 3.0), (0.5, 2.0)]
)
def test_shorter_limits_notice_shorter_gaps(stuck_after: float, gap: float) -> None:
    assert limits(stuck_after).gap == gap
