"""Saved states in RAM, under a byte cap: least recently used out first, pinned ones last.

Keyed by the exact tokens; a longer entry replaces the prefixes of itself that can be had of it.
Nothing here knows llama.cpp or a clock: states come and go as they are, `now` is monotonic seconds.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from .match import Candidate, Miss, Source, Tokens, common_prefix
from .memory import State

# A session's place is given to a newcomer when it was not used for this long, in seconds.
SESSION_IDLE = 3600.0


class Put(enum.Enum):
    """What became of a state that was offered."""

    STORED = "stored"
    # An entry that is there already serves every prefix this one would.
    COVERED = "covered"
    TOO_LARGE = "larger than the cache"
    # What is there is pinned, and this is not.
    NO_ROOM = "no room beside pinned entries"


# Compared by identity: arrays have no one truth.
@dataclass(slots=True, eq=False)
class Entry:
    """One saved state and the tokens it stands for. The store's own; do not change it."""

    key: int
    tokens: Tokens
    state: State
    last_used: float
    # The name it is pinned under: a session, or the system prompt.
    pin: str | None
    # Whose it is, "" is everybody's: for others it is not there.
    owner: str

    @property
    def size(self) -> int:
        """Bytes, the tokens' own included."""
        return int(self.state.data.nbytes + self.tokens.nbytes)

    def serves(self, tokens: Tokens, owner: str) -> bool:
        """Whether `owner` can have a sequence of exactly these tokens of it."""
        length = tokens.size
        return (
            owner == self.owner
            and self.state.floor <= length <= self.tokens.size
            and common_prefix(tokens, self.tokens) == length
        )


@dataclass(frozen=True, slots=True)
class StoreStats:
    """What a store holds and what became of what was asked of it."""

    entries: int
    bytes: int
    capacity: int
    sessions: int
    hits: int
    misses: dict[Miss, int]
    # Entries that had to make room.
    evicted: int


@dataclass(slots=True)
class _Counts:
    hits: int = 0
    evicted: int = 0
    misses: Counter[Miss] = field(default_factory=Counter)


class Store:
    """Owned by the engine's thread. A capacity of 0 stores nothing."""

    def __init__(self, capacity: int, max_pins: int) -> None:
        self.capacity = capacity
        # Always the sum of the entries' sizes, and never above `capacity`.
        self.bytes = 0
        self._max_pins = max_pins
        self._entries: dict[int, Entry] = {}
        self._next_key = 0
        self._counts = _Counts()

    def candidates(self, owner: str = "") -> Iterator[Candidate]:
        """Every entry of the owner, for `choose_source`."""
        for entry in self._entries.values():
            if entry.owner == owner:
                yield Candidate(Source.STORED, entry.key, entry.tokens, entry.state.floor)

    def covers(self, tokens: Tokens, owner: str = "") -> bool:
        """Whether a sequence of these tokens need not be saved again for that owner."""
        return any(entry.serves(tokens, owner) for entry in self._entries.values())

    def get(self, key: int, now: float) -> Entry:
        """The entry that `choose_source` chose; counts as its use."""
        entry = self._entries[key]
        entry.last_used = now
        return entry

    def count(self, miss: Miss | None) -> None:
        """Count the outcome of a match, whatever its source."""
        if miss is None:
            self._counts.hits += 1
        else:
            self._counts.misses[miss] += 1

    def put(
        self, tokens: Tokens, state: State, now: float, pin: str | None = None, owner: str = ""
    ) -> Put:
        """Offer a state. A pin moves to the newest state under its name; while all places for names
        are taken, a new one gets none and the state is stored like any other."""
        assert tokens.size == state.length, "the tokens are what was decoded"
        if self._is_covered(tokens, now, pin, owner):
            return Put.COVERED
        entry = Entry(self._next_key, tokens, state, now, None, owner)
        if entry.size > self.capacity:
            return Put.TOO_LARGE
        pin = self._granted(pin, now)
        covered = [
            other
            for other in self.entries()
            if entry.serves(other.tokens, other.owner) and other.pin in (None, pin)
        ]
        if not self._make_room(entry.size, covered, is_pinned=pin is not None):
            return Put.NO_ROOM
        self._next_key += 1
        self._entries[entry.key] = entry
        self.bytes += entry.size
        if pin is not None:
            self._pin(entry, pin)
        return Put.STORED

    def drop(self, key: int) -> None:
        """Forget an entry, because it is covered or turned out damaged, if it is still there."""
        entry = self._entries.pop(key, None)
        if entry is not None:
            self.bytes -= entry.size

    def clear(self) -> None:
        """Forget everything, pins too."""
        self._entries.clear()
        self.bytes = 0

    def stats(self) -> StoreStats:
        """As of now."""
        return StoreStats(
            entries=len(self._entries),
            bytes=self.bytes,
            capacity=self.capacity,
            sessions=len(self._pinned()),
            hits=self._counts.hits,
            misses=dict(self._counts.misses),
            evicted=self._counts.evicted,
        )

    def entries(self) -> tuple[Entry, ...]:
        """Least recently used first."""
        return tuple(sorted(self._entries.values(), key=lambda entry: entry.last_used))

    @property
    def unordered(self) -> list[Entry]:
        """All of them; also for another thread than the engine's, for which it is made in one
        step."""
        return list(self._entries.values())

    # Pins.

    def _pinned(self) -> dict[str, Entry]:
        return {entry.pin: entry for entry in self._entries.values() if entry.pin is not None}

    def _is_covered(self, tokens: Tokens, now: float, pin: str | None, owner: str) -> bool:
        """Whether an entry serves these tokens, and is as safe as the pin would make them."""
        for entry in self._entries.values():
            if entry.serves(tokens, owner) and pin in (None, entry.pin):
                entry.last_used = now
                return True
        return False

    def _granted(self, pin: str | None, now: float) -> str | None:
        """The name, if it has a place or one is free; sessions long idle make room."""
        pinned = self._pinned()
        if pin is None or pin in pinned:
            return pin
        if len(pinned) < self._max_pins:
            return pin
        if not pinned:
            return None
        oldest = min(pinned.values(), key=lambda entry: entry.last_used)
        if now - oldest.last_used < SESSION_IDLE:
            return None
        oldest.pin = None
        return pin

    def _pin(self, entry: Entry, pin: str) -> None:
        before = self._pinned().get(pin)
        if before is not None:
            before.pin = None
        entry.pin = pin

    def _make_room(self, size: int, covered: list[Entry], *, is_pinned: bool) -> bool:
        """Drop what the new entry covers, and then what goes first until `size` bytes fit. Pinned
        entries go only for a pinned one; False, and nothing dropped, when that is too little."""
        rest = [entry for entry in self.entries() if entry not in covered]
        going = [entry for entry in rest if entry.pin is None]
        if is_pinned:
            going += [entry for entry in rest if entry.pin is not None]
        can_go = sum(entry.size for entry in (*covered, *going))
        if self.bytes - can_go + size > self.capacity:
            return False
        for entry in covered:
            self.drop(entry.key)
        for entry in going:
            if self.bytes + size <= self.capacity:
                break
            self.drop(entry.key)
            self._counts.evicted += 1
        return True
