"""What a prefix cache may reuse, and what it must: a reference without llama.cpp, slots or states.

It knows every token sequence that was ever computed, which of them a sequence of the context still
holds, and which had to make room and were worth keeping. A prompt may start from any prefix of what
was computed, and never from more: that is `longest`. It must start from no less than `promised`,
as long as the stores have room.
"""

from __future__ import annotations

import numpy as np

from kronk.worker.cache.match import HANDICAP, Source
from kronk.worker.cache.spans import whole

Tokens = tuple[int, ...]


def common(a: Tokens, b: Tokens) -> int:
    """How many tokens two sequences begin with alike."""
    length = 0
    for one, other in zip(a, b, strict=False):
        if one != other:
            break
        length += 1
    return length


def usable(prompt: Tokens, length: int) -> int:
    """As much of a prefix as leaves one token to decode, and all of its images whole."""
    return whole(np.array(prompt, np.int32), min(len(prompt) - 1, length))


class CacheModel:
    """`any_prefix`: of a sequence any prefix can be had, not only the whole."""

    def __init__(self, slots: int, min_tokens: int, *, any_prefix: bool) -> None:
        self.slots: dict[int, Tokens] = dict.fromkeys(range(slots), ())
        self._any_prefix = any_prefix
        self._least = max(1, min_tokens)
        # Computed once and possibly forgotten since, beside what the slots hold.
        self._past: set[Tokens] = set()
        # Had to make room.
        self.kept: set[Tokens] = set()

    def grew(self, slot: int, tokens: Tokens) -> None:
        """More was decoded in the slot's sequence, or nothing happened."""
        before = self.slots[slot]
        assert tokens[: len(before)] == before, "what is computed does not change"
        self.slots[slot] = tokens

    def cut(self, slot: int, length: int) -> None:
        """What nobody can use was given up."""
        self._past.add(self.slots[slot])
        self.slots[slot] = self.slots[slot][:length]

    def longest(self, prompt: Tokens) -> int:
        """The longest prefix ever computed; one token is left to decode."""
        known = (*self.slots.values(), *self._past)
        return usable(prompt, max(common(prompt, tokens) for tokens in known))

    def promised(self, prompt: Tokens) -> int:
        """Tokens that must be reused where there is room for all that is worth keeping."""
        best = 0
        for tokens, handicap in (
            *((tokens, 0) for tokens in self.slots.values()),
            *((tokens, HANDICAP[Source.STORED]) for tokens in self.kept),
        ):
            length = usable(prompt, common(prompt, tokens))
            if length >= self._least and (self._any_prefix or length == len(tokens)):
                best = max(best, self._least, length - handicap)
        return best

    def placed(self, slot: int, prompt: Tokens, length: int) -> None:
        """A request took the slot, whose sequence now is the first `length` tokens of its prompt.

        A sequence most of which goes on being used loses its end.
        """
        before = self.slots[slot]
        is_home = 0 < length <= common(before, prompt)
        self._replace(slot, prompt[:length], keeps=not (is_home and 2 * length >= len(before)))

    def copied(self, source: int, target: int) -> None:
        """`target` became the same as `source`."""
        self._replace(target, self.slots[source], keeps=True)

    def parked(self, slot: int) -> None:
        """What the slot held was moved out of the context."""
        self._replace(slot, (), keeps=True)

    def lost(self, slot: int) -> None:
        """The slot's sequence is not to be trusted, or nothing is to be kept."""
        self._replace(slot, (), keeps=False)

    def _replace(self, slot: int, tokens: Tokens, *, keeps: bool) -> None:
        before = self.slots[slot]
        self._past.add(before)
        if keeps and len(before) >= self._least:
            self.kept.add(before)
        self.slots[slot] = tokens
