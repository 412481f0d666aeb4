"""The leases at one model: who waits for it, in whose turn, and who has it."""

from __future__ import annotations

from itertools import takewhile

from kronk.shared.fair_share import FairShare
from kronk.shared.wire.values import Priority, Purpose


class Line:
    """Written by its model and by the fleet's leases.

    Invariants: a lease is in one of `waiting`, `batch` and `leases`; nothing moves from `batch` to
    `leases` while there is somebody in `waiting`; `slotless` are some of `waiting` and `leases`,
    `alone`, `again` and `subjects` some of all three; one of `alone` that is in `leases` is the
    only one there.
    """

    def __init__(self) -> None:
        # Lease to the time it began to wait; the order of a dict is first in, first out.
        self.waiting: dict[int, float] = {}
        # The same of batch requests, which have no deadline.
        self.batch: dict[int, float] = {}
        # Granted leases, with the time of the grant.
        self.leases: dict[int, float] = {}
        # Those that need the model and no slot of it.
        self.slotless: set[int] = set()
        # Those that no other may be beside.
        self.alone: set[int] = set()
        # Those whose requests had a worker before: however long they wait, they are not refused.
        self.again: set[int] = set()
        # Whose each is that needs a slot.
        self._subjects: dict[int, str] = {}
        # Of those that need a slot. What a batch had or waits for is nothing to its subject's other
        # requests: it has what they leave.
        self.share = FairShare()
        self.batch_share = FairShare()
        self._of_batches: set[int] = set()

    @property
    def queued(self) -> int:
        """Leases that wait here, batch or not."""
        return len(self.waiting) + len(self.batch)

    @property
    def in_slots(self) -> int:
        """Granted leases that have a slot, or wait for one in the worker."""
        if not self.slotless:
            return len(self.leases)
        return sum(1 for lease in self.leases if lease not in self.slotless)

    def attach(
        self,
        lease: int,
        subject: str,
        now: float,
        priority: Priority,
        purpose: Purpose,
        *,
        alone: bool,
        again: bool,
    ) -> None:
        """Let the lease wait here."""
        if alone:
            self.alone.add(lease)
        if again:
            self.again.add(lease)
        if purpose != "answer":
            self.slotless.add(lease)
            self.waiting[lease] = now
            return
        self._subjects[lease] = subject
        if priority == "batch":
            self._of_batches.add(lease)
            self.batch[lease] = now
        else:
            self.waiting[lease] = now
        self._share_of(lease).arrive(subject, now)

    def forget(self, lease: int, now: float) -> None:
        """Nobody waits for the lease or has it any more. Idempotent."""
        subject = self._subjects.pop(lease, None)
        if subject is not None and lease in self.leases:
            self._share_of(lease).free(subject, now)
        elif subject is not None:
            self._share_of(lease).depart(subject)
        for place in (self.waiting, self.batch, self.leases):
            place.pop(lease, None)
        for kind in (self.slotless, self.alone, self.again, self._of_batches):
            kind.discard(lease)

    def forget_all(self) -> None:
        """The same of every lease."""
        for place in (self.waiting, self.batch, self.leases, self._subjects):
            place.clear()
        for kind in (self.slotless, self.alone, self.again, self._of_batches):
            kind.clear()
        self.share.clear()
        self.batch_share.clear()

    def in_turn(self, now: float) -> tuple[int, ...]:
        """All that wait, in the order in which they would be granted."""
        return (*self._ordered(list(self.waiting), now), *self._ordered(list(self.batch), now))

    def grant(self, capacity: int, extra: int, batch_capacity: int, now: float) -> list[int]:
        """Move leases from waiting to granted.

        `capacity` are those that may have or await a slot, at a time; `extra` are places beyond it,
        for subjects that have none; batch requests start beside fewer than `batch_capacity`.
        """
        if not self.queued or (self.alone and self.alone & self.leases.keys()):
            return []
        granted = list[int]()
        if self.slotless:
            ahead = self._before_alone(self.waiting)
            granted = self._take([one for one in ahead if one in self.slotless], now)
        granted += self._grant(self.waiting, capacity, extra, now)
        if not self.waiting:
            granted += self._grant(self.batch, batch_capacity, 0, now)
        return granted + self._grant_alone(now)

    def _share_of(self, lease: int) -> FairShare:
        return self.batch_share if lease in self._of_batches else self.share

    def _before_alone(self, queue: dict[int, float]) -> list[int]:
        """Those that came before the first who wants to be alone: what is behind it waits, or it
        would wait for ever."""
        if not self.alone:
            return list(queue)
        return list(takewhile(lambda lease: lease not in self.alone, queue))

    def _ordered(self, leases: list[int], now: float) -> list[int]:
        """Those that need no slot first: nothing is in their way."""
        if len(leases) <= 1:
            return leases
        free = [lease for lease in leases if lease in self.slotless]
        bound = [(lease, self._subjects[lease]) for lease in leases if lease not in self.slotless]
        return free + self._share_of(leases[-1]).order(bound, now)

    def _grant(self, queue: dict[int, float], capacity: int, extra: int, now: float) -> list[int]:
        busy = self.in_slots
        newcomers = self.share.newcomers if queue and extra else frozenset[str]()
        if not queue or busy >= (capacity + extra if newcomers else capacity):
            return []
        granted = list[int]()
        for lease in self._ordered(self._before_alone(queue), now):
            # Who has nothing comes first; of each subject at most one is beyond the capacity.
            is_beyond = busy + len(granted) >= capacity
            subject = self._subjects[lease]
            if is_beyond and (subject not in newcomers or busy + len(granted) >= capacity + extra):
                break
            granted.append(lease)
            newcomers -= {subject}
        return self._take(granted, now)

    def _grant_alone(self, now: float) -> list[int]:
        queue = self.waiting or self.batch
        first = next(iter(queue), None)
        return self._take([first], now) if first in self.alone and not self.leases else []

    def _take(self, granted: list[int], now: float) -> list[int]:
        for lease in granted:
            place = self.waiting if lease in self.waiting else self.batch
            del place[lease]
            self.leases[lease] = now
            if (subject := self._subjects.get(lease)) is not None:
                share = self._share_of(lease)
                share.depart(subject)
                share.take(subject, now)
        return granted
