"""The memory that a model is compared with. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from .predict import Machine


@dataclass(frozen=True, slots=True)
class Room:
    """One device; bytes."""

    device: str
    total_bytes: int
    # Of it, what models may take.
    budget_bytes: int
    # Of that, what loaded models were promised, and what of it would come free when idle ones go.
    held_bytes: int = 0
    idle_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Ground:
    """A machine, and the room there is on it."""

    machine: Machine
    rooms: tuple[Room, ...]
    # It is not the machine at hand.
    imagined: bool = False

    @property
    def budgets(self) -> dict[str, int]:
        """Bytes that models may take, by device."""
        return {room.device: room.budget_bytes for room in self.rooms}
