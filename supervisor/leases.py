"""Where every lease is: with a name that is being looked up, waiting at a model, or granted by it.

It is in exactly one of these places until it is returned, refused or void.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from kronk.shared.abilities import refusal
from kronk.shared.errors import KronkError, Overloaded
from kronk.shared.fair_share import has_place
from kronk.shared.wire.loading import LoadSpec
from kronk.shared.wire.status import LeaseCounts
from kronk.shared.wire.values import Priority, Purpose, Want

from .actions import Grant, Outbox, Refuse, Resolve
from .estimates import UNKNOWN, after_load, after_queue, bounded
from .lifecycle import State
from .lookups import LookUps
from .model import MOST_BATCH, MOST_WAITING, Model


@dataclass(frozen=True, slots=True)
class Claim:
    """A lease, and what its request says of the model it is for."""

    lease: int
    # Seconds the model may be idle from then on; infinity is for ever, None as before.
    ttl: float | None = None
    priority: Priority = "interactive"
    purpose: Purpose = "answer"
    # Granted when its model has no other, and then no other is.
    alone: bool = False
    # It was granted before, and its worker died: no queue is full for it, and no wait too long.
    again: bool = False
    wants: tuple[Want, ...] = ()
    # Who takes turns with others; "" is nobody in particular.
    subject: str = ""
    # What logs know its request by, and its trace, for those who measure.
    name: str = field(default="", compare=False)
    trace: str = field(default="", compare=False)


class Leases:
    """Writes who waits at a model and who has it, and the answers to the gateway."""

    def __init__(self, out: Outbox, load_left: Callable[[Model, float], float | None]) -> None:
        self._out = out
        # Seconds until a model that loads is ready, where that can be told.
        self._load_left = load_left
        self._lookups = LookUps()
        self._place: dict[int, Model | str] = {}
        # Of the leases that wait for a look-up.
        self._claims: dict[int, Claim] = {}
        # By the names of `LeaseCounts`.
        self._counts: Counter[str] = Counter()
        # By the code of the error.
        self.refusals: Counter[str] = Counter()

    def __contains__(self, lease: int) -> bool:
        return lease in self._place

    def count_asked(self) -> None:
        """A lease is asked for; what becomes of it is counted here, too."""
        self._counts["asked"] += 1

    @property
    def counts(self) -> LeaseCounts:
        """How many there were, and are."""
        granted = sum(
            1
            for lease, place in self._place.items()
            if isinstance(place, Model) and lease in place.leases
        )
        waiting = len(self._place) - granted
        return LeaseCounts(**self._counts, waiting=waiting, granted=granted)

    def id_of(self, name: str) -> str:
        """The id of the model this name meant the last time."""
        return self._lookups.id_of(name)

    def forget_names(self) -> None:
        """Names may mean other models now."""
        self._lookups.forget_names()

    def ask(self, claim: Claim, name: str, now: float) -> None:
        """Let the lease wait until the name is looked up."""
        if self._lookups.is_full and not self._has_share_of_lookups(claim.subject):
            self.refuse(claim.lease, overloaded("too many requests wait to be looked up"))
            return
        self._place[claim.lease] = name
        self._claims[claim.lease] = claim
        if self._lookups.ask(name, claim.lease, now):
            self._out.put(Resolve(name))

    def answered(self, name: str, spec: LoadSpec | None) -> list[Claim]:
        """The look-up ended; returns the leases that waited for it."""
        leases = self._lookups.answered(name, spec.model if spec else None)
        for lease in leases:
            del self._place[lease]
        return [self._claims.pop(lease) for lease in leases]

    def attach(self, claim: Claim, model: Model, now: float) -> None:
        """Let the lease wait at its model, unless it is known already that there is no use."""
        lease = claim.lease
        is_batch = claim.priority == "batch" and claim.purpose == "answer"
        if claim.purpose == "load" and model.needs_no_load(claim.ttl):
            model.touch(now, claim.ttl)
            self._counts["returned"] += 1
            self._out.put(Grant(lease, None, model=model.id))
        elif error := refusal(claim.wants, model.spec.abilities) or model.refused(now):
            self.refuse(lease, error, model)
        elif is_batch and _is_batch_full(model, claim.subject) and not claim.again:
            words = f"{MOST_BATCH} batch requests wait for {model.id}"
            self.refuse(lease, overloaded(words, self._come_back(model, now)), model)
        elif not is_batch and _is_full(model, claim) and not claim.again:
            self.refuse(lease, overloaded(_queue_full(model), self._come_back(model, now)), model)
        else:
            model.attach(
                lease,
                now,
                claim.ttl,
                claim.priority,
                claim.purpose,
                subject=claim.subject,
                alone=claim.alone,
                again=claim.again,
            )
            self._place[lease] = model

    def _has_share_of_lookups(self, subject: str) -> bool:
        counts = Counter(claim.subject for claim in self._claims.values())
        return has_place(subject, counts, MOST_WAITING)

    def _come_back(self, model: Model, now: float) -> float:
        """Seconds after which a request for the model may be served."""
        if (retry_in := model.retry_in(now)) is not None:
            return bounded(retry_in)
        if model.state is State.READY and model.worker is not None and model.worker.fitted:
            slots = model.worker.fitted.slots
            ahead = max(model.line.in_slots - slots, 0) + len(model.waiting)
            return after_queue(model.service.mean, ahead, slots)
        return after_load(self._load_left(model, now))

    def grant(self, model: Model, now: float) -> None:
        """As many as its worker takes; in-flight is counted here."""
        for lease in model.grantable(now):
            worker = model.worker
            assert worker is not None
            model.last_used = now
            since = None if worker.ready_at is None else now - worker.ready_at
            took = worker.load_seconds
            self._out.put(Grant(lease, worker.generation, since, took, model.id))

    def refuse(self, lease: int, error: KronkError, model: Model | None = None) -> None:
        """`model` is what it asks for, where it does not wait there yet."""
        place = self._place.pop(lease, None)
        self._claims.pop(lease, None)
        self._counts["refused"] += 1
        self.refusals[error.code] += 1
        wanted = place if isinstance(place, Model) else model
        self._out.put(Refuse(lease, error, "" if wanted is None else wanted.id))

    def refuse_waiting(self, model: Model, error: KronkError, now: float) -> None:
        for lease in list(model.waiting):
            model.forget(lease, now)
            self.refuse(lease, error)
        self.refuse_batch(model, error, now)

    def refuse_batch(self, model: Model, error: KronkError, now: float) -> None:
        for lease in list(model.batch):
            model.forget(lease, now)
            self.refuse(lease, error)

    def refuse_lookups(self, error: KronkError) -> None:
        for lease in self._lookups.forget_all():
            self.refuse(lease, error)

    def refuse_impatient(
        self, models: Iterable[Model], no_room: Callable[[Model], str], now: float
    ) -> None:
        """Those that have waited too long for the disk, for room, or for a slot."""
        for lease in self._lookups.impatient(now):
            self.refuse(
                lease,
                overloaded("the models folder does not answer, or a file is still being verified"),
            )
        for model in models:
            for lease in model.impatient(now):
                model.forget(lease, now)
                self.refuse(lease, overloaded(no_room(model)))
            for lease in model.overdue(now):
                model.forget(lease, now)
                again = self._come_back(model, now)
                self.refuse(lease, overloaded(_waited_too_long(model), again))

    def returned(self, lease: int, now: float) -> None:
        """The request ended, or nobody waits for it any more. Idempotent."""
        place = self._place.pop(lease, None)
        self._claims.pop(lease, None)
        if place is not None:
            self._counts["returned"] += 1
        if isinstance(place, str):
            self._lookups.forget(place, lease)
        elif place is not None:
            if lease in place.leases:
                place.give_back(lease, now)
            place.forget(lease, now)

    def void_granted(self, model: Model, now: float) -> None:
        """Its worker is gone."""
        for lease in list(model.leases):
            del self._place[lease]
            self._counts["lost"] += 1
            model.forget(lease, now)

    def void_all(self, models: Iterable[Model], now: float) -> None:
        """The gateway is gone, and with it everybody who could return one."""
        for model in models:
            if model.leases:
                model.last_used = now
            model.forget_all()
        self._lookups.forget_all()
        self._counts["lost"] += len(self._place)
        self._place.clear()
        self._claims.clear()


def _is_full(model: Model, claim: Claim) -> bool:
    if claim.purpose != "answer":
        # Once the model is loaded it is granted at once.
        return len(model.waiting) >= MOST_WAITING
    # What finds a free place is granted at once and does not wait.
    free = max(model.capacity - model.line.in_slots, 0)
    if len(model.waiting) < model.most_waiting + free:
        return False
    return not has_place(claim.subject, model.line.share.counts, model.room)


def _is_batch_full(model: Model, subject: str) -> bool:
    if len(model.batch) < MOST_BATCH:
        return False
    return not has_place(subject, model.line.batch_share.counts, MOST_BATCH)


def _queue_full(model: Model) -> str:
    if model.worker is None or model.worker.fitted is None:
        return f"{len(model.waiting)} requests already wait for {model.id}"
    running = model.worker.fitted.slots
    return (
        f"the queue of {model.id} is full: {running} running,"
        f" {model.worker.places - running} waiting (queue_depth)"
    )


def _waited_too_long(model: Model) -> str:
    return (
        f"no slot of {model.id} became free within {model.spec.queue_timeout:g} s (queue_timeout)"
    )


def overloaded(message: str, retry_after: float = UNKNOWN) -> Overloaded:
    """Everything is taken; it passes by itself."""
    return Overloaded(message, retry_after=retry_after)
