"""Tokens' bytes to text that may be sent: whole characters only, and nothing of a stop string.

However a text is cut into tokens, the same text comes out. Text is held back only while it could
still become a stop string or an unfinished character.
"""

from __future__ import annotations

import codecs
from collections.abc import Sequence


class Characters:
    """Bytes to characters. Bytes that are no UTF-8 at all become U+FFFD: JSON can carry nothing
    else. A character the model never completes is dropped."""

    def __init__(self) -> None:
        # In the middle of a character's bytes.
        self.is_open = False
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def feed(self, piece: bytes) -> str:
        """The characters that are complete with these bytes."""
        # Between characters, which is nearly always, ASCII needs no decoder.
        if piece.isascii() and not self.is_open:
            return piece.decode("ascii")
        text = self._decoder.decode(piece)
        self.is_open = self._decoder.getstate()[0] != b""
        return text


class StopFilter:
    """Text without the stop strings; after `stopped` is set, that one was met.

    It and what follows are not part of the answer. When several match, the one that is complete
    first wins, the longest of those.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self.stopped: str | None = None
        self._stops = tuple(stops)
        self._longest = max((len(stop) for stop in stops), default=0)
        # A proper prefix of some stop string, or empty.
        self._held = ""

    @property
    def holds(self) -> bool:
        """Some text is held back."""
        return self._held != ""

    def feed(self, text: str) -> str:
        """The text that became certain; often empty."""
        assert self.stopped is None
        if not self._stops:
            return text
        text = self._held + text
        matches = [(at + len(s), at, s) for s in self._stops if (at := text.find(s)) >= 0]
        if matches:
            _, at, self.stopped = min(matches)
            self._held = ""
            return text[:at]
        keep = self._possible_start(text)
        self._held = text[keep:]
        return text[:keep]

    def finish(self) -> str:
        """What was held back, when no more text comes."""
        held, self._held = self._held, ""
        return held

    def _possible_start(self, text: str) -> int:
        """Where the longest tail begins that a stop string could still grow from."""
        for at in range(max(0, len(text) - self._longest + 1), len(text)):
            if any(stop.startswith(text[at:]) for stop in self._stops):
                return at
        return len(text)
