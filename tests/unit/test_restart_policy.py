"""When a process that died may be started again."""

from __future__ import annotations

import pytest

from kronk.supervisor.front import HOPELESS_AFTER, Cure, Front
from kronk.supervisor.health import FROZEN_AFTER
from kronk.supervisor.pool import ABORT_GRACE, KILL_AGAIN
from kronk.supervisor.restart import STABLE, WINDOW, GiveUp, Restarts, Retry
from kronk.supervisor.workers import HELLO_WITHIN


def test_delays_double_and_the_fifth_failure_in_the_window_gives_up() -> None:
    restarts = Restarts()
    verdicts = [restarts.failed(100.0) for _ in range(5)]
    assert verdicts == [Retry(101.0), Retry(102.0), Retry(104.0), Retry(108.0), GiveUp(160.0)]


def test_failures_far_apart_never_give_up_and_the_delay_ends_at_a_minute() -> None:
    restarts = Restarts()
    delays = []
    for number in range(10):
        now = number * (WINDOW / 4 + 1)
        verdict = restarts.failed(now)
        assert isinstance(verdict, Retry)
        delays.append(verdict.at - now)
    assert delays == [1, 2, 4, 8, 16, 32, 60, 60, 60, 60]


def test_a_failing_probe_gives_up_at_once_and_for_longer_each_time() -> None:
    restarts = Restarts()
    for _ in range(5):
        restarts.failed(0.0)
    holds = []
    for now in (1000.0, 3000.0, 5000.0, 7000.0, 9000.0):
        verdict = restarts.failed(now)
        assert isinstance(verdict, GiveUp)
        holds.append(verdict.until - now)
    assert holds == [120.0, 240.0, 480.0, 600.0, 600.0]


@pytest.mark.parametrize(
    ("up_for", "expected"),
    [(STABLE, Retry(2001.0)), (STABLE - 1, GiveUp(2120.0))],
)
def test_only_a_probe_that_stayed_up_ends_the_suspicion(
    up_for: float, expected: Retry | GiveUp
) -> None:
    restarts = Restarts()
    for _ in range(5):
        restarts.failed(0.0)
    assert restarts.failed(2000.0, up_since=2000.0 - up_for) == expected


def test_a_known_cause_gives_up_without_counting_to_five() -> None:
    assert Restarts().give_up(10.0) == GiveUp(70.0)


def test_the_gateway_comes_back_at_once_the_first_time_and_later_each_time_after() -> None:
    front = Front(0.0)
    delays = []
    for now in (100.0, 101.0, 102.0, 103.0, 104.0):
        front.started(1, now)
        front.said_hello(now)
        delays.append(front.exited(now + 0.5))
    assert delays == [0.0, 1.0, 2.0, 4.0, 8.0]


def test_a_gateway_that_was_up_for_long_comes_back_at_once_again() -> None:
    front = Front(0.0)
    for now in (0.0, 1.0):
        front.started(1, now)
        front.said_hello(now)
        front.exited(now)
    front.started(2, 2.0)
    front.said_hello(2.0)
    assert front.exited(2.0 + STABLE) == 0.0


def test_a_gateway_that_never_came_up_is_hopeless_after_three_deaths() -> None:
    front = Front(0.0)
    for number in range(HOPELESS_AFTER):
        assert not front.is_hopeless
        front.started(number, 0.0)
        front.exited(0.0)
    assert front.is_hopeless


def test_a_gateway_that_was_up_once_is_never_given_up() -> None:
    front = Front(0.0)
    for number in range(20):
        front.started(number, 0.0)
        front.said_hello(0.0)
        front.exited(0.0)
    assert not front.is_hopeless


def cures(front: Front, start: float, seconds: float) -> list[tuple[float, str]]:
    """What is done to the gateway in so many seconds of silence."""
    done = []
    for second in range(round(seconds) + 1):
        cure = front.watch(start + second)
        if cure is not None:
            done.append((float(second), cure.by))
    return done


def test_a_gateway_that_beats_is_left_alone_however_long() -> None:
    front = Front(0.0)
    front.started(1, 0.0)
    front.said_hello(1.0)
    for second in range(1000):
        front.beat(float(second))
        assert front.watch(second + FROZEN_AFTER) is None


def test_a_gateway_whose_loop_stands_still_is_aborted_then_killed_until_it_is_gone() -> None:
    front = Front(0.0)
    front.started(1, 0.0)
    front.said_hello(0.0)
    aborted = FROZEN_AFTER + 1
    killed = aborted + ABORT_GRACE
    assert cures(front, 0.0, killed + KILL_AGAIN) == [
        (aborted, "abort"),
        (killed, "kill"),
        (killed + KILL_AGAIN, "kill"),
    ]
    front.exited(1000.0)
    front.started(2, 1000.0)
    assert front.watch(1001.0) is None


def test_a_gateway_that_never_reports_is_aborted_too() -> None:
    front = Front(0.0)
    front.started(1, 0.0)
    assert front.watch(HELLO_WITHIN) == Cure("abort", "it did not report after its start")


def test_a_standstill_of_the_supervisor_is_not_the_gateways() -> None:
    front = Front(0.0)
    front.started(1, 0.0)
    front.said_hello(0.0)
    front.postpone(10_000.0)
    assert front.watch(10_000.0 + FROZEN_AFTER) is None
