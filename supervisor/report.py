"""The answer to `kronk ps`, from the fleet's books and the kernel's."""

from __future__ import annotations

import os

from kronk.shared.wire.status import ProcessStatus
from kronk.shared.wire.to_gateway import Status

from .fleet import Fleet
from .hosts import Hosts
from .memory import Memory, resident_bytes
from .processes import Processes


def status(
    ask: int,
    now: float,
    fleet: Fleet,
    memory: Memory,
    processes: Processes,
    hosts: Hosts | None,
    gateway: int | None,
    *,
    draining: bool,
    since: float,
    departures: int,
) -> Status:
    """Models, and the processes that have none. `gateway` is its generation while it runs."""
    living: dict[int, tuple[int, int | None]] = {
        child.generation: (child.pid, rss)
        for child in processes
        if (rss := resident_bytes(child.pid)) is not None
    }
    if hosts is not None:
        living |= {child.generation: (child.pid, None) for child in hosts if child.pid is not None}
    roles = {gateway: "gateway", fleet.view.spare: "spare"}
    rows = [ProcessStatus("supervisor", os.getpid(), 0, resident_bytes(os.getpid()) or 0)]
    rows += [
        ProcessStatus(roles[generation], pid, generation, rss or 0)
        for generation, (pid, rss) in living.items()
        if generation in roles
    ]
    models = tuple(fleet.view.status(now, living))
    budgets = memory.status(fleet)
    return Status(
        ask,
        draining,
        models,
        tuple(rows),
        budgets,
        leases=fleet.view.leases,
        counters=fleet.view.counters,
        refusals=fleet.view.refusals,
        since=since,
        departures=departures,
    )
