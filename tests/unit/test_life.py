"""The server's stages and the limits of each; and when its shell looks at the clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from kronk.supervisor.life import GATEWAY_GRACE, Life, Stage
from kronk.supervisor.pace import TICK_SECONDS, Pace

NOW = 1000.0


def drained(timeout: float) -> Life:
    life = Life()
    life.drain(NOW, timeout)
    return life


def test_a_server_runs_without_a_limit() -> None:
    life = Life()
    assert life.is_running and not life.is_stopping
    assert life.deadline is None
    assert life.overdue(NOW + 1e9) is None


@pytest.mark.parametrize(("timeout", "deadline"), [(0, None), (30, NOW + 30 + GATEWAY_GRACE)])
def test_running_requests_may_end_within_the_limit(timeout: float, deadline: float | None) -> None:
    life = drained(timeout)
    assert life.stage is Stage.DRAINING
    assert not life.is_running and not life.is_stopping
    assert life.deadline == deadline


def test_the_end_of_a_stages_time_is_told_once() -> None:
    life = drained(30)
    assert life.deadline is not None
    assert life.overdue(life.deadline - 0.1) is None
    assert life.overdue(NOW + 40) is Stage.DRAINING
    assert life.overdue(NOW + 41) is None


@pytest.mark.parametrize("life", [Life(), drained(0), drained(30)])
def test_to_stop_is_told_once_and_has_a_limit_of_its_own(life: Life) -> None:
    assert life.stop(NOW + 5)
    assert life.is_stopping and not life.is_running
    assert life.deadline == NOW + 5 + GATEWAY_GRACE
    # Again does not put it off.
    assert not life.stop(NOW + 6)
    assert life.overdue(NOW + 5 + GATEWAY_GRACE) is Stage.STOPPING
    assert life.deadline is None


class Loop:
    """Its clock stands; what is arranged for, and not taken back, is due."""

    def __init__(self) -> None:
        self.now = NOW
        self.due: list[float] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[[], object]) -> Timer:
        self.due.append(when)
        return Timer(lambda: self.due.remove(when))


@dataclass
class Timer:
    cancel: Callable[[], None]


@pytest.fixture
def loop() -> Loop:
    return Loop()


@pytest.fixture
def pace(loop: Loop) -> Pace:
    return Pace(loop, lambda: None)  # type: ignore[arg-type]


def test_a_tick_arranges_for_the_next_and_knows_the_last(loop: Loop, pace: Pace) -> None:
    assert pace.begun(NOW) is None
    assert loop.due == [NOW + TICK_SECONDS]
    assert pace.begun(NOW + 5) == NOW
    assert loop.due == [NOW + 5 + TICK_SECONDS]


@pytest.mark.parametrize(
    ("passed", "deadlines", "due"),
    [
        (0.0, (), 1.0),
        (0.0, (None, None), 1.0),
        (0.0, (None, 0.5, 0.7), 0.5),
        (0.0, (7.0,), 1.0),
        # A second after the last tick, however often something happens.
        (0.9, (), 1.0),
        # What is past is due in the next turn, not in this one.
        (0.5, (0.2,), 0.501),
        (1.5, (), 1.501),
    ],
)
def test_the_clock_is_looked_at_when_the_first_thing_is_due(
    loop: Loop, pace: Pace, passed: float, deadlines: tuple[float | None, ...], due: float
) -> None:
    pace.begun(NOW)
    loop.now += passed
    pace.arm(*(None if at is None else NOW + at for at in deadlines))
    assert loop.due == pytest.approx([NOW + due])


def test_before_the_first_tick_a_second_counts_from_now(loop: Loop, pace: Pace) -> None:
    pace.arm(None)
    assert loop.due == [NOW + TICK_SECONDS]


def test_nothing_comes_after_the_end(loop: Loop, pace: Pace) -> None:
    pace.begun(NOW)
    pace.close()
    assert loop.due == []
