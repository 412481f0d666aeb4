"""A server that has nothing to do uses no processor, whatever it has loaded."""

from __future__ import annotations

from harness import proc
from harness.server import Server

WINDOW = 2.0
# A resource bound, not a speed: heartbeats and ticks, once a second each.
SHARE = 0.05
# A machine that stands still charges that time to whoever was running; a process that polls is
# over its share in every window.
WINDOWS = 5


def test_no_process_uses_the_processor_while_idle(house: Server) -> None:
    for model in ("Tiny", "Slow"):
        house.text(model, "Hello!", max_tokens=1)
        house.wait_for_row(model, slots_busy=0, active_streams=0)
    house.settle()
    seen: list[dict[int, float]] = []
    while not seen or (max(seen[-1].values()) >= SHARE and len(seen) < WINDOWS):
        seen.append(proc.cpu_share([house.pid, *house.children()], WINDOW))
    assert max(seen[-1].values()) < SHARE, seen
