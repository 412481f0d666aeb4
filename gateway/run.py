"""One live request as the route that serves it sees it: a mailbox and one terminal event."""

from __future__ import annotations

import time
import typing
from collections.abc import Callable
from dataclasses import replace
from random import getrandbits
from typing import Protocol

from kronk.shared.errors import CallerError, Internal, KronkError
from kronk.shared.security.identity import OPEN, Identity
from kronk.shared.telemetry.trace_context import TraceContext
from kronk.shared.wire.to_gateway import (
    Done,
    Finished,
    GenerationDelta,
    Granted,
    Inspected,
    Scores,
    Silent,
    Started,
    Vectors,
)
from kronk.shared.wire.to_worker import Embed, Inspect, Rank, Resumed, Submit

from .bell import Bell, Tap
from .job import WINDOW, Job
from .standing import Standing
from .telemetry.report import Attempt, RunReport
from .telemetry.report import Outcome as End
from .transcript import Parts, PartsReplay, Replay, Transcript

# Bounded by the request itself, so they cost no credit.
Outcome = Started | Finished | Vectors | Scores | Inspected
# What a route reads before the end.
Event = GenerationDelta | Outcome

# Deltas that were taken, before the worker is told: half a window.
_WORTH_TELLING = WINDOW // 2
# Of a seed.
_DRAW_BITS = 32

DELTA_TYPES: frozenset[type] = frozenset(typing.get_args(GenerationDelta))


class ClientGone(CallerError):
    """The client closed its connection before the answer was complete; nobody reads this.

    The status is nginx's word for it, and appears in the access log only.
    """

    status = 499
    code = "client_gone"


class Timer(Protocol):
    """What `call_later` returns."""

    def cancel(self) -> None: ...


CallLater = Callable[[float, Callable[[], None]], Timer]


