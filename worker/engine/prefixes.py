"""What each free sequence still holds, and what a new prompt can take over from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from .job import Job
from .slot import Slot


class Prefixes(Protocol):
    """The engine's view of the prefix cache. On the engine's thread."""

    is_recurrent: bool

    def place(self, job: Job, free: Sequence[Slot], busy: Sequence[Slot]) -> tuple[Slot, int, str]:
        """A free slot whose sequence now holds a prefix of the prompt and nothing else, the length
        of that prefix, and where it came from or why it is empty."""

    def twin(self, slot: Slot, free: Sequence[Slot]) -> Slot:
        """A free slot whose sequence now holds the same as that of `slot`."""

    def reached_mark(self, slot: Slot) -> None:
        """The slot's sequence is at a place that its job marked."""

    def left(self, slot: Slot) -> None:
        """The slot is free again."""

    def clear(self, slot: Slot) -> None:
        """What the slot's sequence holds is not to be trusted."""
