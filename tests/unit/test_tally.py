"""How fast tokens came."""

from __future__ import annotations

import pytest

from kronk.shared.telemetry.buckets import CONTEXT_TOKENS, ITL_SECONDS
from kronk.shared.wire.values import Speed
from kronk.worker.engine.tally import Tally


def test_gaps_are_counted_by_their_length_and_by_the_context_they_came_in() -> None:
    tally = Tally()
    for seconds, rows in [(0.0, 10), (0.015, 1024), (0.02, 1025), (9.0, 10**6)]:
        tally.gap(seconds, rows)
    counts = dict(zip((*ITL_SECONDS, None), tally.itl, strict=True))
    assert (counts[0.002], counts[0.02], counts[None]) == (1, 2, 1)
    assert sum(tally.itl) == 4
    assert tally.sum == pytest.approx(9.035)
    assert tally.speeds == (
        Speed(0, 2, 0.015),
        Speed(1, 1, 0.02),
        Speed(len(CONTEXT_TOKENS), 1, 9.0),
    )


def test_a_single_token_has_no_gap() -> None:
    assert (Tally().itl, Tally().sum, Tally().speeds) == ((), 0.0, ())
