"""Calls at other Kronks, which are counted here."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from kronk.gateway.access.limits import Limits
from kronk.shared.security.charges import Charges
from kronk.shared.security.counters import Charge
from kronk.shared.security.grants import Grants

from .questions import ChargeBody, SettleBody


class RemoteCalls:
    """The counters of this gateway, as others use them. `asker` is whose call it is: the subject
    of another Kronk's token. `ServerError` when nothing can be counted."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.time) -> None:
        self._limits = limits
        self._charges = Charges(limits.counters)
        self._clock = clock

    async def charge(self, asker: str, asked: ChargeBody, grants: Grants) -> Charge:
        """Count a call, once for each name; nothing is counted that a limit does not allow."""
        charge = await asyncio.to_thread(
            self._charges.charge,
            asker,
            asked.request_id,
            asked.subject,
            asked.endpoint,
            grants,
            self._clock(),
        )
        self._limits.counted()
        return charge

    async def settle(self, asker: str, asked: SettleBody) -> bool:
        """Take what a call came to; false if there is no such call."""
        known = await asyncio.to_thread(
            self._charges.settle,
            asker,
            asked.charge,
            self._clock(),
            refund=asked.refund,
            prompt_tokens=asked.prompt_tokens,
            completion_tokens=asked.completion_tokens,
        )
        self._limits.counted()
        return known
