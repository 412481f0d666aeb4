"""How long loads of a model took, and so how long the one that runs still will.

An estimate is given where there is something to base it on: this load's own pace, once it has one,
else what earlier loads of the model took. A load that takes longer than that has none.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

MOST_MODELS = 200
# The latest of each model: the file may have moved to another disk, or into the page cache.
KEPT = 5
# The pace of the first moments is that of the page cache or of a file system that wakes up.
PACE_AFTER_SECONDS, PACE_AFTER_FRACTION = 2.0, 0.1


@dataclass(frozen=True, slots=True)
class LoadTime:
    """Seconds from the assignment of a process to ready, and those of them after the weights."""

    total: float
    tail: float


@dataclass(slots=True)
class Progress:
    """How far one load is. Times are those of the fleet's clock."""

    began: float
    phase: str | None = None
    fraction: float = 0.0
    weights_from: float | None = None
    weights_to: float | None = None
    projector_from: float | None = None

    def report(self, phase: str, fraction: float, now: float) -> None:
        """What its worker says."""
        if phase == "weights" and self.weights_from is None:
            self.weights_from = now
        if phase != "weights" and self.weights_to is None:
            self.weights_to = now
        if phase == "projector" and self.projector_from is None:
            self.projector_from = now
        self.phase = phase
        self.fraction = min(max(fraction, 0.0), 1.0)

    def took(self, now: float) -> LoadTime:
        """Of a load that is complete."""
        tail = 0.0 if self.weights_to is None else now - self.weights_to
        return LoadTime(now - self.began, tail)


def eta(progress: Progress, known: Sequence[LoadTime], now: float) -> float | None:
    """Seconds that are left; None where nobody can know."""
    tail = median(load.tail for load in known) if known else None
    if progress.weights_to is not None:
        return _left(tail, now - progress.weights_to)
    if progress.weights_from is not None:
        spent = now - progress.weights_from
        if spent >= PACE_AFTER_SECONDS and progress.fraction >= PACE_AFTER_FRACTION:
            return spent * (1.0 - progress.fraction) / progress.fraction + (tail or 0.0)
    total = median(load.total for load in known) if known else None
    return _left(total, now - progress.began)


def _left(whole: float | None, spent: float) -> float | None:
    return None if whole is None or spent >= whole else whole - spent


class LoadTimes:
    """The latest loads of each model, of the models that were loaded last."""

    def __init__(self, known: Mapping[str, Sequence[LoadTime]] | None = None) -> None:
        # In the order of their latest loads.
        self._known = {model: tuple(loads)[-KEPT:] for model, loads in (known or {}).items()}

    def of(self, model: str) -> tuple[LoadTime, ...]:
        """The oldest first."""
        return self._known.get(model, ())

    def usual(self, model: str) -> float | None:
        """Seconds that a whole load takes."""
        loads = self.of(model)
        return median(load.total for load in loads) if loads else None

    def note(self, model: str, load: LoadTime) -> None:
        """A load is complete."""
        loads = (*self._known.pop(model, ()), load)
        self._known[model] = loads[-KEPT:]
        while len(self._known) > MOST_MODELS:
            del self._known[next(iter(self._known))]

    def dump(self) -> bytes:
        """JSON that `parse` reads."""
        models = {
            model: [[round(load.total, 3), round(load.tail, 3)] for load in loads]
            for model, loads in self._known.items()
        }
        return json.dumps({"version": 1, "models": models}).encode()


def parse(data: bytes) -> LoadTimes:
    """What `dump` wrote; what is damaged is forgotten, as it will be learned again."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return LoadTimes()
    models = document.get("models") if isinstance(document, dict) else None
    if not isinstance(models, dict) or document.get("version") != 1:
        return LoadTimes()
    read = {model: _loads(rows) for model, rows in list(models.items())[-MOST_MODELS:]}
    return LoadTimes({model: loads for model, loads in read.items() if loads})


def _loads(rows: Any) -> list[LoadTime]:
    return [LoadTime(*row) for row in rows if _is_row(row)] if isinstance(rows, list) else []


def _is_row(row: Any) -> bool:
    if not isinstance(row, list) or len(row) != 2:
        return False
    return all(
        type(number) in (int, float) and math.isfinite(number) and number >= 0 for number in row
    )
