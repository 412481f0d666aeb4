"""What models were found to take: measured sizes by what was loaded, kept between starts. Pure.

The book is bounded, and damage to its file costs predictions of a loaded model at most.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# Loads that are remembered, the latest.
MOST_LOADS = 500
# How far one load of a model may correct what is predicted for another configuration of it.
LEAST_CORRECTION, MOST_CORRECTION = 0.8, 1.5
_VERSION = 1

Bytes = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Load:
    """One way to load one model."""

    # Changes with each of its files, and with its configuration too.
    files: str
    whole: str


@dataclass(frozen=True, slots=True)
class Measured:
    """What such a load took, and what had been predicted; bytes by device."""

    files: str
    taken: Bytes
    predicted: Bytes


class Learned:
    """The latest load comes last."""

    def __init__(self) -> None:
        self._loads: dict[str, Measured] = {}
        # Changes whenever what it says may have changed; `saved` is that of the file.
        self.version = 0
        self.saved = 0

    def expect(self, load: Load, predicted: Bytes) -> Bytes:
        """What the load will take: what it took before, else what is predicted, corrected by
        what other configurations of the model were found to take."""
        same = self._loads.get(load.whole)
        if same is not None:
            return same.taken
        others = [one for one in self._loads.values() if one.files == load.files]
        if not others:
            return predicted
        factor = _correction(others[-1])
        return {device: int(size * factor) for device, size in predicted.items()}

    def taken(self, load: Load) -> Bytes | None:
        """What exactly this load took the last time; None where it never did."""
        known = self._loads.get(load.whole)
        return known.taken if known is not None else None

    def measured(self, load: Load, taken: Bytes, predicted: Bytes) -> None:
        """A load took this much. It counts instead of what was known before."""
        self._loads.pop(load.whole, None)
        self._loads[load.whole] = Measured(load.files, dict(taken), dict(predicted))
        while len(self._loads) > MOST_LOADS:
            del self._loads[next(iter(self._loads))]
        self.version += 1

    def grew(self, load: Load, device: str, size: int) -> None:
        """Such a load took more in the course of time than when it was new."""
        known = self._loads.get(load.whole)
        if known is not None and size > known.taken.get(device, 0):
            self.measured(load, {**known.taken, device: size}, known.predicted)

    def to_json(self) -> bytes:
        """For a file."""
        rows = {
            whole: {"files": one.files, "taken": one.taken, "predicted": one.predicted}
            for whole, one in self._loads.items()
        }
        return json.dumps({"version": _VERSION, "loads": rows}).encode()

    def read(self, text: bytes) -> bool:
        """Take what a file says; false where that is not all in order, and the rest is left out."""
        try:
            document = json.loads(text)
            rows = list(document["loads"].items()) if document["version"] == _VERSION else []
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return False
        good = {whole: _measured(row) for whole, row in rows[-MOST_LOADS:]}
        self._loads |= {whole: one for whole, one in good.items() if one is not None}
        self.version = self.saved = self.version + 1
        return None not in good.values() and len(rows) <= MOST_LOADS


def _correction(one: Measured) -> float:
    before, after = sum(one.predicted.values()), sum(one.taken.values())
    if not before or not after:
        return 1.0
    return min(max(after / before, LEAST_CORRECTION), MOST_CORRECTION)


def _measured(row: Any) -> Measured | None:
    if not isinstance(row, dict) or not isinstance(row.get("files"), str):
        return None
    taken, predicted = _bytes(row.get("taken")), _bytes(row.get("predicted"))
    if taken is None or predicted is None:
        return None
    return Measured(row["files"], taken, predicted)


def _bytes(value: Any) -> dict[str, int] | None:
    if not isinstance(value, dict):
        return None
    is_good = all(type(size) is int and 0 <= size < 2**60 for size in value.values())
    return value if is_good else None
