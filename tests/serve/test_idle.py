"""A server that has nothing to do uses no processor, whatever it has loaded."""

from __future__ import annotations

from harness import proc
from harness.server import Server

WINDOW = 2.0
# A resource bound, not a speed: heartbeats and ticks, once a second each.
SHARE = 0.05


def test_no_process_uses_the_processor_while_idle(house: Server) -> None:
    for model in ("Tiny", "Slow"):
        house.text(model, "Hello!", max_tokens=1)
        house.wait_for_row(model, slots_busy=0, active_streams=0)
    house.settle()
    shares = proc.cpu_share([house.pid, *house.children()], WINDOW)
    assert all(share < SHARE for share in shares.values()), shares
