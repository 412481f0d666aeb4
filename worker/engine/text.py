"""Tokens' bytes to text that may be sent: whole characters only, and nothing of a stop string.

However a text is cut into tokens, the same text comes out. Text is held back only while it could
still become a stop string or an unfinished character.
"""

from __future__ import annotations

import codecs
from collections.abc import Sequence


class TextFilter:
    """Feed it the bytes of each token; it returns what may be sent.

    After `stopped` is True a stop string was met: it and what follows are not part of the answer.
    When several stop strings match, the one that is complete first wins, the longest of those.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self.stopped = False
        self._stops = tuple(stops)
        # Bytes that are no UTF-8 at all become U+FFFD: JSON can carry nothing else.
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._in_character = False
        # A proper prefix of some stop string, or empty.
        self._held = ""

    def feed(self, piece: bytes) -> str:
        """The text that became certain with this token; often empty."""
        assert not self.stopped
        # Between characters, which is nearly always, ASCII needs no decoder.
        if piece.isascii() and not self._in_character:
            text = piece.decode("ascii")
        else:
            text = self._decoder.decode(piece)
            self._in_character = self._decoder.getstate()[0] != b""
        if not self._stops:
            return text
        text = self._held + text
        stop = self._first_stop(text)
        if stop is not None:
            self.stopped = True
            self._held = ""
            return text[:stop]
        keep = self._possible_start(text)
        self._held = text[keep:]
        return text[:keep]

    def finish(self) -> str:
        """What was held back, when no more tokens come. An unfinished character is dropped: the
        model never completed it."""
        held, self._held = self._held, ""
        return held

    def _first_stop(self, text: str) -> int | None:
        """Where the stop string that is complete first begins."""
        matches = [(at + len(stop), at) for stop in self._stops if (at := text.find(stop)) >= 0]
        return min(matches)[1] if matches else None

    def _possible_start(self, text: str) -> int:
        """Where the longest tail begins that a stop string could still grow from."""
        longest = max(len(stop) for stop in self._stops) - 1
        for at in range(max(0, len(text) - longest), len(text)):
            if any(stop.startswith(text[at:]) for stop in self._stops):
                return at
        return len(text)
