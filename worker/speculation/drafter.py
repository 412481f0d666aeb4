"""What the engine asks for guesses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from .ngram import Tokens, look_up


@dataclass(frozen=True, slots=True)
class Asked:
    """One stream that wants guesses."""

    sequence: int
    # All of its tokens, the pending one last.
    tokens: Tokens
    # Guesses at most.
    most: int


class Drafter(Protocol):
    """Guesses the continuations of streams. On the engine's thread."""

    # What reports call it.
    name: str
    # The last call had to read what was written while it was not asked: what it took says nothing
    # about the next ones.
    was_behind: bool

    def draft(self, asked: Sequence[Asked]) -> list[list[int]]:
        """For each stream what may follow, possibly nothing."""


class NgramDrafter:
    """Prompt lookup with n-grams of `size` tokens."""

    name = "ngram"
    was_behind = False

    def __init__(self, size: int) -> None:
        self._size = size

    def draft(self, asked: Sequence[Asked]) -> list[list[int]]:
        """See `look_up`."""
        return [look_up(one.tokens, self._size, one.most) for one in asked]
