"""Which slots are taken and by whom: choices get one, share what another has read, and leave."""

from __future__ import annotations

import time
from collections.abc import Iterator

from kronk.shared.errors import KronkError
from kronk.worker.speculation.guesser import Guesser

from .choice import Choice
from .desk import Desk
from .prefixes import Prefixes
from .request import Reason, Request
from .sampler import Candidates, Sampler
from .slot import Slot
from .vocabulary import Vocabulary


class Seats:
    """The slots of one engine. On its thread only, but for what is said to be read by others."""

    def __init__(
        self,
        count: int,
        desk: Desk,
        prefixes: Prefixes,
        vocabulary: Vocabulary,
        candidates: Candidates,
        guesser: Guesser | None,
    ) -> None:
        self._desk = desk
        self._prefixes = prefixes
        self._vocabulary = vocabulary
        self._candidates = candidates
        self._guesser = guesser
        # In order of arrival; keyed by slot index. Read by other threads.
        self.running: dict[int, Slot] = {}
        self.free = {index: Slot(index) for index in range(count)}
        self.all = tuple(self.free.values())
        # An image or a recording is among what the busy slots read or have read.
        self.has_spans = False
        # Those of the batch as it stands, when the next decode is the same rows one position on;
        # None as soon as anything changes. Planning anew costs more than the rest of a step.
        self.steady: list[Slot] | None = None

    # Coming.

    def fill(self) -> None:
        """Give the free slots to those whose turn it is."""
        while self.free and self._desk.has_waiting:
            request, number = self._desk.next()
            choice = self._make_choice(request, number)
            try:
                replayed = choice.resume()
            except KronkError as error:
                choice.close()
                self.drop(request.job.request)
                self._desk.fail(request.job, error)
                continue
            reason = choice.verdict()
            if reason is None:
                self._place(choice)
            elif not request.is_started:
                request.start(time.monotonic())
            request.send(replayed)
            if reason is not None:
                self._end_resumed(choice, reason)

    def twins(self, slot: Slot) -> Iterator[Slot]:
        """Begin the other choices of a request whose prompt `slot` has: each in a free slot, which
        is to sample from the same logits before the next is asked for. Those that find none wait
        for one, before all others; and those of which one or the other has begun, as they differ.
        """
        request, first = slot.running.request, slot.running.number
        if first != request.first or not request.others:
            return
        late, others = [], request.others
        request.others = []
        for number in others:
            is_alike = not request.job.said(first) and not request.job.said(number)
            can_copy = is_alike and self.free
            twin = self._prefixes.twin(slot, list(self.free.values())) if can_copy else None
            if twin is None:
                late.append((request, number))
                continue
            self._take(twin, self._make_choice(request, number))
            yield twin
        self._desk.put_first(late)

    def _make_choice(self, request: Request, number: int) -> Choice:
        # Equal choices would be of no use.
        sampling = request.job.sampling.for_choice(number)
        sampler = Sampler(sampling, self._candidates, request.job.words, self._vocabulary.ends)
        return Choice(request, number, sampler, self._vocabulary)

    def _place(self, choice: Choice) -> None:
        request, job = choice.request, choice.request.job
        began = time.monotonic()
        slot, cached, source = self._prefixes.place(
            job, choice.rows, list(self.free.values()), list(self.running.values())
        )
        if not request.is_started:
            request.cached, request.cache = job.rows(min(cached, len(job.prompt))), source
            now = time.monotonic()
            request.match = now - began
            request.start(now)
        self._take(slot, choice)

    def _take(self, slot: Slot, choice: Choice) -> None:
        slot.begin(choice)
        if self._guesser is not None:
            self._guesser.begin(slot.index)
        del self.free[slot.index]
        self.running[slot.index] = slot
        self._desk.took_slot(choice.request)
        self.has_spans = self.has_spans or bool(choice.request.job.spans)
        self.steady = None

    def _end_resumed(self, choice: Choice, reason: Reason) -> None:
        """A choice of which another process had everything but its end."""
        request = choice.request
        choice.finish(reason, time.monotonic())
        choice.close()
        if choice.number == request.first and request.others:
            request.first = request.others.pop(0)
            self._desk.put_first([(request, request.first)])
        self._desk.forget_if_over(request)

    # Leaving.

    def drop(self, number: int) -> Request | None:
        """Forget a request, wherever it is; None when it is over."""
        request = self._desk.drop(number)
        if request is not None:
            for slot in list(self.running.values()):
                if slot.running.request is request:
                    self.release(slot)
        return request

    def release(self, slot: Slot) -> None:
        """Its choice is over, or given up."""
        self._desk.left_slot(slot.running.request)
        slot.running.close()
        if slot.draft or slot.read:
            # Guesses behind the last token that counts, or rows of an image that is not whole.
            self._prefixes.trim(slot)
        slot.leave(time.monotonic())
        del self.running[slot.index]
        self.free[slot.index] = slot
        self.has_spans = any(one.has_spans for one in self.running.values())
        self.steady = None
        self._prefixes.left(slot)
