"""Which of the wanted models are loaded now, and which idle ones make room for the others."""

from __future__ import annotations

from collections.abc import Callable, Collection

from kronk.shared.errors import ModelFailed

from . import eviction
from .leases import Leases
from .lifecycle import State
from .loads import Loads
from .model import Model
from .placing import LOCAL, Places
from .pool import Pool

# Suggested to a caller whose model's host is away, in seconds.
HOST_RETRY = 5.0


class Admission:
    """`unload` ends the process of an idle model, for the reason it is given."""

    def __init__(
        self,
        models_in_cache: int,
        pool: Pool,
        places: Places,
        leases: Leases,
        loads: Loads,
        unload: Callable[[Model, str, float], None],
    ) -> None:
        self._models_in_cache = models_in_cache
        self._pool = pool
        self._places = places
        self._leases = leases
        self._loads = loads
        self._unload = unload

    def admit(self, models: Collection[Model], now: float) -> None:
        """Start loads, first wanted first; unload idle models for those that find no room."""
        wanted = [model for model in models if model.may_load(now)]
        if not wanted:
            return
        wanted.sort(key=lambda model: model.turn)
        wanted = self._admit_far(models, wanted, now)
        resident = sum(1 for model in models if model.is_resident and model.is_near)
        room = max(self._models_in_cache - resident, 0)
        for model in wanted[:room]:
            self._loads.start(model, now)
        blocked = wanted[room:]
        for model in blocked:
            if model.room_since is None:
                model.room_since = now
        near = [model for model in models if model.is_near]
        leaving = sum(1 for model in near if model.is_leaving)
        ready = {model.id: model for model in near if model.state is State.READY}
        residents = [model.as_resident() for model in ready.values()]
        short = sum(1 for model in blocked if model.makes_room) - leaving
        for name in eviction.least_recently_used(residents, short):
            self._unload(ready[name], "made room for another model", now)

    def _admit_far(self, models: Collection[Model], wanted: list[Model], now: float) -> list[Model]:
        """Start the loads that worker hosts take; returns those that are for this machine."""
        near = []
        for model in wanted:
            taken = [worker.place for worker in self._pool if worker.model is not None]
            place = self._places.choose(model.spec.places, taken)
            if place == LOCAL:
                near.append(model)
            elif place is not None:
                self._loads.start(model, now, place=place)
            else:
                self._wait_far(models, model, now)
        return near

    def _wait_far(self, models: Collection[Model], wanted: Model, now: float) -> None:
        """Unload the longest idle model of a host that the wanted one may have."""
        if self._places.are_absent(wanted.spec.places):
            names = " and ".join(wanted.spec.places)
            away = f"{wanted.id} runs on the worker host {names}, which is not connected"
            self._leases.refuse_waiting(wanted, ModelFailed(away, retry_after=HOST_RETRY))
        if wanted.room_since is None:
            wanted.room_since = now
        if not wanted.makes_room:
            return
        there = {
            model.id: model
            for model in models
            if model.worker is not None and model.worker.place in wanted.spec.places
        }
        if any(model.is_leaving for model in there.values()):
            return
        ready = [model.as_resident() for model in there.values() if model.state is State.READY]
        for name in eviction.least_recently_used(ready, 1):
            self._unload(there[name], "made room for another model", now)

    def no_room(self) -> str:
        """Why a request waited for room in vain."""
        return (
            f"no room: the {self._models_in_cache} models that may be loaded at a time are all in "
            "use (--models-in-cache)"
        )
