"""Calls that another Kronk counts: where `--auth-host` says, for all who ask it together."""

from __future__ import annotations

import asyncio
import hashlib
import time
import uuid
from collections.abc import Callable, Sequence
from functools import partial

import structlog

from kronk.shared.security.counters import Charge
from kronk.shared.security.grants import Grants
from kronk.shared.security.identity import Identity

from .answers import charge_of, is_settled
from .host import AuthHost, Unanswered
from .identities import standing_of
from .questions import CHARGE, SETTLE
from .settlements import PAUSES, Settlement, Settlements

log = structlog.get_logger()


class Central:
    """Counts there what has a limit."""

    def __init__(
        self,
        host: AuthHost,
        *,
        today: Callable[[], float] = time.time,
        pauses: Sequence[float] = PAUSES,
    ) -> None:
        self._host = host
        self._settlements = Settlements(self._send, pauses=pauses)
        self._today = today

    async def charge(
        self, identity: Identity, endpoint: str, grants: Grants, once: str | None = None
    ) -> tuple[str, Charge]:
        """A call that `grants` limit: what it is called there, and what came of it. Under the same
        name `once` it is counted once. `Unauthenticated` if the host knows the identity no more,
        `Overloaded` if it is of no use."""
        assert identity.subject is not None, "nobody in particular has no limit"
        # Not the request's id, which its client may choose.
        number = uuid.uuid4().hex if once is None else hashlib.sha256(once.encode()).hexdigest()
        asked = standing_of(identity) | {
            "endpoint": endpoint,
            "grants": grants.to_claims(),
            "request_id": number,
        }
        read = partial(charge_of, subject=identity.subject, endpoint=endpoint, now=self._today())
        try:
            return number, await self._host.ask(CHARGE, asked, read)
        except (Unanswered, asyncio.CancelledError):
            # Perhaps it is counted there, and nobody gets anything for it.
            self._settlements.add(Settlement(number, refund=True))
            raise

    def settle(self, number: str, *, refund: bool, prompt: int, completion: int) -> None:
        """Say what a call came to, in the background."""
        self._settlements.add(Settlement(number, refund, prompt, completion))

    async def close(self, seconds: float) -> None:
        """Say what is left to say, for no longer than that."""
        await self._settlements.close(seconds)

    async def _send(self, settlement: Settlement) -> None:
        asked = {
            "charge": settlement.charge,
            "refund": settlement.refund,
            "prompt_tokens": settlement.prompt_tokens,
            "completion_tokens": settlement.completion_tokens,
        }
        if not await self._host.ask(SETTLE, asked, is_settled):
            log.info("the authentication host does not know a call", charge=settlement.charge)
