"""What those that wait for a model are told about it, so that their clients can be told."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from kronk.shared.wire.to_gateway import Waiting

from .actions import Outbox, TellWaiting
from .lifecycle import State
from .model import Model

# A little less than a tick, which is never early but may be late.
EVERY = 0.9


class WaitingRoom:
    """One message for each model with a queue, when something has changed, at most one a second."""

    def __init__(self, out: Outbox) -> None:
        self._out = out
        # Model to what was said last, and when.
        self._told: dict[str, tuple[float, Waiting]] = {}

    def tell(
        self, models: Iterable[Model], load_left: Callable[[Model, float], float | None], now: float
    ) -> None:
        """Once a tick."""
        for model in models:
            if not model.queued:
                self._told.pop(model.id, None)
                continue
            at, last = self._told.get(model.id, (-math.inf, None))
            if now - at < EVERY:
                continue
            seen = waiting(model, load_left(model, now), now)
            if seen != last:
                self._told[model.id] = now, seen
                self._out.put(TellWaiting(seen))

    def gateway_lost(self) -> None:
        """The next one has heard nothing."""
        self._told.clear()


def waiting(model: Model, load_left: float | None, now: float) -> Waiting:
    """How those that wait for the model are doing, in whole seconds and per cent."""
    leases = model.line.in_turn(now)
    progress = model.worker.progress if model.worker and model.state is State.LOADING else None
    retry_in = model.retry_in(now)
    return Waiting(
        leases,
        model.state.value,
        phase=progress.phase if progress else None,
        fraction=round(progress.fraction, 2) if progress and progress.phase else None,
        eta=None if load_left is None else float(math.ceil(load_left)),
        retry_in=None if retry_in is None else float(math.ceil(retry_in)),
    )
