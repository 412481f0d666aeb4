"""Which rows go into the next decode: pure, from a snapshot of the slots.

Generation rows come first, so that a long prompt never stalls a running stream; prefill takes what
room is left, in order of arrival. While streams are running, prefill is also capped in time: the
step it shares with them may take only a few times as long as it would without. Not so a prompt
that was there, and a slot for it, before any of them had begun: of prompts that come together,
those that happen to be first would otherwise keep the last ones waiting for longer than all the
reading takes. The first to come is mostly read alone: the others are there when it is done, and
find in its slot what they have in common with it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

# A step that carries prefill beside running streams may take this much longer for it: two and a
# half times as long as without, so that with all that varies it stays below three.
PREFILL_SHARE = 1.5
# Rows beside running streams before it is known what they cost.
FIRST_PREFILL = 16
# Kernels work in tiles of rows. Many rows are rounded down to the larger one; the smaller is the
# least there is room for: what a single row seems to cost is mostly the step's own, and a prompt
# that gets a row at a time is never read.
_TILES = (16, 8)


@dataclass(frozen=True, slots=True)
class SlotView:
    """What planning needs to know of one busy slot."""

    slot: int
    # Prompt tokens not yet in the cache; 0 once the slot generates.
    prompt_left: int
    # Of those, the tokens up to the next place where a decode must end; 0 where an image or a
    # recording comes next, which is decoded by itself.
    until_mark: int
    # False while the client's credit is used up.
    may_generate: bool
    # Rows of a generating slot: the pending token and what is proposed to follow it.
    rows: int = 1
    # Monotonic seconds at which both its prompt and the slot were there, and of a generating slot,
    # those of its first token.
    since: float = 0.0


@dataclass(frozen=True, slots=True)
class Chunk:
    """The next `count` prompt tokens of a slot; `last` makes it sample."""

    slot: int
    count: int
    last: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """One decode. Empty when every slot waits for its client."""

    generate: tuple[int, ...]
    prefill: tuple[Chunk, ...]

    @property
    def is_empty(self) -> bool:
        return not self.generate and not self.prefill

    @property
    def slots(self) -> tuple[int, ...]:
        """All slots with rows in this decode."""
        return (*self.generate, *(chunk.slot for chunk in self.prefill))

    @property
    def prefill_rows(self) -> int:
        return sum(chunk.count for chunk in self.prefill)


def make_plan(slots: Sequence[SlotView], capacity: int, prefill_cap: int) -> Plan:
    """The next decode for `slots`, given in order of arrival.

    `capacity` bounds all rows; `prefill_cap` bounds the prefill rows of prompts that came, or got
    their slot, when some slot was generating, or that are too long for a single decode.
    """
    generate, room = [], capacity
    first = math.inf
    for slot in slots:
        if not slot.prompt_left and slot.may_generate and slot.rows <= room:
            generate.append(slot.slot)
            room -= slot.rows
            first = min(first, slot.since)
    beside = min(room, prefill_cap) if generate else room
    chunks: list[Chunk] = []
    for slot in slots:
        is_due = slot.since < first and slot.prompt_left <= capacity
        count = min(slot.until_mark, room if is_due else beside)
        if count > 0:
            chunks.append(Chunk(slot.slot, count, last=count == slot.prompt_left))
            room -= count
            beside = min(room, beside - count)
    return Plan(tuple(generate), tuple(chunks))


def prefill_cap(decode_seconds: float | None, prefill_rate: float | None, capacity: int) -> int:
    """Prefill rows that fit beside running streams.

    `decode_seconds` is what a step without prefill takes, `prefill_rate` rows per second; either
    is None before it was measured.
    """
    if decode_seconds is None or prefill_rate is None:
        return min(capacity, FIRST_PREFILL)
    rows = int(PREFILL_SHARE * decode_seconds * prefill_rate)
    large, small = _TILES
    tile = large if rows >= large else small
    return min(capacity, max(small, rows - rows % tile))
