"""What the live state says of the last minute's waiting."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from kronk.gateway.live.latency import WINDOW_SECONDS, Latency, RecentLatency


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def run(ttft: float | None, outcome: str = "done", kind: str = "generate") -> Any:
    return SimpleNamespace(kind=kind, outcome=outcome, ttft=ttft)


@pytest.mark.parametrize(
    ("runs", "said"),
    [
        ([], Latency()),
        ([run(None, "failed")], Latency(1, 1)),
        ([run(0.25)], Latency(1, 0, 0.25, 0.25)),
        ([run(None, kind="embed"), run(2.0), run(1.0)], Latency(2, 0, 2.0, 2.0)),
        ([run(step / 100) for step in range(100)], Latency(100, 0, 0.5, 0.95)),
    ],
)
def test_percentiles_are_of_what_generated(runs: list[Any], said: Latency) -> None:
    recent = RecentLatency(Clock())
    for one in runs:
        recent.observe(one)
    assert recent.figures() == said


def test_what_is_older_than_a_minute_does_not_count() -> None:
    clock = Clock()
    recent = RecentLatency(clock)
    recent.observe(run(9.0))
    clock.now += WINDOW_SECONDS - 1
    recent.observe(run(1.0))
    clock.now += 2
    assert recent.figures() == Latency(1, 0, 1.0, 1.0)
