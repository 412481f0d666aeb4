"""What each sequence still holds, and what a new prompt takes over: carries out `worker.cache`.

A free slot keeps what its last choice left in the context. A new prompt starts from the longest
prefix that was ever computed and is still somewhere: in a free slot, in a busy one, saved in RAM or
on disk. What has to make room in the context, and is worth it, is saved first.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

import numpy as np
import structlog

from kronk.worker.cache.disk import DiskStore
from kronk.worker.cache.match import (
    Candidate,
    FreeSlot,
    Match,
    Miss,
    Placement,
    Source,
    Tokens,
    choose_slot,
    choose_source,
)
from kronk.worker.cache.memory import Memory, State
from kronk.worker.cache.policy import CachePolicy
from kronk.worker.cache.spans import whole
from kronk.worker.cache.store import Put, Store

from .job import Job
from .slot import Slot

log = structlog.get_logger()


class Prefixes:
    """The prefix cache of one engine. On the engine's thread."""

    def __init__(
        self,
        memory: Memory,
        policy: CachePolicy,
        store: Store,
        disk: DiskStore | None,
        *,
        parks: bool,
    ) -> None:
        # What free slots hold is moved out of the context when somebody else begins: on a
        # processor, attention looks at every cell up to the last that is used, whoever's it is.
        # Three idle conversations of 2,000 tokens make a small model's decode 25 % slower. Not
        # where a saved state would serve fewer prompts than the sequence itself.
        self._parks = parks and not memory.kind.is_rigid
        self._memory = memory
        self._policy = policy
        self._store = store
        self._disk = disk

    @property
    def is_recurrent(self) -> bool:
        """What a decode wrote cannot be taken back."""
        return self._memory.kind.is_recurrent

    @property
    def stores(self) -> tuple[Store, DiskStore | None]:
        """Where prefixes are kept outside of the context."""
        return self._store, self._disk

    def place(
        self, job: Job, rows: Sequence[int], free: Sequence[Slot], busy: Sequence[Slot]
    ) -> tuple[Slot, int, str]:
        """A free slot whose sequence now holds a prefix of `rows`, a job's prompt and perhaps more,
        and nothing else; the length of that prefix, and where it came from or why it is empty."""
        if not self._policy.is_on:
            self.clear(free[0])
            return free[0], 0, "off"
        prompt, owner = np.array(rows, np.int32), self._policy.owner(job.subject)
        views = {slot: self._view(slot) for slot in free}
        candidates = [
            view.candidate()
            for slot, view in views.items()
            if not view.is_empty and slot.owner == owner
        ]
        candidates += self._elsewhere(busy, owner)
        match, state = self._match(prompt, candidates)
        kept = [
            view.index
            for slot, view in views.items()
            if not view.is_empty and self._covers(view.tokens, slot.owner)
        ]
        placement = choose_slot(match, list(views.values()), kept, self._policy.min_tokens)
        slot = next(slot for slot in free if slot.index == placement.slot)
        if placement.save:
            self._save(slot, None)
        if not self._fetch(slot, match, state, placement):
            self.clear(slot)
            self._drop(match.candidate)
            match = Match(None, 0, match.miss, f"{match.reason}, which llama.cpp did not take")
        slot.keep(prompt[: match.length], owner)
        if self._parks:
            for other in free:
                if other is not slot:
                    self._park(other)
        is_news = match.miss is not None and prompt.size >= self._policy.min_tokens
        (log.info if is_news else log.debug)(
            "prefix cache", request_id=job.name, cached=match.length, reason=match.reason
        )
        return slot, match.length, match.reason

    def twin(self, slot: Slot, free: Sequence[Slot]) -> Slot | None:
        """A free slot whose sequence now holds the same as that of `slot`; None where that cannot
        be, and then nothing has changed."""
        twin = min(free, key=lambda one: (one.position > 0, one.left))
        if not self._memory.can_copy(slot.index, slot.position):
            return None
        if self._policy.is_on:
            tokens = self._known(twin)
            if tokens.size >= self._policy.min_tokens and not self._covers(tokens, twin.owner):
                self._save(twin, None)
        if not self._memory.copy(slot.index, twin.index, slot.position):
            self.clear(twin)
            return None
        twin.keep(slot.history, slot.owner)
        return twin

    def reached_mark(self, slot: Slot) -> None:
        """The slot's sequence is at a place that its job marked."""
        self._save(slot, slot.running.request.job.marks[slot.position])

    def left(self, slot: Slot) -> None:
        """The slot is free again."""
        if not self._policy.is_on:
            self.clear(slot)
        elif self._disk is not None and slot.position >= max(1, self._policy.min_tokens):
            # What is to survive a crash cannot wait until it has to make room.
            self._save(slot, None)

    def trim(self, slot: Slot) -> None:
        """The context holds more of the sequence than the slot's history, which is right."""
        if not self._memory.trim(slot.index, slot.position):
            self.clear(slot)

    def clear(self, slot: Slot) -> None:
        """What the slot's sequence holds is not to be trusted, or of no use."""
        self._memory.clear(slot.index)
        slot.cut(0)

    def _park(self, slot: Slot) -> None:
        """Keep what the free slot holds in RAM instead, where it has a place there."""
        if not slot.position:
            return
        is_kept = slot.position < self._policy.min_tokens or self._store.covers(
            slot.history, slot.owner
        )
        if is_kept or self._save(slot, None) in (Put.STORED, Put.COVERED):
            self.clear(slot)

    def _known(self, slot: Slot) -> Tokens:
        """What is in the slot, as far as the memory's positions tell: with M-RoPE they end at the
        beginning of an image that nothing has followed yet."""
        length = min(slot.position, self._memory.length(slot.index))
        tokens = slot.history
        return tokens[: whole(tokens, length)]

    def _view(self, slot: Slot) -> FreeSlot:
        index = slot.index
        return FreeSlot(
            index,
            self._known(slot),
            self._memory.floor(index),
            self._memory.copy_floor(index),
            slot.left,
        )

    def _elsewhere(self, busy: Iterable[Slot], owner: str) -> list[Candidate]:
        found = [
            Candidate(
                Source.BUSY, slot.index, self._known(slot), self._memory.copy_floor(slot.index)
            )
            for slot in busy
            if slot.owner == owner
        ]
        found += self._store.candidates(owner)
        if self._disk is not None:
            found += self._disk.candidates()
        return found

    def _match(self, prompt: Tokens, candidates: list[Candidate]) -> tuple[Match, State | None]:
        """The best source, with its state where that lies in a store and could be read."""
        is_lost = False
        while True:
            match = choose_source(prompt, candidates, self._policy.min_tokens)
            source = match.candidate
            state = None
            if source is not None and source.source is Source.STORED:
                state = self._store.get(source.key, time.monotonic()).state
            elif source is not None and source.source is Source.DISK:
                assert self._disk is not None
                state = self._disk.load(source.key)
                if state is None:
                    is_lost = True
                    candidates.remove(source)
                    continue
            if source is None and is_lost:
                match = Match(None, 0, Miss.DAMAGED, "disk entry damaged or gone")
            self._store.count(match.miss)
            return match, state

    def _drop(self, refused: Candidate | None) -> None:
        """Forget a stored state that llama.cpp refused: it would be chosen, and refused, again."""
        if refused is None:
            return
        if refused.source is Source.STORED:
            self._store.drop(refused.key)
        elif refused.source is Source.DISK:
            assert self._disk is not None
            self._disk.drop(refused.key)

    def _covers(self, tokens: Tokens, owner: str) -> bool:
        return self._store.covers(tokens, owner) or (
            self._disk is not None and self._disk.covers(tokens)
        )

    def _fetch(self, slot: Slot, match: Match, state: State | None, placement: Placement) -> bool:
        """Make the slot's sequence the match's prefix."""
        memory = self._memory
        if placement.copy_from is not None:
            return memory.copy(placement.copy_from, slot.index, match.length)
        if state is not None and not memory.restore(slot.index, state):
            return False
        return memory.trim(slot.index, match.length)

    def _save(self, slot: Slot, pin: str | None) -> Put | None:
        """Offer the slot's sequence to the stores; None where llama.cpp did not save it."""
        state = self._memory.save(slot.index)
        if state is None:
            log.warning("llama.cpp did not save a sequence", tokens=slot.position)
            return None
        tokens = slot.history
        if state.length != tokens.size:
            # See `_known`.
            return None
        put = self._store.put(tokens, state, time.monotonic(), pin, slot.owner)
        if self._disk is not None:
            self._disk.put(tokens, state)
        if put in (Put.TOO_LARGE, Put.NO_ROOM):
            log.debug("prefix not kept in RAM", tokens=tokens.size, why=put.value)
        return put
