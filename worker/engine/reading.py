"""Reads images and recordings into the context, a step at a time.

Embeddings cannot be in one decode with tokens. So these are steps of their own, of which one comes
after each ordinary step: the encoding of a clip, or the decode of some of its rows. Encoding is
done on the engine's thread like all else: a second thread that computes, with a team of OpenMP's
own, takes the cores away from the first.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from kronk.shared.errors import KronkError
from kronk.worker.context import Context, DecodeResult
from kronk.worker.media.clip import Clip
from kronk.worker.media.rows import ClipRows

from .pace import Pace
from .plan import Chunk, Plan
from .slot import Slot

# What became of a step: the plan of tokens that the span stands for when it is read, None when
# there is more to do, or what went wrong.
Read = Plan | None | DecodeResult | KronkError


class Reader:
    """Advances one slot's span. `capacity` is the rows that the context decodes together; `tick` is
    called for as long as an encoding goes on."""

    def __init__(
        self, context: Context, pace: Pace, capacity: int, tick: Callable[[], None]
    ) -> None:
        self._context = context
        self._pace = pace
        self._capacity = capacity
        self._tick = tick

    def step(self, slot: Slot, *, is_alone: bool) -> Read:
        """The next step of the span the slot is at; short ones unless no stream is running.

        Whatever goes wrong, the slot is at the beginning of the span again; some of its rows may be
        in the memory.
        """
        span = slot.span
        assert span is not None, "the slot is at a token"
        clip = span.clip
        if clip.embeddings is None:
            try:
                is_done = span.encode(self._go_on)
            except KronkError as error:
                return error
            return None if is_done else DecodeResult.ABORTED
        count = rows_of(clip, slot.read, self._capacity if is_alone else self._pace.prefill_cap)
        is_last = slot.prompt_left == len(clip.ids)
        result = self._decode(slot, clip, count, is_last)
        if result is not DecodeResult.OK:
            slot.read = 0
            return result
        slot.read += count
        if slot.read < clip.rows:
            return None
        slot.read = 0
        return Plan((), (Chunk(slot.index, len(clip.ids), is_last),))

    def _go_on(self) -> bool:
        self._tick()
        return not self._context.is_aborted

    def _decode(self, slot: Slot, clip: Clip, count: int, is_last: bool) -> DecodeResult:
        is_end = slot.read + count == clip.rows
        rows = ClipRows(
            clip, slot.index, slot.position, slot.read, count, output_last=is_last and is_end
        )
        started = time.monotonic()
        if clip.sees_ahead:
            self._context.see_ahead(True)
        try:
            result = self._context.decode(rows)
        finally:
            if clip.sees_ahead:
                self._context.see_ahead(False)
        if result is DecodeResult.OK:
            chunk = Chunk(slot.index, count, is_last and is_end)
            self._pace.observe(Plan((), (chunk,)), time.monotonic() - started)
        return result


def rows_of(clip: Clip, done: int, most: int) -> int:
    """Rows of a clip for its next decode, at most so many where that is possible."""
    return clip.rows - done if clip.sees_ahead else min(most, clip.rows - done)
