"""What has become of each model since the server started: loads, evictions and other ends."""

from __future__ import annotations

import math
from collections import Counter

from kronk.shared import exits
from kronk.shared.errors import InsufficientMemory
from kronk.shared.telemetry.buckets import LOAD_SECONDS
from kronk.shared.telemetry.histogram import Histogram
from kronk.shared.wire.status import ModelCounters

from .cause import Exit, signal_name
from .load_times import Progress
from .verdict import Ending, Facts, ran_out_of_memory


class _Tally:
    def __init__(self) -> None:
        self.loads = Histogram(LOAD_SECONDS)
        self.least, self.most = math.inf, 0.0
        self.projector_loads = 0
        self.projector_seconds = 0.0
        self.projector_least, self.projector_most = math.inf, 0.0
        self.evictions: Counter[str] = Counter()
        self.exits: Counter[str] = Counter()


class Counters:
    """Of all models that ever had a process. Nothing is taken back, and nothing outlives the
    supervisor."""

    def __init__(self) -> None:
        self._tallies: dict[str, _Tally] = {}

    def loaded(self, model: str, progress: Progress, now: float) -> None:
        """A load has worked."""
        tally, seconds = self._of(model), now - progress.began
        tally.loads.observe(seconds)
        tally.least, tally.most = min(tally.least, seconds), max(tally.most, seconds)
        if progress.projector_from is not None:
            seconds = now - progress.projector_from
            tally.projector_loads += 1
            tally.projector_seconds += seconds
            tally.projector_least = min(tally.projector_least, seconds)
            tally.projector_most = max(tally.projector_most, seconds)

    def ended(self, model: str, facts: Facts) -> None:
        """The process of a model was reaped."""
        reason = eviction(facts.ending, facts.exit)
        if reason is not None:
            self._of(model).evictions[reason] += 1
        else:
            self._of(model).exits[cause(facts.ending, facts.exit)] += 1

    def told(self, model: str, restarts: int) -> ModelCounters:
        """As the gateway is told; all zero for a model that never had a process."""
        tally = self._tallies.get(model) or _Tally()
        return ModelCounters(
            model=model,
            loads=tally.loads.count,
            load_seconds=tally.loads.sum,
            load_buckets=tuple(tally.loads.counts),
            evictions=dict(tally.evictions),
            exits=dict(tally.exits),
            load_min=tally.least if tally.loads.count else 0.0,
            load_max=tally.most,
            projector_loads=tally.projector_loads,
            projector_seconds=tally.projector_seconds,
            projector_min=tally.projector_least if tally.projector_loads else 0.0,
            projector_max=tally.projector_most,
            restarts=restarts,
        )

    def _of(self, model: str) -> _Tally:
        return self._tallies.setdefault(model, _Tally())


def eviction(ending: Ending | None, exit: Exit) -> str | None:
    """Why a process was ended as wanted; None where it was not."""
    if ending is not None:
        return ending.reason if ending.expected else None
    # With its host, which is nobody's failure.
    return None if exit.reason is None else "host"


def cause(ending: Ending | None, exit: Exit) -> str:
    """What ended a process that was not to end, in one of few words."""
    if ending is not None and ending.error is not None:
        out_of_memory = isinstance(ending.error, InsufficientMemory)
        return "out_of_memory" if out_of_memory else "load_failed"
    if ending is not None:
        return ending.reason
    if ran_out_of_memory(None, exit):
        return "out_of_memory"
    if exit.returncode is None:
        return "not_started"
    if exit.signal is not None:
        return signal_name(exit.signal).replace(" ", "_")
    return "load_failed" if exit.returncode == exits.BAD_MODEL else f"exit_{exit.returncode}"
