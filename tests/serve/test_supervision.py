"""The supervisor keeps its own time, however much there is to do."""

from __future__ import annotations

import time

from harness.server import Server

# Longer than the gap by which the supervisor finds out that it stood still.
WINDOW = 6.0


def test_a_steady_stream_of_requests_does_not_stop_the_supervisors_clock(house: Server) -> None:
    house.text("Count", "from 7", max_tokens=1)
    known = len(house.events("the supervisor itself stood still"))
    started = time.monotonic()
    while time.monotonic() - started < WINDOW:
        house.text("Count", "from 7", max_tokens=1)
    assert len(house.events("the supervisor itself stood still")) == known
    # A clock that never ticks says nothing at all; the next quiet second would.
    house.wait_for_row("Count", active_streams=0, slots_busy=0, tokens_per_second=0.0)
    assert len(house.events("the supervisor itself stood still")) == known
