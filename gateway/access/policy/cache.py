"""Decisions that were made, for as long as they hold. Pure: it is told the time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

from .decision import Decision

# A token has one for each route it uses; this is some hundred busy tokens.
MOST = 20_000


class DecisionCache:
    """The decisions used latest, of one generation: what they depend on besides their questions. A
    new one makes them all void."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._generation: Hashable = None
        # By question: the decision, and when it ends.
        self._entries: OrderedDict[Hashable, tuple[Decision, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def enter(self, generation: Hashable) -> None:
        """What decisions depend on now."""
        if generation != self._generation:
            self._generation = generation
            self._entries.clear()

    def get(self, key: Hashable, now: float) -> Decision | None:
        """The decision, if there is one that holds."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if now >= entry[1]:
            del self._entries[key]
            return None
        self._entries.move_to_end(key)
        return entry[0]

    def put(self, key: Hashable, decision: Decision, until: float, generation: Hashable) -> None:
        """Keep it until then. One that was made in another generation holds no more."""
        if generation != self._generation:
            return
        self._entries[key] = (decision, until)
        self._entries.move_to_end(key)
        if len(self._entries) > self._most:
            self._entries.popitem(last=False)
