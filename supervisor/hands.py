"""Does what the fleet wants done."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import replace

import structlog

from kronk.shared.errors import KronkError
from kronk.shared.wire import to_gateway, to_worker
from kronk.shared.wire.codec import Message
from kronk.shared.wire.loading import LoadSpec

from .actions import (
    AbortWorker,
    Action,
    Grant,
    KeepLoadTimes,
    KillWorker,
    Note,
    Refuse,
    Remember,
    Resolve,
    SendLoad,
    Spawn,
    StopWorker,
    TellManaged,
    TellWaiting,
    TellWorkerLost,
)
from .children import Children
from .chronicle import Chronicle
from .control import Control
from .front import Front
from .hosts import FarChild
from .keeper import Keeper
from .lease_log import LeaseLog
from .resolver import Resolver

log = structlog.get_logger()


class Hands:
    """Carries out actions in their order. `spawn` starts the worker of a generation at a place with
    a llama.cpp; a failure to do so is reported as its exit. `data_addresses` are where workers here
    and on other hosts dial the gateway."""

    def __init__(
        self,
        children: Children,
        control: Control,
        resolver: Resolver,
        front: Front,
        chronicle: Chronicle,
        keeper: Keeper,
        lease_log: LeaseLog,
        *,
        spawn: Callable[[int, str, str | None], None],
        data_addresses: tuple[str, str],
    ) -> None:
        self._children = children
        self._control = control
        self._resolver = resolver
        self._front = front
        self._chronicle = chronicle
        self._keeper = keeper
        self._lease_log = lease_log
        self._spawn = spawn
        self._data_addresses = data_addresses

    def act(self, actions: list[Action]) -> None:
        """Do all of them."""
        for action in actions:
            match action:
                case Grant() | Refuse() | TellWorkerLost() | TellManaged() | TellWaiting():
                    self.tell_gateway(_told(action))
                    self._note_lease(action)
                case KeepLoadTimes(data):
                    self._keeper.keep(data)
                case Note(level, event, fields):
                    getattr(log, level)(event, **fields)
                case Resolve(name):
                    self._resolver.ask(name)
                case Remember(generation=generation):
                    child = self._children.get(generation)
                    self._chronicle.add(action, child.pid if child else None)
                case _:
                    self._do_to_worker(action)

    def _note_lease(self, action: Action) -> None:
        match action:
            case Grant():
                self._lease_log.granted(action)
            case Refuse():
                self._lease_log.refused(action)

    def _do_to_worker(
        self, action: Spawn | SendLoad | StopWorker | AbortWorker | KillWorker
    ) -> None:
        match action:
            case Spawn(generation, place, library):
                self._spawn(generation, place, library)
            case SendLoad(generation, spec):
                self._send_load(generation, spec)
            case StopWorker(generation):
                self._stop_worker(generation)
            case AbortWorker(generation):
                self._children.abort(generation)
            case KillWorker(generation):
                self._children.signal(generation, signal.SIGKILL)

    def tell_gateway(self, message: Message) -> None:
        """Say it to the gateway that runs, if one does."""
        child = self._children.get(self._front.generation or 0)
        # Its death voids all leases, and a new one knows none: nothing is lost by not saying it.
        if child is not None and self._front.is_up:
            self._control.send(child, message)

    def _send_load(self, generation: int, spec: LoadSpec) -> None:
        child = self._children.get(generation)
        if child is not None:
            child.relay.model = spec.model
            child.is_loading = True
            # If it cannot be told it is dying; if it hangs, it will make no progress.
            address = self._data_addresses[isinstance(child, FarChild)]
            self._control.send(child, to_worker.Load(spec, address))

    def _stop_worker(self, generation: int) -> None:
        child = self._children.get(generation)
        if child is not None and not (
            child.said_hello and self._control.send(child, to_worker.Stop())
        ):
            self._children.signal(generation, signal.SIGTERM)


def _told(action: Grant | Refuse | TellWorkerLost | TellManaged | TellWaiting) -> Message:
    match action:
        case Grant(lease, generation, ready_for, load_seconds, model):
            return to_gateway.Granted(lease, generation, ready_for, load_seconds, model)
        case Refuse(lease, error, model):
            return _refused(lease, error, model)
        case TellWorkerLost(generation, model, words, how):
            return to_gateway.WorkerLost(generation, model, words, how)
        case TellManaged():
            return _managed(action)
        case TellWaiting(waiting):
            return waiting


def _refused(lease: int, error: KronkError, model: str) -> to_gateway.Refused:
    return to_gateway.Refused(
        lease, error.code, error.message, error.param, error.retry_after, model
    )


def _managed(told: TellManaged) -> to_gateway.Managed:
    answer = to_gateway.Managed(told.ask, told.state, before=told.before)
    if (error := told.error) is None:
        return answer
    return replace(
        answer,
        code=error.code,
        message=error.message,
        param=error.param,
        retry_after=error.retry_after,
    )