class Run:
    """Filled by the `Exchange`, emptied by a route; at most one task may wait on it.

    Ends once: after `end`, `ended` is set and never changes. Until then it may be begun again on
    another worker; with `keeps`, what came before is known then.
    """

    def __init__(
        self,
        run_id: int,
        name: str,
        job: Job,
        bell: Bell,
        *,
        by: Identity = OPEN,
        keeps: bool = False,
        endpoint: str = "",
        trace: TraceContext | None = None,
    ) -> None:
        # Of the present attempt: no message of another is taken for one of this.
        self.id = run_id
        self.name = name
        self.job = job
        # Who asked, and by which endpoint; "" is the server itself.
        self.by = by
        self.endpoint = endpoint
        # The span that belongs to it, where it is traced.
        self.trace = trace
        # The generation of the worker that holds the lease's grant; None until granted.
        self.worker: int | None = None
        self.submitted = False
        # While it waits for its model, where the supervisor has said how that is doing.
        self.standing: Standing | None = None
        self.accepted = False
        # Of what a worker has begun to work on, and of what came of it. They are what an answer
        # that is cut off has taken.
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self.ended: Done | KronkError | None = None
        # What is to be said of it, once it has ended.
        self.report: RunReport | None = None
        # What is measured of it; the last attempt is the present one.
        self.epoch = time.time()
        self.attempt = Attempt(time.monotonic())
        self._attempts = [self.attempt]
        self._finish_reasons: list[str] = []
        self.timers: list[Timer] = []
        # Gives up the present attempt where its worker does not attach.
        self.attach_timer: Timer | None = None
        # Set while what comes may be known already.
        self.replay: Replay | PartsReplay | None = None
        self.attempts = 1
        # Workers that were lost while they may have worked on it, and why the last one was.
        self.crashes = 0
        self.cause: str | None = None
        # When that was, until it is made good.
        self.lost_at: float | None = None
        self._told = _nothing_told(job) if keeps else None
        # What the worker of this attempt has to know of those before.
        self._resumed: tuple[Resumed, ...] = ()
        self._draw = getrandbits(_DRAW_BITS)
        self._bell = bell
        self._mailbox: list[Event] = []
        # _unread + _taken <= WINDOW: the deltas that came and that we gave no credit for.
        self._unread = 0
        self._taken = 0
        self._outcomes_left = job.most_outcomes

    # The exchange's side.

    def waits(self, standing: Standing) -> None:
        """It is told how its model is doing."""
        self.standing = standing
        self._bell.ring()

    def grant(self, message: Granted) -> None:
        """It has a lease."""
        self.worker, self.standing = message.worker, None
        attempt, now = self.attempt, time.monotonic()
        attempt.granted, attempt.generation, attempt.model = now, message.worker, message.model
        if message.ready_for is not None and message.ready_for < now - attempt.asked:
            waited = now - attempt.asked - message.ready_for
            attempt.loading = min(waited, message.load_seconds)
            attempt.load_seconds = message.load_seconds
            attempt.ready = now - message.ready_for

    def accept(self, prompt_tokens: int) -> None:
        """The worker has found the request good."""
        self.accepted = True
        self.attempt.accepted = time.monotonic()
        # A prompt that is only read, such as for an embedding, has no other beginning.
        if not isinstance(self.job.ask, Submit):
            self.prompt_tokens = prompt_tokens
        self._bell.ring()

    def deliver(self, delta: GenerationDelta) -> bool:
        """Put a delta into the mailbox; false when the worker had no credit for it."""
        if self._unread + self._taken >= WINDOW:
            return False
        self._unread += 1
        if self.attempt.first is None:
            self.attempt.first = time.monotonic()
        self.completion_tokens += len(delta.tokens)
        self._mailbox.append(delta)
        if self._told is not None:
            self._told.recent.append(delta)
        self._bell.ring()
        return True

    def deliver_outcome(self, outcome: Outcome) -> bool:
        """The same for what costs no credit; false when it is more than was asked for."""
        if self._outcomes_left == 0:
            return False
        self._outcomes_left -= 1
        self._note_outcome(outcome)
        self._mailbox.append(outcome)
        if self._told is not None:
            self._told.recent.append(outcome)
            # Vectors are large, and not kept.
            self._told.fold()
        self._bell.ring()
        return True

    def _note_outcome(self, outcome: Outcome) -> None:
        attempt = self.attempt
        if type(outcome) is Started:
            self.prompt_tokens = outcome.prompt_tokens
            attempt.started = time.monotonic()
            return
        if attempt.first is None:
            attempt.first = time.monotonic()
        if type(outcome) is Finished:
            self._finish_reasons.append(outcome.reason)

    def note(self, silent: Silent) -> None:
        """Tokens that the client does not see."""
        self.completion_tokens += len(silent.tokens)
        if self._told is not None:
            self._told.recent.append(silent)

    def skip(self, event: GenerationDelta | Outcome | Silent) -> bool:
        """Count what the client has already as if it had taken it; false as in `deliver`."""
        if type(event) in DELTA_TYPES:
            if self._unread + self._taken >= WINDOW:
                return False
            self._taken += 1
        elif not isinstance(event, Silent):
            if self._outcomes_left == 0:
                return False
            self._outcomes_left -= 1
        return True

    def begin_again(self, run_id: int) -> None:
        """The next attempt; what the mailbox holds is the client's already."""
        assert self._told is not None, "only what is kept can be gone on with"
        self.id = run_id
        self.attempts += 1
        self.attempt.lost, self.attempt.cause = time.monotonic(), self.cause
        self.attempt = Attempt(time.monotonic())
        self._attempts.append(self.attempt)
        self.worker, self.submitted = None, False
        if self.attach_timer is not None:
            self.attach_timer.cancel()
        replay, self._resumed = self._told.again(), self._told.resumed()
        self.replay = None if replay.is_over else replay
        self._unread = self._taken = 0
        self._outcomes_left = self.job.most_outcomes

    def message(self) -> Submit | Embed | Rank | Inspect:
        """What the worker of this attempt is asked."""
        message = self.job.message(self.id, self.name, self.subject, self.traceparent)
        if not isinstance(message, Submit):
            return message
        return replace(message, resumed=self._resumed, draw=self._draw)

    @property
    def traceparent(self) -> str:
        """What other processes are told of its trace; "" where nobody keeps it."""
        return str(self.trace) if self.trace is not None and self.trace.sampled else ""

    @property
    def subject(self) -> str:
        """Who takes turns with others where requests wait."""
        return self.by.subject or ""

    @property
    def tokens(self) -> int:
        """What is known of the answer, once it was begun again."""
        return sum(len(choice.tokens) for choice in self._resumed)

    def end(self, result: Done | KronkError) -> None:
        """The terminal event; what the mailbox holds is still read first."""
        assert self.ended is None, "a request ends once"
        self.ended = result
        self.report = self._reported(result)
        self._bell.ring()

    def _reported(self, ended: Done | KronkError) -> RunReport:
        outcome: End = "done"
        if isinstance(ended, KronkError):
            outcome = "cancelled" if isinstance(ended, ClientGone) else "failed"
        done = ended if isinstance(ended, Done) else None
        return RunReport(
            name=self.name,
            job=self.job,
            by=self.by,
            endpoint=self.endpoint,
            epoch=self.epoch,
            asked=self._attempts[0].asked,
            ended=time.monotonic(),
            attempts=tuple(self._attempts),
            outcome=outcome,
            prompt_tokens=self.prompt_tokens,
            completion_tokens=self.completion_tokens,
            finish_reasons=tuple(self._finish_reasons),
            usage=None if done is None else done.usage,
            timings=None if done is None else done.timings,
            error=ended if isinstance(ended, KronkError) else None,
            trace=self.trace,
        )

    @property
    def is_due(self) -> bool:
        """Its worker is to be told how much was taken."""
        return self._taken >= _WORTH_TELLING

    def credit(self) -> int:
        """How many deltas the worker may be told were taken: half a window at a time."""
        if not self.is_due:
            return 0
        if self._told is not None:
            self._told.fold()
        taken, self._taken = self._taken, 0
        return taken

    # The route's side.

    @property
    def starved(self) -> bool:
        """The worker cannot go on until something is taken."""
        return self._unread + self._taken >= WINDOW

    async def until_news(self) -> None:
        """Return once it is told how its model is doing, or has ended."""
        if self.ended is None:
            await self._bell.wait()

    async def until_accepted(self) -> None:
        """Return once the request is known to be good; raises what it was refused with."""
        while not self.accepted and self.ended is None:
            await self._bell.wait()
        if isinstance(self.ended, KronkError) and not self.accepted:
            raise self.ended

    @property
    def has_ended(self) -> bool:
        """Only what is in the mailbox is still to come."""
        return self.ended is not None

    async def take(self, tap: Tap | None = None) -> list[Event]:
        """All events that wait, at least one; empty when the request has ended. A `tap` may take
        them first, as in `Bell.wait`; the end is not for it."""
        while not self._mailbox and self.ended is None:
            await self._bell.wait(tap)
        return self.take_now()

    def take_now(self) -> list[Event]:
        """All events that wait, which may be none."""
        events, self._mailbox = self._mailbox, []
        self._taken += self._unread
        self._unread = 0
        return events

    def result(self) -> Done:
        """How an ended request ended; raises its error."""
        if isinstance(self.ended, KronkError):
            raise self.ended
        if self.ended is None:
            raise Internal("the result of a request that still runs was asked for")
        return self.ended


def _nothing_told(job: Job) -> Transcript | Parts:
    return Transcript() if isinstance(job.ask, Submit) else Parts()
