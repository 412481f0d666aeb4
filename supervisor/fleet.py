"""Decides what becomes of every model and every lease; does nothing itself.

Each method is an event with its time; it returns the actions that follow, in order. The shell
carries them out and reports what happens as further events. The fleet holds no clock, no socket
and no process, so a test plays a day of it in a millisecond.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from kronk.shared.errors import KronkError, Overloaded
from kronk.shared.wire.loading import Fitted, LoadSpec, Taken
from kronk.shared.wire.status import WorkerStats
from kronk.shared.wire.to_supervisor import Manage

from . import eviction, health
from .actions import Action, KeepLoadTimes, Outbox
from .admission import Admission
from .cause import Exit
from .counters import Counters
from .endings import Endings
from .health import Limits
from .leases import Claim, Leases
from .ledger import Room
from .lifecycle import Event, State
from .load_times import LoadTimes, eta
from .loads import Loads
from .model import LOAD_WITHIN, Model
from .needs import Needs
from .orders import Orders
from .placing import Places
from .pool import STOP_GRACE, Pool
from .reload import Found
from .reloads import Reloads
from .verdict import Ending, ran_out_of_memory
from .view import View
from .waiting import WaitingRoom
from .wishes import Wishes
from .workers import Worker


@dataclass(frozen=True, slots=True)
class Policy:
    """The settings the fleet obeys."""

    models_in_cache: int
    # Seconds, where no request says something else; 0 is for ever.
    ttl: float
    spare: bool
    limits: Limits = field(default_factory=Limits)
    # Bytes by device that models may have; a device that is not there has no limit.
    budgets: Mapping[str, int] = field(default_factory=dict)


class Fleet:
    """All models, all workers and all leases."""

    def __init__(
        self,
        policy: Policy,
        next_generation: Callable[[], int],
        *,
        preload: Iterable[str] = (),
        load_times: LoadTimes | None = None,
        needs: Needs | None = None,
    ) -> None:
        self._policy = policy
        self._load_times = load_times or LoadTimes()
        self._out = Outbox()
        self._pool = Pool(self._out, next_generation, policy.limits)
        self._leases = Leases(self._out, self._load_left)
        self._waiting_room = WaitingRoom(self._out)
        needs = needs or Needs.of_nothing()
        self._loads = Loads(self._out, self._pool, needs.trimmed)
        self._places = Places()
        self._counters = Counters()
        self._endings = Endings(self._out, self._pool, self._leases, self._loads, self._counters)
        self._admission = Admission(
            self._out,
            Room(policy.budgets, policy.models_in_cache),
            needs,
            self._pool,
            self._places,
            self._leases,
            self._loads,
            self._unload,
        )
        self._reloads = Reloads(self._leases, self._unload)
        self._orders = Orders(self._out, self._pool, self._leases)
        self._wishes = Wishes(self._out, preload)
        self._models: dict[str, Model] = {}
        self.view = View(
            self._models,
            self._pool,
            self._leases,
            self._admission,
            self._counters,
            self._load_left,
        )
        self._last_tick: float | None = None
        self._is_draining = False
        self._is_stopped = False

    # What the gateway does.

    def lease_requested(self, now: float, claim: Claim, name: str) -> list[Action]:
        """A request wants a place at the model of this name."""
        if claim.lease in self._leases:
            self._out.note("warning", "lease requested twice", lease=claim.lease)
            return self._settle(now)
        self._leases.count_asked()
        if self._is_draining:
            self._leases.refuse(claim.lease, Overloaded("the server is stopping"))
        elif model := self._known(name, now):
            self._leases.attach(claim, model, now)
        else:
            self._leases.ask(claim, name, now)
        return self._settle(now)

    def lease_returned(self, now: float, lease: int) -> list[Action]:
        """A request ended, or nobody waits for it any more."""
        self._leases.returned(lease, now)
        return self._settle(now)

    def gateway_lost(self, now: float) -> list[Action]:
        """The gateway died: every lease is void. Loads go on."""
        self._leases.void_all(self._models.values(), now)
        self._orders.gateway_lost()
        self._wishes.gateway_lost()
        self._waiting_room.gateway_lost()
        return self._settle(now)

    # What the look-up of a name found.

    def resolved(self, now: float, name: str, spec: LoadSpec) -> list[Action]:
        """The name means this model."""
        model = self._models.get(spec.model)
        if model is None:
            model = self._models[spec.model] = Model(spec, now, self._policy.ttl or math.inf)
            model.pin_order = self._orders.pin_of(model.id)
        elif model.state is State.ABSENT and not model.queued:
            # A worker died in its first decode with the special kernels: not again.
            extra_buffers = spec.extra_buffers and model.spec.extra_buffers
            model.spec = replace(spec, extra_buffers=extra_buffers)
        for claim in self._leases.answered(name, spec):
            if self._is_draining and claim.priority == "batch":
                self._leases.refuse(claim.lease, Overloaded("the server is stopping"))
            else:
                self._leases.attach(claim, model, now)
        self._wishes.resolved(name, model, now)
        return self._settle(now)

    def unresolved(self, now: float, name: str, error: KronkError) -> list[Action]:
        """There is no such model, or its name could not be looked up."""
        for claim in self._leases.answered(name, None):
            self._leases.refuse(claim.lease, error)
        self._wishes.unresolved(name, error)
        return self._settle(now)

    # What workers say.

    def hello(self, now: float, generation: int) -> list[Action]:
        """A worker process is up and proved who it is."""
        worker = self._pool.get(generation)
        if worker is not None and worker.hello_by is not None:
            worker.hello_by, worker.hello_at = None, now
            worker.vitals.introduced(now)
            if worker.is_loading:
                self._loads.send(worker, now)
        return self._settle(now)

    def load_progress(
        self, now: float, generation: int, phase: str, fraction: float
    ) -> list[Action]:
        """A load is this far."""
        worker = self._loading(generation)
        if worker is not None:
            if phase != worker.phase:
                self._out.note("debug", "load", model=worker.name, phase=phase, done=fraction)
            worker.phase = phase
            assert worker.progress is not None
            worker.progress.report(phase, fraction, now)
            worker.vitals.moved(now)
        return self._settle(now)

    def ready(
        self, now: float, generation: int, fitted: Fitted, taken: Taken | None = None
    ) -> list[Action]:
        """A model is loaded and has decoded."""
        worker = self._loading(generation)
        if worker is not None and worker.model is not None:
            model = worker.model
            self._out.note(
                "info",
                "model ready",
                model=model.id,
                generation=generation,
                seconds=round(now - model.since, 3),
                n_ctx=fitted.n_ctx,
                slots=fitted.slots,
            )
            worker.fitted, worker.ready_at = fitted, now
            worker.taken_bytes = taken.all_bytes if taken is not None else None
            # It has done its work, whatever its last heartbeat said.
            worker.vitals.busy = False
            model.enter(Event.READY, now)
            model.last_used = now
            model.wish = None
            self._admission.loaded(model, taken)
            assert worker.progress is not None
            self._load_times.note(model.id, worker.progress.took(now))
            self._counters.loaded(model.id, worker.progress, now)
            self._out.put(KeepLoadTimes(self._load_times.dump()))
        return self._settle(now)

    def load_failed(self, now: float, generation: int, error: KronkError) -> list[Action]:
        """A worker says why its model cannot be loaded. It exits next."""
        worker = self._loading(generation)
        if worker is not None and worker.model is not None:
            self._out.note("error", "load failed", model=worker.name, cause=error.message)
            self._leases.refuse_waiting(worker.model, error, now)
            # What comes before the reap is told the same; `_judge` sets how long it stays so.
            worker.model.refuse_until(now + STOP_GRACE, error)
            self._pool.stop(worker, Ending(error.message, "failed", error=error), now)
        return self._settle(now)

    def heartbeat(
        self, now: float, generation: int, progress: int, busy: bool, stats: WorkerStats | None
    ) -> None:
        """A worker's heartbeat thread lives, and this is how its engine does."""
        worker = self._pool.get(generation)
        if worker is not None:
            worker.vitals.beat(now, progress, busy or worker.is_loading)
            # A beat without any says nothing about them.
            worker.stats = worker.stats if stats is None else stats

    # What the kernel and the clock say.

    def exited(self, now: float, generation: int, exit: Exit) -> list[Action]:
        """A worker process was reaped."""
        worker = self._pool.reaped(generation, exit, now)
        if worker is not None and worker.model is not None:
            if ran_out_of_memory(worker.ending, exit):
                self._admission.ran_out_of_memory(worker.model)
            self._endings.lost(worker, worker.model, exit, now)
        return self._settle(now)

    def tick(self, now: float) -> list[Action]:
        """Once a second, and at `deadline`: all that time alone brings about."""
        if self._last_tick is not None and health.slept(self._last_tick, now, self._policy.limits):
            self._postpone(now - self._last_tick, now)
        self._last_tick = now
        self._pool.watch(now)
        for model in self._models.values():
            if model.state is State.LOADING and _is_over(model, now):
                assert model.worker is not None
                words = f"the load took more than {LOAD_WITHIN:.0f} s"
                self._pool.abort(model.worker, Ending(words, "late"), now)
        models = self._models.values()
        self._leases.refuse_impatient(models, partial(self._admission.no_room, models), now)
        actions = self._settle(now)
        self._waiting_room.tell(self._models.values(), self._load_left, now)
        return actions + self._out.take()

    def deadline(self) -> float | None:
        """When `tick` next has something to do that should not wait for the second."""
        times = [worker.deadline() for worker in self._pool]
        times += [model.next_deadline() for model in self._models.values()]
        return min((time for time in times if time is not None), default=None)

    def host_up(self, now: float, host: str, models: int) -> list[Action]:
        """A worker host has connected, with room for so many models."""
        self._places.up(host, models)
        return self._settle(now)

    def host_down(self, now: float, host: str) -> list[Action]:
        """A worker host is lost. The ends of its workers are reported one by one."""
        self._places.down(host)
        return self._settle(now)

    # What the operator wants.

    def drain(self, now: float) -> list[Action]:
        """Take no new requests; those that wait are still served, but for batches, which go on
        after the next start."""
        self._is_draining = True
        self._wishes.drop_all(self._models.values())
        for model in self._models.values():
            self._leases.refuse_batch(model, Overloaded("the server is stopping"), now)
        if self._pool.spare is not None:
            self._pool.stop(self._pool.spare, _STOPPING, now)
        return self._settle(now)

    def stop(self, now: float) -> list[Action]:
        """End every worker."""
        self._is_draining = self._is_stopped = True
        self._wishes.drop_all(self._models.values())
        for model in self._models.values():
            self._leases.refuse_waiting(model, Overloaded("the server is stopping"), now)
        self._leases.refuse_lookups(Overloaded("the server is stopping"))
        for worker in self._pool:
            if worker.ending is None:
                self._pool.stop(worker, _STOPPING, now)
        return self._settle(now)

    def manage(self, now: float, order: Manage) -> list[Action]:
        """An operator wants something of a model; answered by one `TellManaged`."""
        model = self._models.get(self._leases.id_of(order.model))
        match order.action:
            case "load":
                self._wishes.order(order, is_draining=self._is_draining)
            case "unload":
                self._orders.unload(order, model, now)
            case "pin" | "unpin":
                self._orders.pin(order, model, now)
            case "reset":
                self._orders.reset(order, model, now)
        return self._settle(now)

    def reconfigured(self, now: float, found: Found) -> tuple[frozenset[str], list[Action]]:
        """The configuration is another now: what it makes of each known model. Returns the ids of
        those that change."""
        # An alias may be another model's.
        self._leases.forget_names()
        changed = {
            name
            for name, spec in found.specs.items()
            if name in self._models and self._reloads.want(self._models[name], spec)
        }
        self._reloads.preload = found.preload
        if not self._is_draining:
            resident = {model.id for model in self._models.values() if model.is_resident}
            self._wishes.preload(sorted(found.preload & found.changed - resident))
        return frozenset(changed), self._settle(now)

    def resident(self, sizes: Mapping[int, int]) -> None:
        """Bytes of main memory that worker processes have now, by generation."""
        for model in self._models.values():
            if model.worker is not None and model.worker.generation in sizes:
                self._admission.resident(model, sizes[model.worker.generation])

    # Models.

    def _load_left(self, model: Model, now: float) -> float | None:
        progress = model.worker.progress if model.worker else None
        if model.state is not State.LOADING or progress is None:
            return None
        return eta(progress, self._load_times.of(model.id), now)

    def _known(self, name: str, now: float) -> Model | None:
        """The model of this name, if it can be told without a look at the disk."""
        model = self._models.get(self._leases.id_of(name))
        if model is None:
            return None
        if model.change is not None and isinstance(model.change.to, KronkError):
            # It is none any more, which is to be said to whoever names it.
            return None
        is_settled = model.state is not State.ABSENT or model.queued or model.refused(now)
        return model if is_settled else None

    # After every event: whatever has become possible.

    def _settle(self, now: float) -> list[Action]:
        self._orders.settle(self._models.values(), now)
        self._calm(now)
        self._reloads.settle(self._models, now, is_draining=self._is_draining)
        for name in eviction.expired(self._residents(), now):
            self._unload(self._models[name], _UNUSED, now)
        if not self._is_stopped:
            self._admission.admit(self._models.values(), now)
        self._wishes.settle(self._models.values(), now)
        is_loading = any(model.state is State.LOADING for model in self._models.values())
        if self._policy.spare and not is_loading and not self._is_draining:
            self._pool.keep_spare(now)
        for model in self._models.values():
            self._leases.grant(model, now)
        return self._out.take()

    def _calm(self, now: float) -> None:
        """Nobody wants those that wait after a crash, or they are not to be had again."""
        for model in self._models.values():
            if model.queued or model.state not in (State.BACKOFF, State.FAILED):
                continue
            is_over = model.state is State.BACKOFF and _is_over(model, now)
            if (self._is_draining and model.recovers) or (is_over and not model.may_load(now)):
                model.enter(Event.CALMED, now)

    def _residents(self) -> list[eviction.Resident]:
        ready = [model for model in self._models.values() if model.state is State.READY]
        return [model.as_resident() for model in ready]

    def _loading(self, generation: int) -> Worker | None:
        worker = self._pool.get(generation)
        return worker if worker is not None and worker.is_loading else None

    def _unload(self, model: Model, why: Ending, now: float) -> None:
        assert model.worker is not None
        self._out.note("info", "model unloads", model=model.id, reason=why.words)
        self._pool.stop(model.worker, why, now)

    def _postpone(self, gap: float, now: float) -> None:
        """We stood still ourselves, so nobody else is late."""
        self._out.note("warning", "the supervisor itself stood still", seconds=round(gap, 1))
        for worker in self._pool:
            worker.postpone(gap, now)
        for model in self._models.values():
            if model.state is State.LOADING and model.deadline is not None:
                model.deadline += gap


_STOPPING = Ending("the server is stopping", "stopping", expected=True)
_UNUSED = Ending("unused for its TTL", "ttl", expected=True)


def _is_over(model: Model, now: float) -> bool:
    return model.deadline is not None and now >= model.deadline
