"""What the end of a model's process does to the model and to those who wait for it."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from kronk.shared.errors import KronkError, ModelFailed

from . import cause
from .actions import Outbox, Remember, TellWorkerLost
from .cause import Exit
from .counters import Counters
from .leases import Leases
from .lifecycle import Event
from .loads import Loads
from .model import REJECTION_LASTS, Model
from .pool import Pool
from .restart import GiveUp, Retry
from .verdict import (
    Crashed,
    Displaced,
    Expected,
    Facts,
    Rejected,
    RetryPlain,
    Unfit,
    judge,
    outcome,
)
from .workers import Worker


class Endings:
    """Carries out the verdict on each exit."""

    def __init__(
        self, out: Outbox, pool: Pool, leases: Leases, loads: Loads, counters: Counters
    ) -> None:
        self._out = out
        self._pool = pool
        self._leases = leases
        self._loads = loads
        self._counters = counters

    def lost(self, worker: Worker, model: Model, exit: Exit, now: float) -> None:
        """The process of a model was reaped."""
        ending = worker.ending
        words = ending.words if ending else cause.long(exit)
        requests = len(model.leases)
        self._leases.void_granted(model, now)
        model.worker = None
        if worker.fitted is not None:
            how: Literal["crashed", "unloaded"]
            how = "unloaded" if ending is not None and ending.expected else "crashed"
            self._out.put(TellWorkerLost(worker.generation, model.id, words, how))
        extra_buffers = model.spec.extra_buffers
        facts = Facts(
            model.id, worker.fitted is not None, worker.phase, extra_buffers, ending, exit
        )
        verdict = judge(facts)
        self._counters.ended(model.id, facts)
        self._out.put(
            Remember(
                model.id,
                worker.generation,
                now if worker.taken_at is None else worker.taken_at,
                worker.ready_at,
                now,
                outcome(facts, verdict),
                cause.recorded(exit, ending.words if ending else None),
                exit,
                requests,
            )
        )
        if isinstance(verdict, Expected):
            model.last_exit = model.last_exit_at = None
            model.enter(Event.EXITED, now)
            self._out.note("info", "model unloaded", model=model.id, generation=worker.generation)
            return
        model.last_exit = cause.recorded(exit, words) if ending else cause.with_last_line(exit)
        model.last_exit_at = now
        self._pool.note_death(worker, words, exit)
        match verdict:
            case Displaced():
                model.enter(Event.EXITED, now)
            case Rejected(error):
                model.enter(Event.EXITED, now)
                model.refuse_until(now + REJECTION_LASTS, error)
                self._leases.refuse_waiting(model, error, now)
            case RetryPlain():
                self._retry_plain(model, worker.place, now)
            case Unfit(error):
                self._give_up(model, model.failures.give_up(now), error, now)
            case Crashed(error):
                self._crashed(model, error, words, worker.ready_at, now)

    def _retry_plain(self, model: Model, place: str, now: float) -> None:
        self._out.note(
            "warning",
            "the worker died in its first decode: loading once more without the special kernels "
            "for this CPU (REPACK, AMX); `kronk doctor` checks the llama.cpp library",
            model=model.id,
        )
        model.spec = replace(model.spec, extra_buffers=False)
        model.crashed = True
        self._loads.start(model, now, Event.REPLACED, place)

    def _crashed(
        self, model: Model, error: KronkError | None, words: str, up_since: float | None, now: float
    ) -> None:
        model.crashed = True
        match model.failures.failed(now, up_since):
            case Retry(at):
                model.enter(Event.CRASHED, now, at)
                # Without an error of its own it may well be served after the delay.
                model.refusal = None
                if error is not None:
                    model.refuse_until(at, error)
                    self._leases.refuse_waiting(model, error, now)
            case GiveUp() as give_up:
                error = error or ModelFailed(f"{model.id} failed too often; last time: {words}")
                self._give_up(model, give_up, error, now)

    def _give_up(self, model: Model, give_up: GiveUp, error: KronkError, now: float) -> None:
        model.crashed = True
        model.enter(Event.GAVE_UP, now, give_up.until)
        model.refuse_until(give_up.until, error)
        self._leases.refuse_waiting(model, model.refused(now) or error, now)
        hold = round(give_up.until - now)
        self._out.note("error", "model failed", model=model.id, seconds=hold, cause=error.message)
