"""Why a model is not loaded, in numbers, and what can be done about it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kronk.shared.errors import InsufficientMemory, Overloaded
from kronk.shared.sizing.advice import advise, parts_in_words
from kronk.shared.sizing.placing import HOST
from kronk.shared.units import format_bytes
from kronk.shared.wire.loading import LoadSpec

from .ledger import Bytes, Holder, Room
from .needs import Need, Needs

# Suggested to a caller in whose way a pinned model is, in seconds.
_TRY_AGAIN_IN = 30.0
_NOTHING_HELPS = (
    "No smaller context makes it fit: use a smaller quantization of the model, or give models more"
    " memory (--memory-budget)"
)


def infeasible(spec: LoadSpec, need: Need, room: Room, needs: Needs) -> InsufficientMemory:
    """It does not fit into the empty machine."""
    changes = advise(
        spec,
        need.prediction,
        lambda other: _fits(other, room, needs),
        has_gpu=len(room.budgets) > 1,
    )
    what = "Any one of these makes it fit: " if len(changes) > 1 else "This makes it fit: "
    advice = what + "; ".join(changes) if changes else _NOTHING_HELPS
    return InsufficientMemory(
        f"{spec.model} does not fit: {_wants(need.bytes, room)}"
        f" ({parts_in_words(need.prediction)}). {advice}",
        param="model",
    )


def blocked(model: str, need: Bytes, room: Room, by: Sequence[str]) -> Overloaded:
    """Pinned models are in the way."""
    if len(by) >= room.places:
        why = (
            f"the {room.places} models that may be loaded at a time are all pinned"
            " (--models-in-cache)"
        )
    else:
        why = f"{_wants(need, room)}, and models that are pinned have it"
    words = f"no room for {model}: {why}: {', '.join(by)}"
    return Overloaded(words, retry_after=_TRY_AGAIN_IN)


def no_room(model: str, need: Bytes, room: Room, holders: Iterable[Holder]) -> str:
    """Others are in the way and did not go."""
    there = [_told(holder, room) for holder in holders]
    if len(there) >= room.places:
        return (
            f"no room for {model}: the {room.places} models that may be loaded at a time are all"
            f" in use (--models-in-cache): {', '.join(there)}"
        )
    return f"no room for {model}: {_wants(need, room)}, and in use are {', '.join(there)}"


def _fits(spec: LoadSpec, room: Room, needs: Needs) -> bool:
    need = needs.what_if(spec)
    return need is not None and all(
        size <= room.budgets.get(device, size) for device, size in need.bytes.items()
    )


def _wants(need: Bytes, room: Room) -> str:
    """What it needs of each device that has a budget."""
    parts = [
        f"it needs {format_bytes(size)} of the {format_bytes(room.budgets[device])} that models"
        f" may take of {_name(device)}"
        for device, size in need.items()
        if device in room.budgets and size
    ]
    return " and ".join(parts)


def _name(device: str) -> str:
    return "main memory (--memory-budget)" if device == HOST else device


def _told(holder: Holder, room: Room) -> str:
    size = sum(size for device, size in holder.bytes.items() if device in room.budgets)
    words = {"kept": "pinned, ", "leaving": "leaving, "}.get(holder.standing, "")
    return f"{holder.model} ({words}{format_bytes(size)})"
