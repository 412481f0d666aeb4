"""Continuous batching: one thread owns the context and advances every slot by one decode a step."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, Protocol

import structlog

from kronk.shared.errors import Internal, KronkError, Overloaded
from kronk.shared.wire.to_gateway import Failed
from kronk.worker.context import Batch, Context, DecodeResult

from .pace import Pace
from .plan import Plan, make_plan
from .sampler import Candidates, Sampler
from .slot import Job, Slot

log = structlog.get_logger()


class Vocabulary(Protocol):
    """What the engine needs of the model's vocabulary."""

    n_vocab: int
    is_recurrent: bool

    def piece(self, token: int) -> bytes:
        """The bytes a token stands for."""

    def ends_generation(self, token: int) -> bool:
        """Whether the model says with this token that it is done."""


@dataclass(frozen=True, slots=True)
class Begin:
    job: Job


@dataclass(frozen=True, slots=True)
class Cancel:
    request: int


@dataclass(frozen=True, slots=True)
class CancelAll:
    pass


@dataclass(frozen=True, slots=True)
class Credit:
    request: int
    events: int


Command = Begin | Cancel | CancelAll | Credit


class Engine:
    """`run` on the engine's thread; `tell` and the counters from any other.

    `emit` gets the events of one step at a time, on the engine's thread; it must not block.
    Each job ends in exactly one `Done` or `Failed`, except that a cancelled one ends in silence.
    """

    def __init__(
        self,
        context: Context,
        vocabulary: Vocabulary,
        *,
        slots: int,
        queue: int,
        n_ubatch: int,
        emit: Callable[[list[Any]], None],
    ) -> None:
        # Grows with each chunk and token; the supervisor sees in it that we are not stuck.
        self.progress = 0
        self.tokens = 0
        self.requests = 0
        self._context = context
        self._vocabulary = vocabulary
        self._candidates = Candidates(vocabulary.n_vocab)
        self._batch = Batch(n_ubatch)
        self._pace = Pace(n_ubatch)
        self._queue_limit = queue
        self._emit = emit
        self._commands: SimpleQueue[Command] = SimpleQueue()
        self._waiting: deque[Job] = deque()
        # In order of arrival; keyed by slot index.
        self._running: dict[int, Slot] = {}
        self._free = deque(range(slots))
        self._events: list[Any] = []
        # Requests with prompt rows in the decode that runs now. Read by `tell`.
        self._prefilling: frozenset[int] = frozenset()

    @property
    def busy_slots(self) -> int:
        return len(self._running)

    @property
    def queued(self) -> int:
        return len(self._waiting)

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
        while True:
            self._context.rearm()
            self._take_commands()
            self._assign_slots()
            plan = make_plan(
                [slot.view() for slot in self._running.values()],
                self._batch.capacity,
                self._pace.prefill_cap,
            )
            if plan.is_empty:
                self._flush_events()
                self._obey(self._commands.get())
                continue
            self._execute(plan)
            self._flush_events()

    # Commands.

    def _take_commands(self) -> None:
        while not self._commands.empty():
            self._obey(self._commands.get())

    def _obey(self, command: Command) -> None:
        match command:
            case Begin(job):
                self._admit(job)
            case Cancel(request):
                self._cancel(lambda job: job.request == request)
            case CancelAll():
                self._cancel(lambda job: True)
            case Credit(request, events):
                for slot in self._running.values():
                    if slot.job.request == request:
                        slot.credit += events

    def _admit(self, job: Job) -> None:
        self.requests += 1
        # Leases keep the gateway below this; a gateway that does not count is refused here.
        if len(self._waiting) >= self._queue_limit + len(self._free):
            self._fail(job, Overloaded("the model's queue is full"))
            return
        self._waiting.append(job)

    def _cancel(self, concerns: Callable[[Job], bool]) -> None:
        self._waiting = deque(job for job in self._waiting if not concerns(job))
        for slot in [slot for slot in self._running.values() if concerns(slot.job)]:
            self._release(slot)

    # One step.

    def _assign_slots(self) -> None:
        while self._free and self._waiting:
            index, job = self._free.popleft(), self._waiting.popleft()
            sampler = Sampler(job.sampling, self._candidates)
            self._running[index] = Slot(index, job, sampler, time.monotonic())

    def _execute(self, plan: Plan) -> None:
        sampling_rows = self._fill(plan)
        self._prefilling = self._prefill_requests(plan)
        started = time.perf_counter()
        result = self._context.decode(self._batch)
        self._prefilling = frozenset()
        if result is DecodeResult.OK:
            self._pace.observe(plan, time.perf_counter() - started)
            self._advance(plan, sampling_rows)
            return
        self._roll_back(plan)
        if result is not DecodeResult.ABORTED:
            self._isolate(plan, result)

    def _fill(self, plan: Plan) -> list[tuple[Slot, int]]:
        """Write the plan's rows into the batch; the rows to sample, with their slots."""
        sampling_rows = []
        self._batch.clear()
        for index in plan.generate:
            slot = self._running[index]
            row = self._batch.add(index, slot.position, slot.next_rows(1), output_last=True)
            sampling_rows.append((slot, row))
        for chunk in plan.prefill:
            slot = self._running[chunk.slot]
            rows = slot.next_rows(chunk.count)
            row = self._batch.add(chunk.slot, slot.position, rows, output_last=chunk.last)
            if chunk.last:
                sampling_rows.append((slot, row))
        return sampling_rows

    def _prefill_requests(self, plan: Plan) -> frozenset[int]:
        # Recurrent memory cannot be rolled back, so there a cancel waits for the step's end.
        if self._vocabulary.is_recurrent:
            return frozenset()
        return frozenset(self._running[chunk.slot].job.request for chunk in plan.prefill)

    def _advance(self, plan: Plan, sampling_rows: list[tuple[Slot, int]]) -> None:
        for index in plan.generate:
            self._running[index].position += 1
        for chunk in plan.prefill:
            self._running[chunk.slot].position += chunk.count
        self.progress += len(plan.generate) + len(plan.prefill)
        for slot, row in sampling_rows:
            self._sample(slot, row)

    def _sample(self, slot: Slot, row: int) -> None:
        token = slot.sampler.sample(self._context.logits(row))
        now = time.monotonic()
        if self._vocabulary.ends_generation(token):
            self._finish(slot, "stop", now)
            return
        self.tokens += 1
        delta = slot.take(token, self._vocabulary.piece(token), now)
        if delta is not None:
            self._events.append(delta)
        reason = slot.verdict()
        if reason is not None:
            self._finish(slot, reason, now)

    def _finish(self, slot: Slot, reason: Any, now: float) -> None:
        delta = slot.flush()
        if delta is not None:
            self._events.append(delta)
        self._events.append(slot.done(reason, now))
        self._release(slot)

    # When a decode did not work.

    def _roll_back(self, plan: Plan) -> None:
        for index in plan.slots:
            self._context.forget(index, self._running[index].position)

    def _isolate(self, plan: Plan, result: DecodeResult) -> None:
        """Run each sequence of a failed batch alone, so that only the culprit fails."""
        alone = [Plan((index,), ()) for index in plan.generate]
        alone += [Plan((), (chunk,)) for chunk in plan.prefill]
        # What a failed decode left in recurrent memory cannot be taken back: no second try.
        damaged = self._vocabulary.is_recurrent and result is DecodeResult.FAILED
        if len(alone) > 1 and not damaged:
            for part in alone:
                self._execute(part)
            return
        error = (
            Overloaded("the model's KV cache is full")
            if result is DecodeResult.NO_SPACE
            else Internal("llama.cpp failed to decode this request")
        )
        for index in plan.slots:
            slot = self._running[index]
            log.error("decode failed", request=slot.job.request, result=result.name)
            self._fail(slot.job, error)
            self._release(slot)

    def _fail(self, job: Job, error: KronkError) -> None:
        self._events.append(Failed(job.request, error.code, error.message, error.param))

    def _release(self, slot: Slot) -> None:
        slot.sampler.close()
        self._context.forget(slot.index)
        del self._running[slot.index]
        self._free.append(slot.index)

    def _flush_events(self) -> None:
        if self._events:
            events, self._events = self._events, []
            self._emit(events)
