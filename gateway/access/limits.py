"""What a request is charged, and what it gets back when it is over."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from kronk.shared.errors import Overloaded, PermissionDenied, ServerError, is_server_fault
from kronk.shared.security.counters import Charge, Counters
from kronk.shared.security.grants import UNLIMITED, Limit
from kronk.shared.security.identity import Identity
from kronk.shared.security.named_calls import NamedCalls
from kronk.shared.security.upkeep import Upkeep

from .admission import Admission, Outcome
from .refusals import headers_of, too_many, used_up
from .rules import Access

# Under whom is counted who has shown no token, where none is needed.
ANONYMOUS_SUBJECT = "anonymous"
# Of these nothing is counted but the calls: no model writes anything.
WITHOUT_TOKENS = frozenset({"tokenize", "batches"})
# The server's own end, in the middle of a request.
_CUT_OFF = "cut_off"
_UNCOUNTED = "calls cannot be counted now; the server's log says why"
_UNCOUNTED_RETRY_SECONDS = 5.0

log = structlog.get_logger()


class Limits:
    """One per gateway. Charges, and bounds how many requests a subject has at once here."""

    def __init__(self, counters: Counters, clock: Callable[[], float] = time.time) -> None:
        self.counters = counters
        self.named = NamedCalls(counters)
        self._clock = clock
        self._upkeep = Upkeep(counters, clock=clock)
        # Requests that run, of subjects whose number is bounded.
        self._running: Counter[str] = Counter()
        # Whether counting failed the last time: it is said once.
        self._complained = False

    def stop(self) -> None:
        """Bring it to the disk. Blocks for it."""
        self._upkeep.stop()
        self.counters.close()

    def running(self, subject: str) -> int:
        """How many requests of that subject run here, if their number is bounded."""
        return self._running[subject]

    async def admit(self, identity: Identity, access: Access, once: str | None = None) -> Admission:
        """Charge a call; `RateLimited` when there is none left.

        What was charged under the name `once` and not given back is not charged again. Such work
        nobody waits for: it is not held to the number of requests at once.
        """
        subject = ANONYMOUS_SUBJECT if identity.via == "anonymous" else identity.subject
        if not access.works or access.endpoint is None or subject is None:
            return Admission(identity, access)
        bill = Bill(self, subject, once, holds_place=once is None and _is_bounded(identity))
        if bill.holds_place:
            self._take_place(identity, subject)
        if not access.charged:
            return Admission(identity, access, bill=bill)
        try:
            charge = bill.charge = self._charge(identity, subject, access.endpoint, once)
        except BaseException:
            bill.release()
            raise
        return Admission(identity, access, {} if charge is None else headers_of(charge), bill)

    def _take_place(self, identity: Identity, subject: str) -> None:
        most = identity.grants.concurrency
        if most is not None and self._running[subject] >= most:
            raise too_many(most)
        self._running[subject] += 1

    def release(self, subject: str) -> None:
        """A request that had a place is over."""
        self._running[subject] -= 1
        if not self._running[subject]:
            del self._running[subject]

    def _charge(
        self, identity: Identity, subject: str, endpoint: str, once: str | None
    ) -> Charge | None:
        limit, budget = UNLIMITED, None
        if identity.is_limited:
            limit = identity.grants.endpoints.get(endpoint, UNLIMITED)
            budget = None if endpoint in WITHOUT_TOKENS else identity.grants.tokens
        if limit.calls == 0:
            raise PermissionDenied("endpoint not authorized")
        now = self._clock()
        try:
            if once is None:
                charge = self.counters.charge(subject, endpoint, limit, now, budget)
            else:
                charge = self.named.charge(once, subject, endpoint, limit, now, budget)
        except ServerError as error:
            self.complain(error)
            if _is_bound(limit) or (budget is not None and _is_bound(budget)):
                # Else a full disk would be a free pass.
                raise Overloaded(_UNCOUNTED, retry_after=_UNCOUNTED_RETRY_SECONDS) from error
            return None
        self.counted()
        if not charge.allowed:
            raise used_up(charge, now)
        return charge

    def counted(self) -> None:
        """Something was, which is to get to the disk."""
        self._complained = False
        self._upkeep.wake()

    def complain(self, error: ServerError) -> None:
        """What nobody is told of who asks."""
        if not self._complained:
            log.error("calls are not counted", reason=error.message)
        self._complained = True


@dataclass(slots=True)
class Bill:
    """What one request holds while it runs."""

    limits: Limits
    subject: str
    once: str | None
    # Whether it counts among the requests at once.
    holds_place: bool
    # None where nothing could be counted.
    charge: Charge | None = None

    def release(self) -> None:
        """Give the place back. Idempotent."""
        if self.holds_place:
            self.holds_place = False
            self.limits.release(self.subject)

    def settle(self, outcome: Outcome) -> None:
        """Once, when the answer is over."""
        self.release()
        charge = self.charge
        if charge is None:
            return
        try:
            if is_refunded(outcome):
                self._refund(charge)
            elif charge.endpoint not in WITHOUT_TOKENS and _tokens(outcome):
                self.limits.counters.add_tokens(
                    charge, outcome.prompt_tokens, outcome.completion_tokens
                )
            else:
                return
        except ServerError as error:
            self.limits.complain(error)
        else:
            self.limits.counted()

    def _refund(self, charge: Charge) -> None:
        if self.once is None:
            self.limits.counters.refund(charge)
        else:
            self.limits.named.refund(self.once, charge)


def is_refunded(outcome: Outcome) -> bool:
    """Whether it is the server's fault that the client has no answer. Who asked for something
    wrong, or left, has had his call; and so has who was given a part of an answer that took longer
    than the server allows."""
    if outcome.error == "timeout":
        return not outcome.completion_tokens
    if outcome.error is not None:
        return outcome.error == _CUT_OFF or is_server_fault(outcome.error)
    return outcome.status is not None and outcome.status >= 500


def _is_bounded(identity: Identity) -> bool:
    return identity.is_limited and identity.grants.concurrency is not None


def _tokens(outcome: Outcome) -> int:
    return outcome.prompt_tokens + outcome.completion_tokens


def _is_bound(limit: Limit) -> bool:
    return limit.calls is not None
