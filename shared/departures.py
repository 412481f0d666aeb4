"""The ends of models' processes as a file: one JSON object a line, the latest last."""

from __future__ import annotations

import dataclasses
import json
import math
from collections import deque
from pathlib import Path
from typing import Any

from .errors import WireError
from .wire import to_gateway
from .wire.codec import encode
from .wire.status import Departure

# Read at most; an end with the stacks of many threads has some ten thousand bytes.
_MOST_BYTES = 8 * 1024 * 1024
# Ends that are kept of one model: those that were wanted come every few minutes, and must not
# drive out the others.
KEPT_WANTED = 10
KEPT_UNWANTED = 50
# Of all models.
KEPT = 500
# In one answer.
MOST_TOLD = 100

_NAMES = frozenset(field.name for field in dataclasses.fields(Departure))


class History:
    """The last ends of every model's processes, in their order."""

    def __init__(self) -> None:
        self._departures: deque[Departure] = deque(maxlen=KEPT)

    def __len__(self) -> int:
        return len(self._departures)

    def add(self, departure: Departure) -> None:
        """The latest of all; the oldest of its kind may have to go."""
        kind = _kind(departure)
        alike = [one for one in self._departures if _kind(one) == kind]
        if len(alike) >= (KEPT_WANTED if kind[1] else KEPT_UNWANTED):
            self._departures.remove(alike[0])
        self._departures.append(departure)

    def all(self) -> tuple[Departure, ...]:
        """All there are, the oldest first."""
        return tuple(self._departures)

    def latest(self, model: str | None, most: int) -> tuple[Departure, ...]:
        """Those of one model or of all, the latest first."""
        of_model = [one for one in self._departures if model is None or one.model == model]
        return tuple(of_model[::-1][:most])


def _kind(departure: Departure) -> tuple[str, bool]:
    return departure.model, departure.outcome == "unloaded"


def to_line(departure: Departure) -> str:
    """One line of the file, without its end."""
    return json.dumps(dataclasses.asdict(departure), ensure_ascii=False)


def from_line(line: str) -> Departure | None:
    """What the line says; None where it is damaged, or of a version with other fields."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(row, dict):
        return None
    known: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in row.items()
        if key in _NAMES
    }
    try:
        return _sound(Departure(**known))
    except (TypeError, ValueError, OverflowError, WireError):
        return None


def read(path: Path) -> History:
    """What a file has; what cannot be read of it is not in the answer."""
    history = History()
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(size - _MOST_BYTES, 0))
            data = file.read(_MOST_BYTES)
    except OSError:
        return history
    for line in data.decode(errors="replace").split("\n"):
        departure = from_line(line) if line else None
        if departure is not None:
            history.add(departure)
    return history


def _sound(departure: Departure) -> Departure:
    """The same, if it can be told to the gateway; raises where it cannot."""
    for time in (departure.started, departure.ready or 0.0, departure.ended):
        if not math.isfinite(time):
            raise ValueError("not a time")
    _, (message,) = to_gateway.CONTROL.decode(encode(0, [to_gateway.History(0, (departure,))]))
    (told,) = message.departures
    assert isinstance(told, Departure)
    return told
