"""Which earlier work a prompt starts from, and which slot it takes. Pure.

The longest prefix wins whose tokens are proven equal, with a handicap for what it costs to get.
At least one token of the prompt is left to decode: its logits are where the answer begins.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .spans import whole

Tokens = npt.NDArray[np.int32]

# Compared at a time: most candidates part from the prompt early.
_STRIDE = 256


class Source(enum.Enum):
    """Where a prefix can be taken from."""

    # A slot without a request, which the new one can simply take over.
    RETAINED = "retained"
    # A slot at work; its cells are shared.
    BUSY = "busy"
    STORED = "stored"
    DISK = "disk"


# Tokens by which a prefix must be longer to be worth what it costs to get: nothing where it lies
# in the context; copying a state costs a few tokens' prefill, reading one from disk some more.
HANDICAP = {Source.RETAINED: 0, Source.BUSY: 0, Source.STORED: 8, Source.DISK: 64}


class Miss(enum.Enum):
    """Why nothing could be reused."""

    OFF = "off"
    NO_ENTRY = "no entry"
    DIVERGES = "diverges"
    TOO_SHORT = "too short"
    NO_SNAPSHOT = "no snapshot"
    DAMAGED = "damaged"


# Compared by identity, as arrays have no one truth; so is a slot below.
@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A sequence that was computed, whole or as far as it has come."""

    source: Source
    # A slot's index, or an entry's key in its store.
    key: int
    tokens: Tokens
    # The shortest prefix that can be had of it by this source; see `memory`.
    floor: int = 0


@dataclass(frozen=True, slots=True)
class Match:
    """What a prompt starts from: the first `length` tokens of `candidate`, or nothing."""

    candidate: Candidate | None
    length: int
    miss: Miss | None
    # In a few words, for logs and timings; hits and misses alike.
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class FreeSlot:
    """A slot without a request, and what is still in its sequence."""

    index: int
    tokens: Tokens
    # The shortest prefix to be had of it: in place, and by copying it to another slot.
    floor: int
    copy_floor: int
    last_used: float

    @property
    def is_empty(self) -> bool:
        return self.tokens.size == 0

    def candidate(self) -> Candidate:
        """This slot as a source."""
        return Candidate(Source.RETAINED, self.index, self.tokens, self.floor)


@dataclass(frozen=True, slots=True)
class Placement:
    """The slot a request takes, and what to do first.

    In this order: fetch a stored match (saving may push it out of its store), save, copy.
    """

    slot: int
    # What is in the slot is worth keeping, and no store has it.
    save: bool
    # The match's candidate is in another slot: copy it from there. Otherwise it is in this slot,
    # in a store, or there is none.
    copy_from: int | None


def common_prefix(a: Tokens, b: Tokens) -> int:
    """How many tokens two sequences begin with alike."""
    most = min(a.size, b.size)
    stride = _STRIDE
    at = 0
    while at < most:
        end = min(at + stride, most)
        differs = a[at:end] != b[at:end]
        first = int(differs.argmax())
        if differs[first]:
            return at + first
        at = end
        stride *= 2
    return most


def choose_source(prompt: Tokens, candidates: Iterable[Candidate], min_tokens: int) -> Match:
    """The best of the candidates for a prompt; prefixes below `min_tokens` are not worth it."""
    limit = prompt.size - 1
    best: Match | None = None
    best_score = 0
    # What came closest, to explain a miss.
    nearest: tuple[int, Candidate] | None = None
    for candidate in candidates:
        common = common_prefix(prompt, candidate.tokens)
        length = whole(prompt, min(common, limit))
        score = length - HANDICAP[candidate.source]
        if nearest is None or common > nearest[0]:
            nearest = (common, candidate)
        if length < max(1, min_tokens, candidate.floor) or (best and score <= best_score):
            continue
        best, best_score = Match(candidate, length, None, _found(candidate, length)), score
    return best or _missed(prompt, nearest, min_tokens)


def _found(candidate: Candidate, length: int) -> str:
    of = "" if length == candidate.tokens.size else f" of {candidate.tokens.size}"
    return f"{candidate.source.value}: {length}{of} tokens"


def _missed(prompt: Tokens, nearest: tuple[int, Candidate] | None, min_tokens: int) -> Match:
    if nearest is None:
        return Match(None, 0, Miss.NO_ENTRY, "no entry")
    common, candidate = nearest
    length, size = whole(prompt, min(common, prompt.size - 1)), candidate.tokens.size
    if length >= max(1, min_tokens):
        reason = f"rigid memory: no snapshot at or before token {length}"
        return Match(None, 0, Miss.NO_SNAPSHOT, reason)
    if common < min(size, prompt.size):
        return Match(None, 0, Miss.DIVERGES, f"diverges at token {common} of {size}")
    reason = f"prefix of {length} tokens is below cache_min_tokens"
    return Match(None, 0, Miss.TOO_SHORT, reason)


def choose_slot(
    match: Match, free: Sequence[FreeSlot], kept: Iterable[int], min_tokens: int
) -> Placement:
    """Which of the free slots (at least one) the request takes.

    `kept` are the slots whose content a store holds already. The slot that holds the match is taken
    over when most of it is used. A long conversation that merely begins like the prompt is left
    alone, and what they share is copied: to an empty slot, or over what was used least recently.
    """
    home = _home(match, free)
    others = [slot for slot in free if slot is not home]
    # What cannot be copied is used where it is, too.
    if home is not None and (
        _mostly_used(home, match) or match.length < home.copy_floor or not others
    ):
        save = not _mostly_used(home, match) and _is_worth_saving(home, kept, min_tokens)
        return Placement(home.index, save, None)
    empty = next((slot for slot in others if slot.is_empty), None)
    taken = empty or min(others, key=lambda slot: slot.last_used)
    source = match.candidate
    is_copied = source is not None and source.source in (Source.RETAINED, Source.BUSY)
    return Placement(
        taken.index,
        _is_worth_saving(taken, kept, min_tokens),
        source.key if source is not None and is_copied else None,
    )


def _home(match: Match, free: Sequence[FreeSlot]) -> FreeSlot | None:
    """The free slot the match is in."""
    source = match.candidate
    if source is None or source.source is not Source.RETAINED:
        return None
    return next(slot for slot in free if slot.index == source.key)


def _mostly_used(home: FreeSlot, match: Match) -> bool:
    return 2 * match.length >= home.tokens.size


def _is_worth_saving(slot: FreeSlot, kept: Iterable[int], min_tokens: int) -> bool:
    return slot.tokens.size >= max(1, min_tokens) and slot.index not in set(kept)
