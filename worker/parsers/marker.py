"""Finding markers in a text that comes in pieces."""

from __future__ import annotations

import re
from typing import NamedTuple

# What JSON calls white space.
SPACE = " \t\r\n"


class Found(NamedTuple):
    """Up to `at` there is no marker. `marker` begins there; None: one may still begin there."""

    at: int
    marker: str | None


class Markers:
    """A set of markers. The one that begins first wins, and of several that begin together the
    longest."""

    def __init__(self, *markers: str) -> None:
        assert all(markers)
        self._markers = tuple(sorted(set(markers), key=len, reverse=True))
        self._starts = re.compile("|".join(sorted({re.escape(m[0]) for m in markers})) or r"(?!)")

    def find(self, text: str, start: int = 0, *, ended: bool = False) -> Found:
        """The first marker from `start` on. Text that could still become one is held back (`at`
        stands before it), unless the text has `ended`."""
        for match in self._starts.finditer(text, start):
            at = match.start()
            for marker in self._markers:
                if text.startswith(marker, at):
                    return Found(at, marker)
                # The longer ones come first, so a shorter one that is complete waits for them.
                if not ended and len(text) - at < len(marker) and marker.startswith(text[at:]):
                    return Found(at, None)
        return Found(len(text), None)
