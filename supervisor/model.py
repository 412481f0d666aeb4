"""The owner of one model: its state, who waits for it and who uses it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from kronk.shared.errors import KronkError
from kronk.shared.wire.loading import LoadSpec
from kronk.shared.wire.values import Priority, Purpose

from .estimates import ServiceTime
from .eviction import Resident, expiry
from .lifecycle import RESIDENT, Event, State, after
from .line import Line
from .placing import LOCAL
from .reload import Change
from .restart import Restarts
from .workers import Worker

# Requests that wait for the load of one model.
MOST_WAITING = 1000
# Batch requests that wait for one model, loaded or not.
MOST_BATCH = 1000
# How long a request waits for a busy model to make room.
ROOM_PATIENCE = 60.0
# From the start of a load to ready, whatever progress is reported: a large model from a slow disk.
LOAD_WITHIN = 3600.0
# For so long a file that could not be loaded is not tried again.
REJECTION_LASTS = 5.0


class Model:
    """Written by the fleet only.

    Invariants: `worker` is set exactly in the states of `RESIDENT`; `leases` is empty unless the
    state is READY or DRAINING; nothing moves from `batch` to `leases` when it would take the last
    slot.
    """

    def __init__(self, spec: LoadSpec, now: float, ttl: float) -> None:
        self.spec = spec
        self.state = State.ABSENT
        self.since = now
        # Meaning by state: see lifecycle.py. None in ABSENT and READY (the TTL is in eviction.py).
        self.deadline: float | None = None
        self.worker: Worker | None = None
        self.line = Line()
        # Parts of it.
        self.waiting, self.batch, self.leases = self.line.waiting, self.line.batch, self.line.leases
        # Seconds it may be idle, infinity for ever: what the last request said that said something
        # since the load was first wanted, else what is configured for it, else the server's own.
        self._server_ttl = ttl
        self.ttl = self._own_ttl
        # What an operator said about it; None is as configured.
        self.pin_order: bool | None = None
        # Why it is to be loaded although nobody waits: at the start, if there is room, or because
        # an operator asked for it. None once that has come to its end, well or badly.
        self.wish: Literal["preload", "order"] | None = None
        self.service = ServiceTime()
        # Bytes by device set aside for its process, from the start of its load to the reap.
        self.promised: Mapping[str, int] = {}
        # Another model has waited long enough for its memory: it takes no new requests.
        self.yields = False
        # When it first found no room to load; None while it does not look for room.
        self.room_since: float | None = None
        self.last_used = now
        self.failures = Restarts()
        # Processes started after a crash, and why the last one ended, unless as wanted.
        self.restarts = 0
        self.crashed = False
        self.last_exit: str | None = None
        self.last_exit_at: float | None = None
        # What it is to become, when the configuration was changed under it.
        self.change: Change | None = None
        # What every request is told for a while, with the time that ends it.
        self.refusal: KronkError | None = None
        self.refusal_until = now

    @property
    def id(self) -> str:
        return self.spec.model

    @property
    def is_near(self) -> bool:
        """It runs on this machine, or does not run."""
        return self.worker is None or self.worker.place == LOCAL

    @property
    def is_ready(self) -> bool:
        return self.state is State.READY

    @property
    def is_resident(self) -> bool:
        return self.state in RESIDENT

    @property
    def is_leaving(self) -> bool:
        """Its process is ending now; one that is drained may have requests that take long."""
        is_told = self.worker is not None and self.worker.ending is not None
        return self.state is State.DRAINING and is_told

    def enter(self, event: Event, now: float, deadline: float | None = None) -> None:
        """The only place a state changes."""
        self.state = after(self.state, event)
        self.since = now
        self.deadline = deadline

    def attach(
        self,
        lease: int,
        now: float,
        ttl: float | None,
        priority: Priority,
        purpose: Purpose,
        *,
        subject: str = "",
        alone: bool = False,
        again: bool = False,
    ) -> None:
        """Let the lease wait here."""
        if not self.queued and self.state in (State.ABSENT, State.DRAINING):
            self.ttl = self._own_ttl
        if ttl is not None:
            self.ttl = ttl
        self.line.attach(lease, subject, now, priority, purpose, alone=alone, again=again)

    def forget(self, lease: int, now: float) -> None:
        """Nobody waits for the lease or has it any more. Idempotent."""
        self.line.forget(lease, now)

    def forget_all(self) -> None:
        """The same of every lease."""
        self.line.forget_all()

    def adopt(self, spec: LoadSpec) -> None:
        """It is configured otherwise now. What a request said of its TTL holds on."""
        is_own = self.ttl == self._own_ttl
        self.spec = spec
        if is_own:
            self.ttl = self._own_ttl

    @property
    def _own_ttl(self) -> float:
        own = self.spec.residency.ttl
        return self._server_ttl if own is None else own

    @property
    def is_pinned(self) -> bool:
        """It leaves only when an operator says so."""
        return self.spec.residency.pinned if self.pin_order is None else self.pin_order

    @property
    def recovers(self) -> bool:
        """It is loaded again after its crash, though nobody waits for it."""
        return self.is_pinned and self.state in (State.BACKOFF, State.FAILED)

    def wish_for(self, why: Literal["preload", "order"], ttl: float | None, now: float) -> None:
        """Have it loaded although nobody waits; where it is loaded, that counts as a use of it."""
        if self.state in (State.LOADING, State.READY):
            self.touch(now, ttl)
            return
        if not self.queued:
            self.ttl = self._own_ttl
            self.room_since = None
        if ttl is not None:
            self.ttl = ttl
        # An order has more of a right than a load at the start.
        self.wish = "order" if self.wish == "order" else why

    def is_blocked(self, now: float) -> bool:
        """It has found no room for as long as its wish is worth: a load at the start takes only
        what is free."""
        if self.room_since is None:
            return False
        return self.wish == "preload" or now - self.room_since >= ROOM_PATIENCE

    @property
    def makes_room(self) -> bool:
        """Idle models are unloaded for it."""
        return bool(self.queued) or self.recovers or self.wish == "order"

    def needs_no_load(self, ttl: float | None) -> bool:
        """Whether a request that only wants the model loaded, or let go, has that already: it takes
        no place, so a full queue is nothing to it."""
        return self.state is State.READY or ttl == 0

    def touch(self, now: float, ttl: float | None) -> None:
        """What such a request says of a model that is loaded, or will be."""
        self.last_used = now
        if ttl is not None and self.is_resident:
            self.ttl = ttl

    def as_resident(self) -> Resident:
        wanted_by = len(self.leases) + self.queued
        return Resident(self.id, wanted_by, self.last_used, self.ttl, self.is_pinned)

    @property
    def queued(self) -> int:
        """Leases that wait here, batch or not."""
        return self.line.queued

    @property
    def turn(self) -> tuple[bool, float]:
        """Sorts wanted models: those that nobody waits for but batches last, the others by who came
        first."""
        return not self.waiting, next(iter((self.waiting or self.batch).values()), self.since)

    def refused(self, now: float) -> KronkError | None:
        """The error to answer with at once, if attempts are held off."""
        if self.refusal is None or now >= self.refusal_until:
            return None
        left = self.refusal_until - now
        error = self.refusal
        return type(error)(error.message, param=error.param, retry_after=left)

    def forgive(self, now: float) -> None:
        """The cause of its failures was repaired: forget them, and try when it is next wanted."""
        self.failures.reset()
        self.refusal = None
        if self.state in (State.BACKOFF, State.FAILED):
            self.enter(Event.CALMED, now)

    def refuse_until(self, until: float, error: KronkError) -> None:
        self.refusal = error
        self.refusal_until = until
        self.wish = None

    def may_load(self, now: float) -> bool:
        """It is wanted, and nothing but room can be in the way."""
        if not self.queued and not self.recovers and self.wish is None:
            return False
        if self.state in (State.BACKOFF, State.FAILED):
            return self.deadline is None or now >= self.deadline
        return self.state is State.ABSENT

    @property
    def room(self) -> int:
        """Interactive requests that it may have at a time, running or waiting, while all of them
        are one subject's."""
        if self.state is not State.READY or self.worker is None or self.is_closed:
            return MOST_WAITING
        return self.worker.places if self.worker.fitted and self.worker.fitted.queue else 0

    @property
    def most_waiting(self) -> int:
        """Requests that may be in `waiting`: many while it is not loaded, and then as many as its
        queue is deep."""
        if self.state is not State.READY or self.worker is None or self.is_closed:
            return MOST_WAITING
        return max(self.worker.places - self.capacity, 0)

    @property
    def capacity(self) -> int:
        """Leases its worker is granted at a time.

        Its queue stands in the worker, where the next in line has the shortest way to a slot. With
        a limit on the wait it stands here instead, where a request can still be refused.
        """
        if self.worker is None or self.worker.fitted is None:
            return 0
        is_timed = self.spec.queue_timeout is not None
        return self.worker.fitted.slots if is_timed else self.worker.places

    @property
    def _extra(self) -> int:
        """Leases beyond its capacity, for subjects that have none: the queue in the worker may be
        full of others', and their turn is next."""
        if self.worker is None or self.worker.fitted is None or not self.worker.fitted.queue:
            return 0
        return self.worker.fitted.slots if self.spec.queue_timeout is None else 0

    def grantable(self, now: float) -> list[int]:
        """Move leases from waiting to granted, as many as the worker takes."""
        if self.state is not State.READY or self.worker is None or self.is_closed:
            return []
        return self.line.grant(self.capacity, self._extra, self._batch_capacity, now)

    def give_back(self, lease: int, now: float) -> None:
        """A granted lease has ended: learn from it how long one takes."""
        self.last_used = now
        if lease not in self.line.slotless and self.worker is not None and self.worker.fitted:
            slots = self.worker.fitted.slots
            self.service.note(now - self.leases[lease], self.line.in_slots, slots)

    @property
    def is_closed(self) -> bool:
        """Its process takes no new request: the next one does, with another configuration, or when
        another model has had its turn."""
        return self.yields or (self.change is not None and self.change.is_closed)

    @property
    def _batch_capacity(self) -> int:
        """Leases of any kind beside which a batch request may start: one slot stays free for the
        next interactive request, where there are two."""
        if self.worker is None or self.worker.fitted is None:
            return 0
        return max(self.worker.fitted.slots - 1, 1)

    def impatient(self, now: float) -> list[int]:
        """Leases that have waited for room for too long."""
        return [] if self.room_since is None else self._late(self.room_since, ROOM_PATIENCE, now)

    def overdue(self, now: float) -> list[int]:
        """Leases that have waited for a slot for longer than the configuration allows."""
        limit = self.spec.queue_timeout
        if limit is None or self.state is not State.READY:
            return []
        # The load is no wait for a slot.
        late = self._late(self.since, limit, now)
        return [lease for lease in late if lease not in self.line.again]

    def _late(self, start: float, limit: float, now: float) -> list[int]:
        return [lease for lease, at in self.waiting.items() if now - max(at, start) >= limit]

    def next_deadline(self) -> float | None:
        """When the fleet next has to look at it."""
        times = [self.deadline] if self.state is State.LOADING else []
        if self.state is State.READY:
            times.append(expiry(self.as_resident()))
            timed = (at for lease, at in self.waiting.items() if lease not in self.line.again)
            if self.spec.queue_timeout is not None and (first := next(timed, None)) is not None:
                times.append(max(first, self.since) + self.spec.queue_timeout)
        is_tried_again = bool(self.queued) or self.recovers
        if self.state is State.BACKOFF or (self.state is State.FAILED and is_tried_again):
            # Past it, and not loading, the model waits for room.
            times.append(self.deadline if self.room_since is None else None)
        if self.room_since is not None and self.waiting:
            first = next(iter(self.waiting.values()))
            times.append(max(first, self.room_since) + ROOM_PATIENCE)
        return min((time for time in times if time is not None), default=None)

    def retry_in(self, now: float) -> float | None:
        """Seconds until it may be tried again after a crash."""
        if self.state not in (State.BACKOFF, State.FAILED) or self.deadline is None:
            return None
        return max(self.deadline - now, 0.0)
