"""Continuous batching: one thread owns the context and advances every slot by one decode a step."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Any

import structlog

from kronk.shared.errors import Internal, KronkError, Overloaded
from kronk.shared.log import ids
from kronk.shared.wire.status import SlotStats
from kronk.shared.wire.values import TokenLogprob
from kronk.worker.cache.stats import Caches
from kronk.worker.context import Batch, Context, DecodeResult
from kronk.worker.engine_time import ENGINE_TIME
from kronk.worker.speculation.guesser import Guesser

from .choice import Choice
from .commands import Begin, Cancel, CancelAll, Command, Credit
from .crowding import Crowding
from .desk import Desk
from .guessing import propose
from .pace import Pace
from .plan import Chunk, Plan, make_plan
from .prefixes import Prefixes
from .reading import Reader
from .request import Reason
from .sampler import Candidates
from .sampling import Logits
from .seats import Seats
from .slot import Slot
from .slot_stats import slot_stats
from .vocabulary import Vocabulary

log = structlog.get_logger()


class Engine:
    """`run` on the engine's thread; `tell` and the counters from any other.

    `emit` gets the events of one step at a time, on the engine's thread; it must not block.
    Each job ends in exactly one `Done` or `Failed`, except that a cancelled one ends in silence.
    """

    def __init__(
        self,
        context: Context,
        vocabulary: Vocabulary,
        prefixes: Prefixes,
        candidates: Candidates,
        *,
        slots: int,
        queue: int,
        n_ubatch: int,
        crowding: Crowding | None,
        guesser: Guesser | None = None,
        emit: Callable[[list[Any]], None],
    ) -> None:
        # Grows with each chunk and token; the supervisor sees in it that we are not stuck.
        self.progress = 0
        # Whether there is anything to decode: slots that all wait for their clients are no work.
        self.is_working = True
        self.tokens = 0
        self.requests = 0
        self._context = context
        self._ends = frozenset(vocabulary.ends)
        self._prefixes = prefixes
        self._batch = Batch(n_ubatch)
        self._pace = Pace(n_ubatch)
        self._reader = Reader(context, self._pace, n_ubatch, self._tick)
        # None where the processor is not what decodes.
        self._crowding = crowding
        # None where tokens come one at a time.
        self._guesser = guesser
        # Seconds it took to guess for the decode that comes.
        self._drafting = 0.0
        self._desk = Desk(queue)
        self._emit = emit
        self._commands: SimpleQueue[Command] = SimpleQueue()
        self._seats = Seats(slots, self._desk, prefixes, vocabulary, candidates, guesser)
        # Requests whose sampling failed in this step. They keep their slots to its end: its other
        # rows may be theirs too.
        self._broken: dict[int, KronkError] = {}
        self._plan = Plan((), ())
        # Requests with prompt rows in the decode that runs now. Read by `tell`.
        self._prefilling: frozenset[int] = frozenset()

    @property
    def busy_slots(self) -> int:
        return len(self._seats.running)

    @property
    def queued(self) -> int:
        return len(self._desk)

    @property
    def slots(self) -> tuple[SlotStats, ...]:
        """Each slot as another thread sees it."""
        return tuple([slot_stats(slot) for slot in self._seats.all])

    @property
    def caches(self) -> Caches:
        """What is kept of prompts, as another thread sees it."""
        return Caches(tuple([slot.position for slot in self._seats.all]), *self._prefixes.stores)

    @property
    def only_request(self) -> str | None:
        """The name of the request that whatever happens now is about: of the one that has slots."""
        choices = [slot.choice for slot in list(self._seats.running.values())]
        names = {choice.request.job.name for choice in choices if choice is not None}
        return names.pop() if len(names) == 1 else None

    def tell(self, command: Command) -> None:
        """Queue a command; a cancel also reaches into a running prefill."""
        self._commands.put(command)
        match command:
            case Cancel(request) if request in self._prefilling:
                self._context.abort()
            case CancelAll() if self._prefilling:
                self._context.abort()

    def run(self) -> None:
        """For ever; blocks while there is nothing to do."""
        ENGINE_TIME.wakes()
        while True:
            if not self.turn():
                self.is_working = False
                ENGINE_TIME.rests()
                command = self._commands.get()
                ENGINE_TIME.wakes()
                self.is_working = True
                self._obey(command)

    def turn(self) -> bool:
        """Obey what was told, decode once, and do one step of an image or a recording; False when
        there was nothing to do."""
        self._context.rearm()
        self._take_commands()
        if self._seats.free and self._desk.has_waiting:
            self._seats.fill()
        has_decoded = self._step()
        has_read = self._seats.has_spans and self._read()
        events = self._desk.take_events()
        if events:
            self._emit(events)
        return has_decoded or has_read

    # Commands.

    def _take_commands(self) -> None:
        while not self._commands.empty():
            self._obey(self._commands.get())

    def _obey(self, command: Command) -> None:
        match command:
            case Credit(request, events):
                # The usual one: who is not waiting for it goes on as before.
                if self._desk.pay(request, events):
                    self._seats.steady = None
            case Begin(job):
                self.requests += 1
                self._desk.admit(job, len(self._seats.free))
            case Cancel(request):
                if (dropped := self._seats.drop(request)) is not None:
                    job = dropped.job
                    log.debug("given up", **ids(job.name, job.trace), tokens=dropped.tokens)
            case CancelAll():
                for request in self._desk.numbers:
                    self._seats.drop(request)

    # One step.

    def _step(self) -> bool:
        """One decode; False when no slot has anything to decode."""
        self._drafting = 0.0
        if self._guesser is not None and self._guesser.is_on:
            started = time.monotonic()
            self._seats.steady = None
            propose(self._guesser, self._seats.running.values(), self._batch.capacity)
            self._drafting = time.monotonic() - started
        if self._seats.steady is not None:
            self._go_on(self._seats.steady)
            return True
        self._plan = make_plan(
            [slot.view() for slot in self._seats.running.values()],
            self._batch.capacity,
            self._pace.prefill_cap,
        )
        if self._plan.is_empty:
            return False
        self._execute(self._plan, self._fill(self._plan))
        return True

    def _fill(self, plan: Plan) -> list[Slot]:
        """Write the plan's rows into the batch; the slots that sample, in the order of rows."""
        sampling = []
        self._batch.clear()
        for index in plan.generate:
            slot = self._seats.running[index]
            guessed = [slot.running.pending, *slot.draft]
            self._batch.add(index, slot.position, guessed, output_last=True)
            if slot.draft:
                self._batch.output_all(len(guessed))
            sampling.append(slot)
        for chunk in plan.prefill:
            slot = self._seats.running[chunk.slot]
            rows = slot.next_prompt(chunk.count)
            self._batch.add(chunk.slot, slot.position, rows, output_last=chunk.last)
            if chunk.last:
                sampling.append(slot)
        return sampling

    def _go_on(self, slots: list[Slot]) -> None:
        """The same rows again, one position on. The model has swept the processor's caches when it
        is done: what is not touched here is what makes this fast."""
        self._batch.advance([slot.running.pending for slot in slots])
        crowding = self._crowding
        is_watched = crowding is not None and crowding.is_due()
        computed = time.thread_time() if is_watched else 0.0
        started = time.monotonic()
        result = self._context.decode(self._batch)
        now = time.monotonic()
        if result is not DecodeResult.OK:
            self._failed(self._plan, result)
            return
        if is_watched:
            self._watch(time.thread_time() - computed, now - started, now)
        self._pace.decoded(now - started)
        self.progress += len(slots)
        before = self.tokens
        rows = self._context.outputs(len(slots))
        # All in one go, where it seems of use: mostly all of them are, or none.
        best = rows.argmax(1).tolist() if slots[0].running.is_bare else None
        for at, slot in enumerate(slots):
            choice = slot.running
            slot.grow(choice.pending)
            if best is not None and choice.is_bare:
                self._take(slot, choice, best[at], None, now)
            else:
                self._sample(slot, rows[at], now)
        if self._broken:
            self._fail_broken()
        if self._guesser is not None:
            # It is off, and compares.
            self._guesser.observe(now - started, 0.0, len(slots), self.tokens - before, 0)

    def _watch(self, computed: float, seconds: float, now: float) -> None:
        """Learn from a decode whether others want the cores."""
        if self._crowding is not None and self._crowding.observe(computed / seconds, now):
            self._context.use_threads(self._crowding.threads)

    def _execute(self, plan: Plan, sampling: list[Slot]) -> None:
        if plan.prefill:
            self._prefilling = self._requests_of([chunk.slot for chunk in plan.prefill])
        started, computed = time.monotonic(), time.thread_time()
        result = self._context.decode(self._batch)
        computed, now = time.thread_time() - computed, time.monotonic()
        if plan.prefill:
            self._prefilling = frozenset()
        if result is DecodeResult.OK:
            before = self.tokens
            guesses = self._advance(plan, sampling, now)
            self._pace.observe(plan, now - started)
            if self._guesser is not None and not plan.prefill:
                self._guesser.observe(
                    now - started,
                    self._drafting,
                    len(plan.generate),
                    self.tokens - before,
                    guesses,
                )
            self._watch(computed, now - started, now)
            return
        self._failed(plan, result)

    def _requests_of(self, slots: Sequence[int]) -> frozenset[int]:
        """Requests in whose decode a cancel may reach."""
        # Recurrent memory cannot be rolled back, so there a cancel waits for the step's end.
        if self._prefixes.is_recurrent:
            return frozenset()
        return frozenset(self._seats.running[slot].running.request.job.request for slot in slots)

    def _tick(self) -> None:
        self.progress += 1

    def _read(self) -> bool:
        """One step of the image or recording that has waited longest; False when there is none."""
        slot = next((slot for slot in self._seats.running.values() if slot.span is not None), None)
        if slot is None:
            return False
        is_alone = not any(one.is_generating() for one in self._seats.running.values())
        self._prefilling = self._requests_of([slot.index])
        read = self._reader.step(slot, is_alone=is_alone)
        self._prefilling = frozenset()
        self.progress += 1
        match read:
            case Plan():
                sampling = [slot] if read.prefill[0].last else []
                self._advance(read, sampling, time.monotonic())
            case DecodeResult():
                # Of the span: tells `_failed` whose it was.
                self._failed(Plan((), (Chunk(slot.index, 0, last=False),)), read)
            case KronkError():
                self._broken[slot.running.request.job.request] = read
                self._fail_broken()
        return True

    def _advance(self, plan: Plan, sampling: list[Slot], now: float) -> int:
        """Take what the decode brought; how many guesses were in it."""
        for index in plan.generate:
            slot = self._seats.running[index]
            slot.grow(slot.running.pending)
        marked = [slot for chunk in plan.prefill if (slot := self._decoded(chunk)).is_at_mark()]
        self.progress += len(plan.generate) + len(plan.prefill)
        self._seats.steady = None if plan.prefill else sampling
        guesses = sum([len(slot.draft) for slot in sampling])
        if guesses:
            self._verify(sampling, guesses, now)
        elif sampling:
            rows = self._context.outputs(len(sampling))
            for slot, row in zip(sampling, rows, strict=True):
                if slot.running.is_fresh:
                    self._sample_twins(slot, row, now)
                self._sample(slot, row, now)
        for slot in marked:
            self._prefixes.reached_mark(slot)
        if self._broken:
            self._fail_broken()
        return guesses

    def _fail_broken(self) -> None:
        for number, error in self._broken.items():
            request = self._seats.drop(number)
            assert request is not None, "it had a slot"
            self._desk.fail(request.job, error)
        self._broken.clear()

    def _verify(self, sampling: list[Slot], guesses: int, now: float) -> None:
        """Sample each slot's rows up to its first wrong guess."""
        assert self._guesser is not None, "only a guesser makes drafts"
        self._seats.steady = None
        rows = iter(self._context.outputs(len(sampling) + guesses))
        for slot in sampling:
            draft, choice = slot.draft, slot.running
            mine = [next(rows) for _ in range(1 + len(draft))]
            if choice.is_fresh:
                self._sample_twins(slot, mine[0], now)
            choice.request.drafted += len(draft)
            self._sample(slot, mine[0], now)
            right = 0
            for guess, row in zip(draft, mine[1:], strict=True):
                if slot.choice is not choice or choice.pending != guess:
                    break
                right += 1
                choice.request.accepted += 1
                slot.grow(guess)
                self._sample(slot, row, now)
            self._guesser.judge(slot.index, len(draft), right)
            if slot.choice is choice and draft:
                self._prefixes.trim(slot)
                slot.draft = ()

    def _decoded(self, chunk: Chunk) -> Slot:
        slot = self._seats.running[chunk.slot]
        slot.extend(slot.next_prompt(chunk.count))
        return slot

    def _sample_twins(self, slot: Slot, row: Logits, now: float) -> None:
        for twin in self._seats.twins(slot):
            self._sample(twin, row.copy(), now)

    def _sample(self, slot: Slot, row: Logits, now: float) -> None:
        """The slot's next token, from its row of logits."""
        choice = slot.running
        try:
            token, score = choice.choose(row)
        except KronkError as error:
            # A grammar that grew too complex for its library.
            self._broken.setdefault(choice.request.job.request, error)
            return
        self._take(slot, choice, token, score, now)

    def _take(
        self, slot: Slot, choice: Choice, token: int, score: TokenLogprob | None, now: float
    ) -> None:
        """The token that was chosen for the slot."""
        if token in self._ends:
            self._finish(slot, "stop", now)
            return
        request = choice.request
        self.tokens += 1
        if choice.last is None:
            slot.since = now
        request.took_token(now, choice.last, slot.position)
        choice.last = now
        request.send(choice.take(token, score))
        reason = choice.verdict()
        if reason is not None:
            self._finish(slot, reason, now)
        elif not request.may_generate:
            self._seats.steady = None

    def _finish(self, slot: Slot, reason: Reason, now: float) -> None:
        choice = slot.running
        choice.finish(reason, now)
        self._seats.release(slot)
        self._desk.forget_if_over(choice.request)

    # When a decode did not work.

    def _failed(self, plan: Plan, result: DecodeResult) -> None:
        self._seats.steady = None
        for index in plan.slots:
            self._context.forget(index, self._seats.running[index].position)
        if result is not DecodeResult.ABORTED:
            self._isolate(plan, result)

    def _isolate(self, plan: Plan, result: DecodeResult) -> None:
        """Run each sequence of a failed batch alone, so that only the culprit fails."""
        alone = [Plan((index,), ()) for index in plan.generate]
        alone += [Plan((), (chunk,)) for chunk in plan.prefill]
        # What a failed decode left in recurrent memory cannot be taken back: no second try.
        damaged = self._prefixes.is_recurrent and result is DecodeResult.FAILED
        if len(alone) > 1 and not damaged:
            choices = [self._seats.running[part.slots[0]].running for part in alone]
            for part, choice in zip(alone, choices, strict=True):
                # An earlier part may have ended this one's request, and given its slot away.
                slot = self._seats.running.get(part.slots[0])
                if slot is not None and slot.choice is choice:
                    self._execute(part, self._fill(part))
            self._seats.steady = None
            return
        error = (
            Overloaded("the model's KV cache is full")
            if result is DecodeResult.NO_SPACE
            else Internal("llama.cpp failed to decode this request")
        )
        requests = {self._seats.running[index].running.request for index in plan.slots}
        # Before they are left: what is in them then may be saved.
        for index in plan.slots:
            self._prefixes.clear(self._seats.running[index])
        for request in requests:
            log.error(
                "decode failed", **ids(request.job.name, request.job.trace), result=result.name
            )
            self._seats.drop(request.job.request)
            self._desk.fail(request.job, error)
