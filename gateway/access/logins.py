"""Logging in: as often as the ledger of attempts lets one try, and two at a time."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from kronk.shared.database import Table
from kronk.shared.errors import RateLimited, Unauthenticated
from kronk.shared.security import password
from kronk.shared.security.password import Stored
from kronk.shared.units import format_duration

from .attempts import Ledger, from_record, place_of, to_record
from .sessions import Sessions

# A hash takes a quarter of a second of a core, and 32 MiB.
_AT_ONCE = 2
_KEY = "ledger"


class Logins:
    """One per gateway."""

    def __init__(
        self,
        table: Table,
        sessions: Sessions,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._table = table
        self._password = sessions.password
        self._sessions = sessions
        self._clock = clock
        # Not the loop's own threads: a client that goes away leaves its hash behind.
        self._hashing = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="login")

    async def log_in(self, text: str, host: str | None) -> str:
        """The cookie's value of a new session. `Unauthenticated` for what is not the password, and
        just so where there is none; `RateLimited` for who has to wait."""
        stored, place = self._password.current(), place_of(host)
        wait = await asyncio.to_thread(self._attempt, stored, place)
        if wait > 0.0:
            raise RateLimited(
                f"too many failed logins; try again in {format_duration(math.ceil(wait))}",
                retry_after=math.ceil(wait),
            )
        loop = asyncio.get_running_loop()
        is_right = await loop.run_in_executor(self._hashing, password.is_right, text, stored)
        if stored is None or not is_right:
            raise Unauthenticated("wrong password")
        await asyncio.to_thread(self._succeeded, stored, place)
        return await self._sessions.begin(stored.id)

    def _attempt(self, stored: Stored | None, place: str) -> float:
        known = from_record(self._table.get(_KEY), _id(stored))
        _, wait = known.attempt(place, self._clock())
        if wait > 0.0:
            # Whoever comes again and again must not have the disk write each time.
            return wait

        def counted(ledger: Ledger) -> Ledger:
            nonlocal wait
            changed, wait = ledger.attempt(place, self._clock())
            return changed

        self._change(stored, counted)
        return wait

    def _succeeded(self, stored: Stored, place: str) -> None:
        self._change(stored, lambda ledger: ledger.succeeded(place, self._clock()))
        password.forget_first(self._password.keys)

    def _change(self, stored: Stored | None, changed: Callable[[Ledger], Ledger]) -> None:
        name = _id(stored)
        self._table.upsert(_KEY, lambda record: to_record(changed(from_record(record, name))))


def _id(stored: Stored | None) -> str:
    return "" if stored is None else stored.id
