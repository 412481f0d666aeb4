"""Is a live process frozen or stuck? Whether it is dead is the kernel's to say, not ours.

*Frozen* is no heartbeat from a thread that does nothing else. *Stuck* is an engine that says it
is busy while its progress counter stands still; one that says nothing is not known to be. A long
prefill moves the counter, a held GIL ends within seconds, and a slow machine is slow at both: none
of them is either.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["frozen", "stuck"]

# Heartbeats come once a second. Both limits are generous because the cure is a kill: the slowest
# single step known is one 512-row prefill chunk of a large model on few cores, some ten seconds.
FROZEN_AFTER = 60.0
STUCK_AFTER = 60.0
# Two heartbeats may be late on any machine.
LEAST_FROZEN_AFTER = 3.0
# Our own ticks come once a second. After a gap like this we were stopped ourselves (SIGSTOP, a
# suspended machine), and so, presumably, was everybody else.
GAP = 5.0
LEAST_GAP = 2.0


@dataclass(frozen=True, slots=True)
class Limits:
    """How long each sign of life may be missing, in seconds; infinity is for ever."""

    frozen: float = FROZEN_AFTER
    stuck: float = STUCK_AFTER

    @property
    def gap(self) -> float:
        """The gap between our own ticks from which on nobody is judged: well below what it would be
        taken for in others, and more than a busy machine makes of a second."""
        return min(max(min(self.frozen, self.stuck) / 2, LEAST_GAP), GAP)


def limits(stuck_after: float) -> Limits:
    """Those of the setting, of which zero is for ever.

    Who wants to know sooner than usual wants to know both sooner. Who allows more time for a step
    does not mean the heartbeat: its thread has nothing to do that could take longer.
    """
    stuck = stuck_after or math.inf
    return Limits(min(max(stuck, LEAST_FROZEN_AFTER), FROZEN_AFTER), stuck)


def judge(
    last_heartbeat: float | None, last_progress: float, busy: bool, now: float, limits: Limits
) -> Verdict | None:
    """What the two clocks say; None is healthy. Before its hello a process owes no heartbeat."""
    if last_heartbeat is not None and now - last_heartbeat > limits.frozen:
        return "frozen"
    heard = now if last_heartbeat is None else last_heartbeat
    if busy and heard - last_progress > limits.stuck:
        return "stuck"
    return None


def slept(last_tick: float | None, now: float, limits: Limits) -> bool:
    """Did our own clock jump, so that no other clock may be judged by it?"""
    return last_tick is not None and now - last_tick > limits.gap


@dataclass(slots=True)
class Vitals:
    """The clocks of one process."""

    # None until the hello, from which on heartbeats are due.
    last_heartbeat: float | None
    # When the counter last moved, or the process last became busy.
    last_progress: float
    progress: int | None = None
    busy: bool = False

    def introduced(self, now: float) -> None:
        """It said hello. One that is stopped before its first heartbeat is missed from now on."""
        if self.last_heartbeat is None:
            self.last_heartbeat = now

    def beat(self, now: float, progress: int, busy: bool) -> None:
        """A heartbeat arrived."""
        self.last_heartbeat = now
        if progress != self.progress or (busy and not self.busy):
            self.last_progress = now
        self.progress = progress
        self.busy = busy

    def start_work(self, now: float) -> None:
        """It was given something to do."""
        self.busy = True
        self.last_progress = now

    def moved(self, now: float) -> None:
        """It reported progress by other means than a heartbeat."""
        self.last_progress = now

    def forgive(self, now: float) -> None:
        """Start both clocks anew."""
        if self.last_heartbeat is not None:
            self.last_heartbeat = now
        self.last_progress = now

    def judge(self, now: float, limits: Limits) -> Verdict | None:
        return judge(self.last_heartbeat, self.last_progress, self.busy, now, limits)
