"""How much of the disk the files of one subject may take: nobody fills it for everybody.

What is on its way counts too. Results of batches count, and are kept whatever they come to.
"""

from __future__ import annotations

import threading
from collections import Counter

from kronk.shared.database import Table
from kronk.shared.errors import TooLarge
from kronk.shared.security.identity import Identity

# OpenAI's are a project's 2.5 TB.
MOST_BYTES = 10 * 1024**3
MOST_FILES = 10_000


class Arrival:
    """A file that is on its way: `take` each part before it is kept, `check` the whole of it before
    it is a file, and `close`."""

    def __init__(self, shares: Shares, subject: str | None) -> None:
        self._shares = shares
        # None: there is nothing to be counted.
        self._subject = subject
        self._stored = 0 if subject is None else shares.stored(subject)
        self._size = 0

    def expect(self, size: int) -> None:
        """`TooLarge` when there is no room for a file as large as it is announced."""
        if self._subject is not None:
            _require_room(self._stored, self._shares.arriving(self._subject, 0) + size)

    def take(self, size: int) -> None:
        """`TooLarge` when so many bytes more are too many."""
        if self._subject is not None:
            self._size += size
            _require_room(self._stored, self._shares.arriving(self._subject, size))

    def check(self) -> None:
        """The same, beside what has become a file meanwhile. Blocks for the disk."""
        if self._subject is not None:
            _require_room(self._shares.stored(self._subject), self._size)

    def close(self) -> None:
        """It is a file, or never will be. Idempotent."""
        if self._subject is not None:
            self._shares.arriving(self._subject, -self._size)
            self._size = 0


class Shares:
    """Of all subjects. From any thread."""

    def __init__(self, table: Table) -> None:
        self._table = table
        # Bytes that were taken in of files that are none yet.
        self._arriving: Counter[str] = Counter()
        self._lock = threading.Lock()

    def arrival(self, identity: Identity) -> Arrival:
        """A file of `identity` is about to come; `TooLarge` when it has too many. Blocks for the
        disk."""
        return Arrival(self, identity.subject if identity.is_limited else None)

    def stored(self, subject: str) -> int:
        """Bytes of its files; `TooLarge` when it may have no more files. Blocks for the disk."""
        sizes = [row["bytes"] for _, row in self._table.items() if row.get("owner") == subject]
        if len(sizes) >= MOST_FILES:
            raise TooLarge(
                f"You have {len(sizes)} files, and may have {MOST_FILES}: delete some", param="file"
            )
        return sum(sizes)

    def arriving(self, subject: str, more: int) -> int:
        """How much of its files is on the way, with so much more from now on."""
        with self._lock:
            total = self._arriving[subject] = self._arriving[subject] + more
            if not total:
                del self._arriving[subject]
            return total


def _require_room(stored: int, arriving: int) -> None:
    if stored + arriving > MOST_BYTES:
        raise TooLarge(
            f"You have files of {stored} bytes, and may have {MOST_BYTES}: {arriving} bytes more"
            " are too many. Delete some",
            param="file",
        )
