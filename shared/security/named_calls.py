"""Calls that are known by a name, and counted once however often they are begun.

A batch goes on with its lines after its gateway was killed: what was charged for a line then has
been paid.
"""

from __future__ import annotations

import struct

import lmdb

from .counters import Charge, Counters
from .grants import Limit
from .rows import short
from .windows import DAY_SECONDS, windows_at

# Longer than any batch takes.
KEPT_SECONDS = 60 * DAY_SECONDS
# With each name that comes, so many are looked at: what is old goes faster than it comes.
_LOOKED_AT = 4
# When it was counted, in seconds since the epoch.
_COUNTED = struct.Struct("<Q")


class NamedCalls:
    """The names, beside the counters, and changed with them or not at all."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._table = counters.table("names")
        self._swept_to = b""

    def charge(
        self,
        name: str,
        subject: str,
        endpoint: str,
        limit: Limit,
        now: float,
        tokens: Limit | None = None,
    ) -> Charge:
        """As `Counters.charge`; but what was counted under that name, and not given back, is
        allowed and not counted again."""
        key = short(name)
        with self._counters.writing() as transaction:
            known = transaction.get(key, db=self._table)
            if known is not None:
                return Charge(subject, endpoint, windows_at(_COUNTED.unpack(known)[0]))
            charge = self._counters.charge_in(transaction, subject, endpoint, limit, now, tokens)
            if charge.allowed:
                self._sweep(transaction, now)
                transaction.put(key, _COUNTED.pack(int(now)), db=self._table)
            return charge

    def refund(self, name: str, charge: Charge) -> None:
        """Take the call back, and forget its name. Idempotent."""
        with self._counters.writing() as transaction:
            if transaction.delete(short(name), db=self._table):
                self._counters.refund_in(transaction, charge)

    def _sweep(self, transaction: lmdb.Transaction, now: float) -> None:
        with transaction.cursor(self._table) as cursor:
            found = cursor.set_range(self._swept_to) if self._swept_to else cursor.first()
            for _ in range(_LOOKED_AT):
                if not found:
                    break
                if _COUNTED.unpack(cursor.value())[0] < now - KEPT_SECONDS:
                    cursor.delete()
                    # It is at the next one now, or at none.
                    found = bool(cursor.key())
                else:
                    found = cursor.next()
            self._swept_to = bytes(cursor.key()) if found else b""
