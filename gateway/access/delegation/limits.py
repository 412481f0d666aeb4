"""Limits of those who are known by another Kronk's word: counted there, for all that ask it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from kronk.gateway.access.admission import Admission, Bill, Outcome
from kronk.gateway.access.control import Limiter
from kronk.gateway.access.limits import WITHOUT_TOKENS, is_refunded
from kronk.gateway.access.refusals import headers_of, used_up
from kronk.gateway.access.rules import Access
from kronk.shared.errors import Overloaded
from kronk.shared.security.grants import UNLIMITED, Grants
from kronk.shared.security.identity import Identity

from .central import Central


class CentralLimits:
    """A `Limiter`. Requests at once are bounded here, by the other one, and so is everybody whom
    the host does not know."""

    def __init__(
        self, local: Limiter, central: Central, clock: Callable[[], float] = time.time
    ) -> None:
        self._local = local
        self._central = central
        self._clock = clock

    async def admit(self, identity: Identity, access: Access, once: str | None = None) -> Admission:
        """Charge a call; `RateLimited` when there is none left, `Overloaded` when that cannot be
        known."""
        counted = _counted(identity, access)
        if counted is None:
            return await self._local.admit(identity, access, once)
        endpoint, grants = counted
        unlimited = replace(identity.grants, endpoints={endpoint: UNLIMITED}, tokens=None)
        here = await self._local.admit(replace(identity, grants=unlimited), access, once)
        try:
            number, charge = await self._central.charge(identity, endpoint, grants, once)
            if not charge.allowed:
                raise used_up(charge, self._clock())
        except BaseException:
            # Here it is as if it had not been.
            here.settle(Outcome(None, Overloaded.code))
            raise
        bill = CentralBill(self._central, number, here.bill, endpoint not in WITHOUT_TOKENS)
        return Admission(identity, access, headers_of(charge), bill)


@dataclass(frozen=True, slots=True)
class CentralBill:
    """What one request holds while it runs: a call there, and what it holds here."""

    central: Central
    number: str
    here: Bill | None
    has_tokens: bool

    def settle(self, outcome: Outcome) -> None:
        """Once, when the answer is over."""
        if self.here is not None:
            self.here.settle(outcome)
        refund = is_refunded(outcome)
        count = self.has_tokens and not refund
        self.central.settle(
            self.number,
            refund=refund,
            prompt=outcome.prompt_tokens if count else 0,
            completion=outcome.completion_tokens if count else 0,
        )


def _counted(identity: Identity, access: Access) -> tuple[str, Grants] | None:
    """Endpoint and limits of a call that the host has to count. None where nothing limits it, or
    where nothing needs to be asked: 0 denies."""
    if identity.via != "delegated" or not identity.is_limited:
        return None
    if not access.charged or access.endpoint is None:
        return None
    limit = identity.grants.endpoints.get(access.endpoint, UNLIMITED)
    tokens = None if access.endpoint in WITHOUT_TOKENS else identity.grants.tokens
    has_budget = tokens is not None and tokens.calls is not None
    if limit.calls == 0 or (limit.calls is None and not has_budget):
        return None
    return access.endpoint, Grants({access.endpoint: limit}, tokens=tokens)
