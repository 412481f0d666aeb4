"""What an operator wants of a model: that it goes, or stays, or that its failures are forgotten."""

from __future__ import annotations

from collections.abc import Iterable

from kronk.shared.errors import ModelUnloaded
from kronk.shared.wire.to_supervisor import Manage

from .actions import Outbox, TellManaged
from .estimates import UNKNOWN
from .leases import Leases
from .lifecycle import Event, State
from .model import Model
from .pool import Pool
from .verdict import Ending

_UNLOADED = Ending("an operator wanted it", "operator", expected=True)


class Orders:
    """Invariant: who is in `_unloads` waits for the end of a process that is being drained."""

    def __init__(self, out: Outbox, pool: Pool, leases: Leases) -> None:
        self._out = out
        self._pool = pool
        self._leases = leases
        # By id of the model; what was said of models that were never loaded counts once they are.
        self._pins: dict[str, bool] = {}
        # Model to the questions that are answered when its process is gone, with its state then.
        self._unloads: dict[str, list[tuple[int, str]]] = {}

    def pin_of(self, model: str) -> bool | None:
        """What an operator said; None where none did."""
        return self._pins.get(model)

    def pin(self, order: Manage, model: Model | None, now: float) -> None:
        """`pin` and `unpin`. A model that is let go of begins its idle time."""
        self._pins[order.model] = order.action == "pin"
        if model is not None:
            model.pin_order = self._pins[order.model]
            model.last_used = now
        self._answer(order.ask, _state(model), model)

    def reset(self, order: Manage, model: Model | None, now: float) -> None:
        """The cause of its failures was repaired: it is tried when next wanted."""
        before = _state(model)
        if model is not None:
            model.forgive(now)
        self._answer(order.ask, before, model)

    def unload(self, order: Manage, model: Model | None, now: float) -> None:
        """Answered when its process is gone, which may be at once."""
        before = _state(model)
        if model is None:
            self._answer(order.ask, before, None)
            return
        self._out.note("info", "unload asked for", model=model.id, state=before, force=order.force)
        model.wish = None
        if order.force or model.state not in (State.READY, State.DRAINING):
            words = f"{model.id} was unloaded: {_UNLOADED.words}"
            self._leases.refuse_waiting(model, ModelUnloaded(words, retry_after=UNKNOWN), now)
        if model.worker is None:
            if model.state is not State.ABSENT:
                model.enter(Event.CALMED, now)
            self._answer(order.ask, before, model)
            return
        self._unloads.setdefault(model.id, []).append((order.ask, before))
        if order.force:
            self._pool.cut_short(model.worker, _UNLOADED, now)
        elif model.state is State.LOADING:
            self._pool.stop(model.worker, _UNLOADED, now)
        elif model.state is State.READY:
            # Nothing more is granted; `settle` stops it when the last lease is back.
            model.enter(Event.DRAIN, now)

    def gateway_lost(self) -> None:
        """Nobody waits for answers any more. What was asked for goes on."""
        self._unloads.clear()

    def settle(self, models: Iterable[Model], now: float) -> None:
        """After each event: stop what is drained, answer for what is gone."""
        for model in models:
            worker = model.worker
            if model.state is State.DRAINING and worker is not None and worker.ending is None:
                if not model.leases:
                    self._pool.stop(worker, _UNLOADED, now)
            elif worker is None and model.id in self._unloads:
                for ask, before in self._unloads.pop(model.id):
                    self._answer(ask, before, model)

    def _answer(self, ask: int, before: str, model: Model | None) -> None:
        self._out.put(TellManaged(ask, before, _state(model)))


def _state(model: Model | None) -> str:
    return State.ABSENT.value if model is None else model.state.value
