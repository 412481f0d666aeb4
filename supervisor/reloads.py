"""Models on their way from one configuration to another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from kronk.shared.errors import KronkError
from kronk.shared.load_spec import is_same_load
from kronk.shared.wire.loading import LoadSpec

from .leases import Leases
from .lifecycle import State
from .model import Model
from .reload import Change, Step, next_step
from .verdict import Ending

_CHANGED = Ending("its configuration has changed", "reload", expected=True)


class Reloads:
    """`unload` ends the process of a model, for the reason it is given."""

    def __init__(self, leases: Leases, unload: Callable[[Model, Ending, float], None]) -> None:
        # Models that are to be loaded without being asked for, as configured now.
        self.preload: frozenset[str] = frozenset()
        self._leases = leases
        self._unload = unload

    def want(self, model: Model, to: LoadSpec | KronkError) -> bool:
        """The model is to be loaded so from now on, or is none any more; false where it is already
        as it should be."""
        if isinstance(to, LoadSpec) and is_same_load(model.spec, to):
            was_to_change = model.change is not None
            model.adopt(replace(to, extra_buffers=model.spec.extra_buffers))
            model.change = None
            return was_to_change
        model.change = Change(to, frozenset(model.leases))
        return True

    def settle(self, models: dict[str, Model], now: float, *, is_draining: bool) -> None:
        """After each event: whatever has become possible."""
        for model in [model for model in models.values() if model.change is not None]:
            assert model.change is not None
            match next_step(model.state, model.leases.keys(), model.change.before):
                case Step.ADOPT:
                    self._adopt(models, model, model.change.to, now)
                case Step.UNLOAD:
                    is_wanted = self._is_wanted(model, model.change.to)
                    self._unload(model, _CHANGED, now)
                    if is_wanted and not is_draining:
                        model.wish_for("order", None, now)
                case Step.CLOSE:
                    model.change.is_closed = True
                case Step.WAIT | Step.SERVE:
                    pass

    def _is_wanted(self, model: Model, to: LoadSpec | KronkError) -> bool:
        """Whether it is to be loaded again, though nobody waits for it."""
        if isinstance(to, KronkError):
            return False
        is_pinned = to.residency.pinned if model.pin_order is None else model.pin_order
        # Somebody wanted what is not loaded yet, and may still.
        return is_pinned or model.id in self.preload or model.state is State.LOADING

    def _adopt(
        self, models: dict[str, Model], model: Model, to: LoadSpec | KronkError, now: float
    ) -> None:
        model.change = None
        if isinstance(to, KronkError):
            self._leases.refuse_waiting(model, to, now)
            del models[model.id]
            return
        model.adopt(replace(to, extra_buffers=model.spec.extra_buffers))
        # What it failed of may be what was repaired.
        model.forgive(now)
