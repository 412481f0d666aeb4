"""Which of the wanted models are loaded now, and which idle ones make room for the others."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from kronk.shared.errors import KronkError, ModelFailed
from kronk.shared.wire.loading import Taken

from . import eviction, ledger, refusals
from .actions import Outbox
from .leases import Leases
from .ledger import Blocked, Bytes, Evict, Fits, Holder, Infeasible, Room, Wait
from .lifecycle import Event, State
from .loads import Loads
from .model import REJECTION_LASTS, Model
from .needs import Needs
from .placing import LOCAL, Places
from .pool import Pool
from .verdict import Ending

# Suggested to a caller whose model's host is away, in seconds.
HOST_RETRY = 5.0
# So long others may come before a model that waits for busy ones. Then nothing is loaded that
# would take its room, and those in its way take no new requests. Models that take turns have each
# so long at least.
FAIR_AFTER = 10.0
_FOR_PLACE = Ending("made room for another model", "models_in_cache", expected=True)
_FOR_MEMORY = Ending("made room for another model", "memory", expected=True)
_TOOK_MORE = Ending("models take more memory than was expected", "overrun", expected=True)


class Admission:
    """`unload` ends the process of an idle model, for the reason it is given.

    What a model was promised is held from the start of its load to the reap of its process; only
    models on this machine count.
    """

    def __init__(
        self,
        out: Outbox,
        room: Room,
        needs: Needs,
        pool: Pool,
        places: Places,
        leases: Leases,
        loads: Loads,
        unload: Callable[[Model, Ending, float], None],
    ) -> None:
        self._out = out
        self._room = room
        self._needs = needs
        self._pool = pool
        self._places = places
        self._leases = leases
        self._loads = loads
        self._unload = unload

    def admit(self, models: Collection[Model], now: float) -> None:
        """Start loads, first wanted first; unload idle models for those that find no room."""
        ready = {model.id: model for model in models if model.is_near and model.is_ready}
        for name in ledger.over(self._room, _holders(models)):
            self._unload(ready[name], _TOOK_MORE, now)
        for model in models:
            if not model.makes_room and model.wish is None:
                model.room_since = None
        wanted = sorted((m for m in models if m.may_load(now)), key=lambda model: model.turn)
        yielding = self._admit_near(models, self._admit_far(models, wanted, now), ready, now)
        for model in ready.values():
            model.yields = model.id in yielding

    def _admit_near(
        self, models: Collection[Model], wanted: list[Model], ready: Mapping[str, Model], now: float
    ) -> set[str]:
        """Returns the busy models that take no new requests, because somebody has waited for
        them for long enough."""
        # What those that wait will have is not given to those behind them.
        ahead: list[Holder] = []
        yielding: set[str] = set()
        for model in wanted:
            need = self._needs.need(model.spec)
            size = need.bytes if need is not None else {}
            holders = [*_holders(models), *ahead]
            verdict = ledger.admit(size, self._room, holders)
            match verdict:
                case Fits():
                    model.promised = size
                    self._loads.start(model, now)
                    continue
                case Infeasible() if need is not None:
                    self._refuse(
                        model, refusals.infeasible(model.spec, need, self._room, self._needs), now
                    )
                    continue
                case Blocked(by) if model.makes_room:
                    self._refuse(model, refusals.blocked(model.id, size, self._room, by), now)
                    continue
                case Evict(names) if model.makes_room:
                    is_full = ledger.lacks_a_place(size, self._room, holders)
                    for name in names:
                        self._unload(ready[name], _FOR_PLACE if is_full else _FOR_MEMORY, now)
            if model.room_since is None:
                model.room_since = now
            if not model.makes_room:
                continue
            if isinstance(verdict, Wait) and verdict.busy:
                if not _is_overdue(model, now):
                    continue
                may_go = {one.id for one in ready.values() if _may_yield(one, now)}
                yielding |= set(ledger.displace(size, self._room, holders, may_go))
            ahead.append(Holder(model.id, size, now, "busy"))
        return yielding

    def _refuse(self, model: Model, error: KronkError, now: float) -> None:
        self._out.note("warning", "model not loaded", model=model.id, cause=error.message)
        # Whoever asked for the load hears it too, and the file is not looked at each time.
        model.refuse_until(now + REJECTION_LASTS, error)
        self._leases.refuse_waiting(model, error, now)
        if model.recovers:
            # It would be refused again and again, and nobody waits for it.
            model.enter(Event.CALMED, now)

    def _admit_far(self, models: Collection[Model], wanted: list[Model], now: float) -> list[Model]:
        """Start the loads that worker hosts take; returns those that are for this machine."""
        near = []
        for model in wanted:
            taken = [worker.place for worker in self._pool if worker.model is not None]
            place = self._places.choose(model.spec.places, taken)
            if place == LOCAL:
                near.append(model)
            elif place is not None:
                model.promised = {}
                self._loads.start(model, now, place=place)
            else:
                self._wait_far(models, model, now)
        return near

    def _wait_far(self, models: Collection[Model], wanted: Model, now: float) -> None:
        """Unload the longest idle model of a host that the wanted one may have."""
        if self._places.are_absent(wanted.spec.places):
            names = " and ".join(wanted.spec.places)
            away = f"{wanted.id} runs on the worker host {names}, which is not connected"
            self._leases.refuse_waiting(wanted, ModelFailed(away, retry_after=HOST_RETRY), now)
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
            self._unload(there[name], _FOR_PLACE, now)

    def loaded(self, model: Model, taken: Taken | None) -> None:
        """A load has worked; what its process took counts from now on."""
        if model.is_near and taken is not None:
            self._needs.measured(model.spec, taken)
            need = self._needs.need(model.spec)
            if need is not None:
                model.promised = need.bytes

    def ran_out_of_memory(self, model: Model) -> None:
        """The model's process died for want of memory: the next one is promised more."""
        if model.is_near:
            self._needs.failed(model.spec)

    def resident(self, model: Model, size: int) -> None:
        """The model's process has so many bytes of main memory."""
        if model.is_near and model.is_ready:
            self._needs.grew(model.spec, size)

    def reserved(self, models: Collection[Model]) -> dict[str, int]:
        """Bytes by device that are promised now."""
        return ledger.held(_holders(models))

    def no_room(self, models: Collection[Model], model: Model) -> str:
        """Why a request for the model waited for room in vain."""
        need = self._needs.need(model.spec)
        size = need.bytes if need is not None else {}
        return refusals.no_room(model.id, size, self._room, _holders(models))


def _holders(models: Collection[Model]) -> list[Holder]:
    return [_holder(model) for model in models if model.is_resident and model.is_near]


def _holder(model: Model) -> Holder:
    size: Bytes = model.promised
    if model.is_leaving:
        return Holder(model.id, size, model.last_used, "leaving")
    if model.is_pinned:
        return Holder(model.id, size, model.last_used, "kept")
    is_wanted = model.leases or (model.queued and not model.yields)
    is_idle = model.is_ready and not is_wanted
    return Holder(model.id, size, model.last_used, "idle" if is_idle else "busy")


def _is_overdue(model: Model, now: float) -> bool:
    """Somebody has waited for it longer than others may come first. Batches have time."""
    if not model.waiting or model.room_since is None:
        return False
    first = next(iter(model.waiting.values()))
    return now - max(first, model.room_since) >= FAIR_AFTER


def _may_yield(model: Model, now: float) -> bool:
    return not model.is_pinned and now - model.since >= FAIR_AFTER
