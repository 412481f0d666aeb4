"""A job at work: what its choices share, and the one way its events take to the client."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from logging import DEBUG
from typing import Any, Literal

import structlog

from kronk.shared.log import ids
from kronk.shared.wire.to_gateway import Done, Finished, Silent, Started
from kronk.shared.wire.values import Timings, Usage

from .job import Job
from .output import Sent
from .tally import Tally

log = structlog.get_logger()

Reason = Literal["stop", "length", "tool_calls"]
# As many as the deltas and choices at most.
_FREE = (Silent, Finished, Done)


class Request:
    """Ends with one `Done`, after a `Finished` for each choice.

    Deltas go out while there is credit; what comes beyond it waits here, in order, and the slots
    of a request that waits do not generate. So the client's side never gets more than its window.
    """

    def __init__(self, job: Job, emit: Callable[[Any], None]) -> None:
        self.job = job
        # Of the prompt, from the cache; set by the first choice.
        self.cached = 0
        self.cache = ""
        self.drafted = 0
        self.accepted = 0
        # Seconds that were spent on finding what of the prompt is cached.
        self.match = 0.0
        self._tally = Tally()
        self._reasons: list[str] = []
        self._emit = emit
        self._credit = job.window
        self._outbox: deque[Any] = deque()
        # The choices that nobody has begun yet. The first of them is begun before the others, so
        # that they need not read the prompt again.
        self.others = job.open_choices
        self.first = self.others.pop(0) if self.others else None
        self._unfinished = job.choices - len([one for one in job.resumed.values() if one.finished])
        self._completion_tokens = sum(
            [len(one.tokens) for one in job.resumed.values() if one.finished]
        )
        self._reasoning_tokens = job.thought
        self._started: float | None = None
        self._first_token: float | None = None

    @property
    def may_generate(self) -> bool:
        """The client keeps up."""
        return self._credit > 0

    @property
    def is_started(self) -> bool:
        """One of its choices has had a slot."""
        return self._started is not None

    @property
    def tokens(self) -> int:
        """Those of its answers so far."""
        return self._completion_tokens

    @property
    def is_over(self) -> bool:
        """Its `Done` is out."""
        return not self._unfinished and not self._outbox

    def start(self, now: float) -> None:
        """Its first choice has a slot."""
        self._started = now
        job = self.job
        self._emit(Started(job.request, job.prompt_rows, self.cached, echo=job.echo))

    def conclude(self, now: float) -> None:
        """All of its choices have been finished by another process."""
        self.start(now)
        self._end(self._done(now))

    def took_over(self, tokens: int) -> None:
        """One of its choices has begun with tokens of another process."""
        self._completion_tokens += tokens

    def took_token(self, now: float, last: float | None, rows: int) -> None:
        """One of its choices has a token more, and had its last one then; `rows` are in its
        context."""
        self._completion_tokens += 1
        if last is not None:
            self._tally.gap(now - last, rows)
        elif self._first_token is None:
            self._first_token = now

    def send(self, deltas: Sequence[Sent]) -> None:
        """Deltas, now or when there is credit."""
        for delta in deltas:
            if self._credit > 0:
                if type(delta) is not Silent:
                    self._credit -= 1
                self._emit(delta)
            else:
                self._outbox.append(delta)

    def pay(self, events: int) -> None:
        """Credit from the client."""
        self._credit += events
        while self._outbox:
            if self._credit <= 0 and not self._is_free():
                return
            event = self._outbox.popleft()
            if not isinstance(event, _FREE):
                self._credit -= 1
            self._emit(event)

    def finish(
        self, choice: int, reason: Reason, stop: str | None, reasoning_tokens: int, now: float
    ) -> None:
        """One choice is complete."""
        self._reasoning_tokens += reasoning_tokens
        self._reasons.append(reason)
        self._unfinished -= 1
        self._end(Finished(self.job.request, choice, reason, stop))
        if not self._unfinished:
            self._end(self._done(now))

    def _is_free(self) -> bool:
        """What comes next needs no credit. Silent tokens come together with what is behind them:
        who has heard of them has heard of that."""
        ahead = self._outbox[0]
        if isinstance(ahead, Silent) and len(self._outbox) > 1:
            ahead = self._outbox[1]
        return isinstance(ahead, _FREE)

    def _end(self, event: Finished | Done) -> None:
        # Never before the deltas that wait.
        if self._outbox:
            self._outbox.append(event)
        else:
            self._emit(event)

    def _done(self, now: float) -> Done:
        started = self._started if self._started is not None else now
        first = self._first_token if self._first_token is not None else now
        usage = Usage(
            self.job.prompt_rows, self._completion_tokens, self.cached, self._reasoning_tokens
        )
        timings = Timings(
            queued=started - self.job.submitted,
            prefill=first - started,
            decode=now - first,
            cache=self.cache,
            drafted=self.drafted,
            accepted=self.accepted,
            began=self.job.began,
            render=self.job.render,
            tokenise=self.job.tokenise,
            match=self.match,
            itl=self._tally.itl,
            itl_sum=self._tally.sum,
            speeds=self._tally.speeds,
        )
        self._log(usage, timings)
        return Done(self.job.request, usage, timings)

    def _log(self, usage: Usage, timings: Timings) -> None:
        # The gateway's line says the same, and more, at a level that is usually written.
        if not log.is_enabled_for(DEBUG):
            return
        later = timings.decoded(usage.completion_tokens, 1)
        speed = later / timings.decode if later > 0 and timings.decode else None
        log.debug(
            "answered",
            **ids(self.job.name, self.job.trace),
            prompt_tokens=usage.prompt_tokens,
            cached=usage.cached_tokens,
            cache=timings.cache,
            queued=round(timings.queued, 4),
            prefill=round(timings.prefill, 4),
            decode=round(timings.decode, 4),
            tokens=usage.completion_tokens,
            tokens_per_second=None if speed is None else round(speed, 2),
            finish_reason=",".join(dict.fromkeys(self._reasons)),
        )
