"""Chunks of few lengths: who sees the encrypted stream cannot tell the words by how long they are.

OpenAI's `obfuscation`. Its padding is random against compression, which nothing here does.
"""

from __future__ import annotations

from kronk.gateway.operation import Chunks
from kronk.gateway.run import Event
from kronk.shared.errors import KronkError
from kronk.shared.wire.to_gateway import Done

# Longer than nearly every token; the lengths of events are multiples of it.
STEP = 64
_FIELD = b',"obfuscation":"%b"}\n\n'


class PaddedChunks:
    """The same chunks, those with deltas padded."""

    def __init__(self, chunks: Chunks) -> None:
        self.media_type = chunks.media_type
        self.keep_alive = chunks.keep_alive
        self._chunks = chunks

    def opening(self) -> bytes:
        """The chunks that say who speaks."""
        return self._chunks.opening()

    def event(self, event: Event) -> bytes:
        """The chunks of one event, padded."""
        events = self._chunks.event(event).split(b"\n\n")[:-1]
        return b"".join([_padded(event) for event in events])

    def closing(self, done: Done) -> bytes:
        """The rest of an answer that ended well."""
        return self._chunks.closing(done)

    def failure(self, error: KronkError) -> bytes:
        """The error."""
        return self._chunks.failure(error)


def _padded(event: bytes) -> bytes:
    """`event`, which lacks the empty line at its end, with as much as it needs in the field."""
    start = event[:-1]
    length = len(start) + len(_FIELD % b"")
    return start + _FIELD % (b"-" * (-length % STEP))
