"""Calls that are counted for another Kronk: each once, however often it asks, and settled once.

An answer that is lost on its way is asked for again. So what was answered is written down in the
transaction that counts, under a name that the other Kronk has chosen, and found again by it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any

import lmdb

from .counters import Charge, Counters, Standing
from .grants import UNLIMITED, Grants
from .windows import windows_at

# A question is repeated for minutes at most; a request may take long.
SETTLED_SECONDS = 3600.0
OPEN_SECONDS = 86_400.0
# With each row that comes, so many are looked at: there are never many more than are in use.
_LOOKED_AT = 4


class Charges:
    """The calls, beside the counters. Each method takes microseconds, but may wait for another
    process's; `ServerError` when it cannot be written."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._table = counters.table("charges")
        self._swept_to = b""

    def charge(
        self, asker: str, number: str, subject: str, endpoint: str, grants: Grants, now: float
    ) -> Charge:
        """Count a call of `subject`, or say again what was said of it; `asker` and `number` are
        whose it is and what it calls it. What is refused is not written down."""
        key = _key(asker, number)
        with self._counters.writing() as transaction:
            known = transaction.get(key, db=self._table)
            if known is not None:
                return _charge_of(json.loads(bytes(known)))
            limit = grants.endpoints.get(endpoint, UNLIMITED)
            charge = self._counters.charge_in(
                transaction, subject, endpoint, limit, now, grants.tokens
            )
            if charge.allowed:
                self._sweep(transaction, now)
                transaction.put(key, _row(charge, now), db=self._table)
            return charge

    def settle(
        self,
        asker: str,
        number: str,
        now: float,
        *,
        refund: bool,
        prompt_tokens: int = 0,
        completion_tokens: int = 0,
    ) -> bool:
        """Say what a call came to; only the first word counts. False if there is no such call, or
        not any more, as after a refund."""
        key = _key(asker, number)
        with self._counters.writing() as transaction:
            known = transaction.get(key, db=self._table)
            if known is None:
                return False
            row = json.loads(bytes(known))
            if row["settled"] is not None:
                return True
            charge = _charge_of(row)
            if refund:
                self._counters.refund_in(transaction, charge)
                # Asked for once more, it is a call again.
                transaction.delete(key, db=self._table)
                return True
            if prompt_tokens or completion_tokens:
                self._counters.add_tokens_in(transaction, charge, prompt_tokens, completion_tokens)
            settled = json.dumps(row | {"settled": now}).encode()
            transaction.put(key, settled, db=self._table)
        return True

    def _sweep(self, transaction: lmdb.Transaction, now: float) -> None:
        """Remove what is over, a few rows further each time."""
        with transaction.cursor(self._table) as cursor:
            found = cursor.set_range(self._swept_to)
            for _ in range(_LOOKED_AT):
                if not found:
                    self._swept_to = b""
                    return
                if _is_over(json.loads(bytes(cursor.value())), now):
                    cursor.delete()
                    # It is at the next one now, or at none.
                    found = bool(cursor.key())
                else:
                    found = cursor.next()
            self._swept_to = bytes(cursor.key()) if found else b""


def _is_over(row: dict[str, Any], now: float) -> bool:
    if row["settled"] is not None:
        return bool(row["settled"] < now - SETTLED_SECONDS)
    return bool(row["at"] < now - OPEN_SECONDS)


def _key(asker: str, number: str) -> bytes:
    return hashlib.sha256(f"{asker}\0{number}".encode()).digest()


def _row(charge: Charge, now: float) -> bytes:
    row = {
        "subject": charge.subject,
        "endpoint": charge.endpoint,
        "at": now,
        "calls": charge.calls and dataclasses.astuple(charge.calls),
        "tokens": charge.tokens and dataclasses.astuple(charge.tokens),
        "settled": None,
    }
    return json.dumps(row).encode()


def _charge_of(row: dict[str, Any]) -> Charge:
    calls, tokens = (
        None if row[name] is None else Standing(*row[name]) for name in ("calls", "tokens")
    )
    return Charge(row["subject"], row["endpoint"], windows_at(row["at"]), calls, tokens)
