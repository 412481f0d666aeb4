"""Which stored responses are whose, and how much of the database those of one subject may take:
nobody fills it for all.

A row for each response, beside the table that has them, as reading those would take long. A row is
written before its response and deleted after it: what a crash leaves counts too much until it is
old, and never too little.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass

from kronk.shared.database import Table
from kronk.shared.errors import TooLarge

MOST_RESPONSES = 100_000
MOST_BYTES = 10 * 1024**3
# Deleted in one transaction, which nobody else can write in.
_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class Share:
    """What one subject has."""

    responses: int = 0
    bytes: int = 0

    def __add__(self, other: Share) -> Share:
        return Share(self.responses + other.responses, self.bytes + other.bytes)

    def __sub__(self, other: Share) -> Share:
        return Share(self.responses - other.responses, self.bytes - other.bytes)


class Shares:
    """The rows, and the sums of them that were asked for. Blocks for the disk, where `is_known`
    does not say otherwise."""

    def __init__(self, table: Table) -> None:
        self._table = table
        # Another gateway writes, too, for as long as it drains: it is a matter of minutes.
        self._sums: dict[str, Share] = {}
        self._lock = threading.Lock()

    def is_known(self, subject: str) -> bool:
        """`check` answers at once."""
        return subject in self._sums

    def learn(self, subject: str) -> None:
        """From now on it is known."""
        with self._lock:
            self._sum(subject)

    def check(self, subject: str, size: int) -> None:
        """`TooLarge` when the subject may not store a response of so many bytes more."""
        with self._lock:
            share = self._sum(subject)
        if share.responses >= MOST_RESPONSES or share.bytes + size > MOST_BYTES:
            raise TooLarge(
                f"'store': you have {share.responses} stored responses of {share.bytes} bytes, and"
                f" may have {MOST_RESPONSES} of {MOST_BYTES}: delete some, or send 'store' as"
                " false",
                param="store",
            )

    def has(self, subject: str, name: str) -> bool:
        """Whether the subject has stored that response, or was about to."""
        return self._table.get(_key(subject, name)) is not None

    def add(self, subject: str, name: str, size: int) -> None:
        """The subject is about to store that response."""
        with self._lock:
            total = self._sum(subject) + Share(1, size)
            self._table.put(_key(subject, name), {"bytes": size})
            self._sums[subject] = total

    def remove(self, subject: str, name: str) -> None:
        """The response is gone. Idempotent."""
        with self._lock:
            row = self._table.get(_key(subject, name))
            if row is None:
                return
            total = self._sum(subject) - Share(1, row["bytes"])
            self._table.delete(_key(subject, name))
            self._sums[subject] = total

    def sweep(self, is_old: Callable[[str], bool]) -> None:
        """Remove the rows of responses that are too old."""
        old = [key for key in self._table.names() if is_old(key.rpartition("/")[2])]
        for at in range(0, len(old), _AT_ONCE):
            with self._lock:
                self._table.delete(*old[at : at + _AT_ONCE])
                self._sums.clear()

    def _sum(self, subject: str) -> Share:
        known = self._sums.get(subject)
        if known is None:
            rows = [row["bytes"] for _, row in self._table.items(_key(subject, ""))]
            known = self._sums[subject] = Share(len(rows), sum(rows))
        return known


def _key(subject: str, name: str) -> str:
    # Whatever stands in a subject, no key of one begins with another's.
    return f"{hashlib.sha256(subject.encode()).hexdigest()[:32]}/{name}"
