"""Which of the wanted models are loaded now, and which idle ones make room for the others."""

from __future__ import annotations

from collections.abc import Callable, Collection

from . import eviction
from .lifecycle import State
from .loads import Loads
from .model import Model


class Admission:
    """`unload` ends the process of an idle model, for the reason it is given."""

    def __init__(
        self, models_in_cache: int, loads: Loads, unload: Callable[[Model, str, float], None]
    ) -> None:
        self._models_in_cache = models_in_cache
        self._loads = loads
        self._unload = unload

    def admit(self, models: Collection[Model], now: float) -> None:
        """Start loads, first wanted first; unload idle models for those that find no room."""
        wanted = [model for model in models if model.may_load(now)]
        if not wanted:
            return
        wanted.sort(key=lambda model: model.turn)
        resident = sum(1 for model in models if model.is_resident)
        room = max(self._models_in_cache - resident, 0)
        for model in wanted[:room]:
            self._loads.start(model, now)
        blocked = wanted[room:]
        for model in blocked:
            if model.room_since is None:
                model.room_since = now
        leaving = sum(1 for model in models if model.state is State.DRAINING)
        ready = {model.id: model for model in models if model.state is State.READY}
        residents = [model.as_resident() for model in ready.values()]
        for name in eviction.least_recently_used(residents, len(blocked) - leaving):
            self._unload(ready[name], "made room for another model", now)

    def no_room(self) -> str:
        """Why a request waited for room in vain."""
        return (
            f"no room: the {self._models_in_cache} models that may be loaded at a time are all in "
            "use (--models-in-cache)"
        )
