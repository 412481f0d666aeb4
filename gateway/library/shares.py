"""How much of the database what one subject keeps may take: nobody fills it for all.

The sums are written with what they count, in one transaction, so that they are exact; one that is
damaged is counted anew.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from kronk.shared.database import Table, Writer
from kronk.shared.errors import TooLarge

from .owners import key_of


@dataclass(frozen=True, slots=True)
class Share:
    """What one subject has, or may have."""

    things: int
    bytes: int

    def __add__(self, other: Share) -> Share:
        return Share(self.things + other.things, self.bytes + other.bytes)


class Shares:
    """Of all subjects."""

    def __init__(self, table: Table, most: Share, what: str) -> None:
        """`what` those things are called."""
        self._table = table
        self._most = most
        self._what = what

    def add(
        self, writer: Writer, owner: str | None, more: Share, count: Callable[[Writer], Share]
    ) -> None:
        """Write down that the owner has so much more, or less; `count` says what he had, where
        that is not known. `TooLarge` for more than he may have."""
        known = _from_record(writer.get(self._table, key_of(owner)))
        total = (count(writer) if known is None else known) + more
        grows = more.things > 0 or more.bytes > 0
        if grows and (total.things > self._most.things or total.bytes > self._most.bytes):
            raise TooLarge(
                f"You would have {total.things} {self._what} of {total.bytes} bytes, and may have"
                f" {self._most.things} of {self._most.bytes}: delete some"
            )
        writer.put(self._table, key_of(owner), asdict(total))


def _from_record(record: dict[str, Any] | None) -> Share | None:
    if record is None:
        return None
    things, size = record.get("things"), record.get("bytes")
    if type(things) is not int or type(size) is not int or things < 0 or size < 0:
        return None
    return Share(things, size)
