"""Lets a guesser propose tokens for the streams that go on."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from kronk.worker.speculation.drafter import Asked
from kronk.worker.speculation.guesser import Guesser

from .slot import Slot


def propose(guesser: Guesser, slots: Iterable[Slot], capacity: int) -> None:
    """Give the slots that generate their drafts; all rows together fit into `capacity`."""
    streams = [slot for slot in slots if slot.is_generating()]
    most = capacity // max(1, len(streams)) - 1
    asked: dict[int, tuple[Slot, Asked]] = {}
    for slot in streams:
        # No drafter knows what the ids of an image mean.
        if slot.running.request.job.spans:
            continue
        # One less: the answer's last token is never decoded.
        room = min(most, slot.running.tokens_left - 1)
        limit = guesser.limit(slot.index, room) if room > 0 else 0
        if limit:
            tokens = np.append(slot.history, np.int32(slot.running.pending))
            asked[slot.index] = slot, Asked(slot.index, tokens, limit)
    if asked:
        drafts = guesser.guess([one for _, one in asked.values()])
        for (slot, _), draft in zip(asked.values(), drafts, strict=True):
            slot.draft = draft
