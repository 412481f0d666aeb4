"""Continuous batching: one thread owns the context and advances every slot by one decode a step."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import structlog

from kronk.shared.errors import Internal, KronkError, Overloaded
from kronk.shared.wire.to_gateway import Accepted, Failed
from kronk.worker.context import Batch, Context, DecodeResult

from .crowding import Crowding
from .pace import Pace
from .plan import Plan, make_plan
from .sampler import Candidates, Sampler
from .slot import Job, Slot

log = structlog.get_logger()

Rows = npt.NDArray[np.float32]


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
        crowding: Crowding | None,
        emit: Callable[[list[Any]], None],
    ) -> None:
        # Grows with each chunk and token; the supervisor sees in it that we are not stuck.
        self.progress = 0
        # Whether there is anything to decode: slots that all wait for their clients are no work.
        self.is_working = True
        self.tokens = 0
        self.requests = 0
        self._context = context
        self._vocabulary = vocabulary
        self._candidates = Candidates(vocabulary.n_vocab)
        self._batch = Batch(n_ubatch)
        self._pace = Pace(n_ubatch)
        # None where the processor is not what decodes.
        self._crowding = crowding
        self._queue_limit = queue
        self._emit = emit
        self._commands: SimpleQueue[Command] = SimpleQueue()
        self._waiting: deque[Job] = deque()
        # In order of arrival; keyed by slot index.
        self._running: dict[int, Slot] = {}
        self._free = deque(range(slots))
        self._events: list[Any] = []
        self._plan = Plan((), ())
        # The slots of the batch as it stands, when the next decode is the same rows one position
        # on; None as soon as anything changes. Planning anew costs more than the rest of a step.
        self._steady: list[Slot] | None = None
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
            is_idle = not self._step()
            if self._events:
                events, self._events = self._events, []
                self._emit(events)
            if is_idle:
                self.is_working = False
                command = self._commands.get()
                self.is_working = True
                self._obey(command)

    # Commands.

    def _take_commands(self) -> None:
        while not self._commands.empty():
            self._obey(self._commands.get())

    def _obey(self, command: Command) -> None:
        self._steady = None
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
        self._events.append(Accepted(job.request, len(job.prompt)))
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
            self._steady = None

    def _step(self) -> bool:
        """One decode; False when no slot has anything to decode."""
        if self._steady is not None:
            self._batch.advance([slot.pending for slot in self._steady])
            self._execute(self._plan, self._steady)
            return True
        self._plan = make_plan(
            [slot.view() for slot in self._running.values()],
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
            slot = self._running[index]
            self._batch.add(index, slot.position, [slot.pending], output_last=True)
            sampling.append(slot)
        for chunk in plan.prefill:
            slot = self._running[chunk.slot]
            rows = slot.job.prompt[slot.position : slot.position + chunk.count]
            self._batch.add(chunk.slot, slot.position, rows, output_last=chunk.last)
            if chunk.last:
                sampling.append(slot)
        return sampling

    def _execute(self, plan: Plan, sampling: list[Slot]) -> None:
        if plan.prefill:
            self._prefilling = self._prefill_requests(plan)
        started, computed = time.monotonic(), time.thread_time()
        result = self._context.decode(self._batch)
        computed, now = time.thread_time() - computed, time.monotonic()
        if plan.prefill:
            self._prefilling = frozenset()
        if result is DecodeResult.OK:
            self._advance(plan, sampling, now)
            self._pace.observe(plan, now - started)
            if self._crowding is not None and self._crowding.observe(
                computed / (now - started), now
            ):
                self._context.use_threads(self._crowding.threads)
            return
        self._steady = None
        self._roll_back(plan)
        if result is not DecodeResult.ABORTED:
            self._isolate(plan, result)

    def _prefill_requests(self, plan: Plan) -> frozenset[int]:
        # Recurrent memory cannot be rolled back, so there a cancel waits for the step's end.
        if self._vocabulary.is_recurrent:
            return frozenset()
        return frozenset(self._running[chunk.slot].job.request for chunk in plan.prefill)

    def _advance(self, plan: Plan, sampling: list[Slot], now: float) -> None:
        for index in plan.generate:
            self._running[index].position += 1
        for chunk in plan.prefill:
            self._running[chunk.slot].position += chunk.count
        self.progress += len(plan.generate) + len(plan.prefill)
        self._steady = None if plan.prefill else sampling
        if sampling:
            rows = self._context.outputs(len(sampling))
            for slot, token in zip(sampling, _choose(sampling, rows), strict=True):
                self._take(slot, token, now)

    def _take(self, slot: Slot, token: int, now: float) -> None:
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
        elif slot.credit <= 0:
            self._steady = None

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
                self._execute(part, self._fill(part))
            self._steady = None
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
        self._steady = None


def _choose(slots: list[Slot], rows: Rows) -> list[int]:
    """The next token of each slot, from its row of logits."""
    return [slot.sampler.sample(row) for slot, row in zip(slots, rows, strict=True)]
