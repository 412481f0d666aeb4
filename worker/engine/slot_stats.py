"""A slot as it is told to people, read while the engine's thread changes it.

Each value is one machine word. Two of them may be of different steps, which nobody can see; none of
them can be of no step at all.
"""

from __future__ import annotations

from kronk.shared.wire.status import SlotPhase, SlotStats

from .slot import Slot


def slot_stats(slot: Slot) -> SlotStats:
    """As it is now."""
    # Once: the next look may find another choice, or none.
    choice, rows, prompt = slot.choice, slot.position, slot.prompt_length
    if choice is None:
        return SlotStats(slot.index, "idle", rows)
    done = min(rows, prompt)
    request = choice.request
    phase: SlotPhase = "prefill"
    if slot.read:
        phase = "reading"
    elif done >= prompt:
        phase = "generating" if request.may_generate else "paused"
    return SlotStats(slot.index, phase, rows, prompt, done, choice.generated, request.job.name)
