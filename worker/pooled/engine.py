"""Pooling over one llama.cpp context: one thread decodes the texts of all requests, packed."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from logging import DEBUG
from queue import SimpleQueue
from typing import Any

import structlog

from kronk.shared.errors import Internal, KronkError, Overloaded
from kronk.shared.fair_share import FairShare
from kronk.shared.log import ids
from kronk.shared.wire.status import SlotStats
from kronk.shared.wire.to_gateway import Accepted, Failed
from kronk.worker.cache.stats import Caches
from kronk.worker.context import DecodeResult
from kronk.worker.engine.commands import Cancel, CancelAll, Credit
from kronk.worker.engine.crowding import Crowding
from kronk.worker.engine_time import ENGINE_TIME

from .context import PooledBatch, PooledContext
from .job import Job, Work
from .plan import Limits, Span, make_plan

log = structlog.get_logger()

# The sequence of the one text that may be unfinished; whole texts get those after it.
_PART = 0


@dataclass(frozen=True, slots=True)
class Begin:
    job: Job


Command = Begin | Cancel | CancelAll | Credit


class PooledEngine:
    """`run` on the engine's thread; `tell` and the counters from any other.

    `emit` gets the events of one step at a time, on the engine's thread; it must not block.
    Each job ends in exactly one `Done` or `Failed`, except that a cancelled one ends in silence.
    """

    def __init__(
        self,
        context: PooledContext,
        limits: Limits,
        *,
        rows: int,
        queue: int,
        crowding: Crowding | None,
        emit: Callable[[list[Any]], None],
    ) -> None:
        # Whether there is anything to decode.
        self.is_working = True
        # Decoded, as nothing is generated here.
        self.tokens = 0
        self.requests = 0
        # Texts in the decode that runs now.
        self.busy_slots = 0
        self._context = context
        self._limits = limits
        # `rows`: the longest text, or more.
        self._batch = PooledBatch(rows)
        self._most_requests = limits.texts + queue
        # None where the processor is not what decodes.
        self._crowding = crowding
        self._emit = emit
        self._commands: SimpleQueue[Command] = SimpleQueue()
        # The first has the first turn in the next decode.
        self._work: deque[Work] = deque()
        # In tokens decoded.
        self._share = FairShare()
        self._events: list[Any] = []
        # Requests with rows in the decode that runs now, and those of them that were cancelled
        # meanwhile. Written by `tell` too.
        self._decoding: frozenset[int] = frozenset()
        self._given_up: frozenset[int] = frozenset()

    @property
    def progress(self) -> int:
        """Grows while a decode computes; the supervisor sees in it that we are not stuck."""
        return self._context.progress

    @property
    def queued(self) -> int:
        """Requests none of whose texts was decoded yet."""
        return sum(not work.has_begun for work in self._work.copy())

    @property
    def slots(self) -> tuple[SlotStats, ...]:
        """What has begun: a request each, as many as share the decodes now. They hold nothing when
        they are over."""
        begun = [work for work in self._work.copy() if work.has_begun][: self._limits.texts]
        return tuple([_slot_stats(index, work) for index, work in enumerate(begun)])

    @property
    def caches(self) -> Caches:
        """Nothing is kept."""
        return Caches()

    @property
    def only_request(self) -> str | None:
        """The name of the request that whatever happens now is about, where there is just one."""
        names = {work.job.name for work in self._work.copy()}
        return names.pop() if len(names) == 1 else None

    def tell(self, command: Command) -> None:
        """Queue a command; a cancel ends a decode that nobody else has a text in."""
        self._commands.put(command)
        match command:
            case Cancel(request):
                self._given_up |= {request}
            case CancelAll():
                self._given_up |= self._decoding
        if self._decoding and self._decoding <= self._given_up:
            self._context.abort()

    def run(self) -> None:
        """For ever; blocks while there is nothing to do."""
        ENGINE_TIME.wakes()
        while True:
            self._context.rearm()
            self._given_up = frozenset()
            while not self._commands.empty():
                self._obey(self._commands.get())
            is_idle = not self._step()
            if self._events:
                events, self._events = self._events, []
                self._emit(events)
            if is_idle:
                self.is_working, self.busy_slots = False, 0
                ENGINE_TIME.rests()
                command = self._commands.get()
                ENGINE_TIME.wakes()
                self.is_working = True
                self._obey(command)

    # Commands.

    def _obey(self, command: Command) -> None:
        match command:
            case Begin(job):
                self._admit(job)
            case Cancel(request):
                self._cancel(lambda work: work.job.request == request)
            case CancelAll():
                self._cancel(lambda work: True)
            case Credit():
                # Answers are bounded by their requests and cost no credit.
                pass

    def _admit(self, job: Job) -> None:
        self.requests += 1
        # Leases keep the gateway below this; a gateway that does not count is refused here.
        mine = sum(work.job.subject == job.subject for work in self._work)
        if mine >= self._most_requests:
            self._fail(job, Overloaded("the model's queue is full"))
            return
        self._events.append(Accepted(job.request, job.tokens))
        self._work.append(Work(job))
        self._share.arrive(job.subject, time.monotonic())

    def _cancel(self, concerns: Callable[[Work], bool]) -> None:
        for work in [work for work in self._work if concerns(work)]:
            self._drop(work)

    def _drop(self, work: Work) -> None:
        if work.done:
            self._context.forget(_PART)
        self._remove(work)

    def _remove(self, work: Work) -> None:
        self._work.remove(work)
        self._share.depart(work.job.subject)

    # One step.

    def _step(self) -> bool:
        """One decode; False when nothing waits."""
        plan = make_plan([work.view() for work in self._work], self._limits, self._share.used)
        if not plan:
            return False
        self._execute(plan)
        self._work.rotate(-1)
        return True

    def _execute(self, plan: Sequence[Span]) -> None:
        works = {work.job.request: work for work in self._work}
        self._batch.clear()
        for sequence, span in _sequences(plan):
            tokens = works[span.request].job.texts[span.text]
            self._batch.add(sequence, span.start, tokens[span.start : span.start + span.count])
        result = self._decode(plan, works)
        if result is DecodeResult.OK:
            self._advance(plan, works)
            return
        for sequence, span in _sequences(plan):
            self._context.forget(sequence, span.start)
        if result is not DecodeResult.ABORTED:
            self._isolate(plan, works, result)

    def _decode(self, plan: Sequence[Span], works: dict[int, Work]) -> DecodeResult:
        started, computed = time.monotonic(), time.thread_time()
        for span in plan:
            works[span.request].begin(started)
        self.busy_slots = len(plan)
        self._decoding = frozenset(works.keys() & {span.request for span in plan})
        result = self._context.decode(self._batch)
        self._decoding = frozenset()
        computed, now = time.thread_time() - computed, time.monotonic()
        if (
            result is DecodeResult.OK
            and self._crowding is not None
            and self._crowding.observe(computed / (now - started), now)
        ):
            self._context.use_threads(self._crowding.threads)
        return result

    def _advance(self, plan: Sequence[Span], works: dict[int, Work]) -> None:
        self.tokens += self._batch.size
        sequences = _sequences(plan)
        rows = iter(self._context.pooled([sequence for sequence, span in sequences if span.last]))
        for sequence, span in sequences:
            work = works[span.request]
            self._share.charge(work.job.subject, span.count)
            if not span.last:
                work.done += span.count
                continue
            self._context.forget(sequence)
            row = next(rows)
            # A row that cannot be used has failed its request, and these are its others.
            if work in self._work:
                self._take(work, row)

    def _take(self, work: Work, row: Any) -> None:
        try:
            self._events += work.take(row, time.monotonic())
        except Internal as error:
            self._give_up(work, error)
            return
        if work.is_complete:
            self._log(work)
            self._remove(work)

    def _log(self, work: Work) -> None:
        if log.is_enabled_for(DEBUG):
            facts = {"texts": len(work.job.texts), "prompt_tokens": work.job.tokens}
            seconds = round(time.monotonic() - work.job.submitted, 4)
            log.debug("answered", **ids(work.job.name, work.job.trace), **facts, seconds=seconds)

    # When a decode did not work.

    def _isolate(self, plan: Sequence[Span], works: dict[int, Work], result: DecodeResult) -> None:
        """Decode each text of a failed batch alone, so that only the culprit's request fails."""
        if len(plan) > 1:
            for span in plan:
                work = works[span.request]
                # Not what comes after a text that failed, or was aborted, in this very loop.
                if work in self._work and (work.first, work.done) == (span.text, span.start):
                    self._execute((span,))
            return
        work = works[plan[0].request]
        log.error("decode failed", request_id=work.job.name, result=result.name)
        self._give_up(work, Internal("llama.cpp failed to decode this request"))

    def _give_up(self, work: Work, error: KronkError) -> None:
        self._fail(work.job, error)
        self._drop(work)

    def _fail(self, job: Job, error: KronkError) -> None:
        self._events.append(Failed(job.request, error.code, error.message, error.param))


def _slot_stats(index: int, work: Work) -> SlotStats:
    job, done = work.job, work.tokens_done
    return SlotStats(index, "prefill", work.done, job.tokens, done, request=job.name)


def _sequences(plan: Sequence[Span]) -> list[tuple[int, Span]]:
    """Each span with the sequence it is decoded in."""
    return [
        (_PART if span.start or not span.last else number, span)
        for number, span in enumerate(plan, _PART + 1)
    ]
