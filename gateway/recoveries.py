"""Keeps the accounts of requests that have lost their worker."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from kronk.shared.errors import KronkError
from kronk.shared.log import ids

from .job import Job
from .quarantine import Quarantine
from .recovery import Again, Facts, GiveUp, Loss, Policy, judge
from .run import Run

log = structlog.get_logger()


class Recoveries:
    """Has no part in the carrying out; `now` is monotonic seconds."""

    def __init__(self, policy: Policy, now: Callable[[], float]) -> None:
        # Requests that were begun again before and after there was something of their answer, and
        # those that no worker is asked any more.
        self.retried = 0
        self.resumed = 0
        self.quarantined = 0
        self.quarantine = Quarantine()
        self._policy = policy
        self._now = now

    @property
    def keeps(self) -> bool:
        """Whether there is any use in knowing what came of an answer."""
        return self._policy.resume

    def check(self, job: Job) -> None:
        """Raise `PromptQuarantined` for what no worker shall be asked."""
        self.quarantine.check(job, self._now())

    def lost(
        self, run: Run, loss: Loss, *, was_alone: bool, is_draining: bool
    ) -> Again | KronkError:
        """The run's worker was lost: what is to be done, or the error that ends it."""
        run.crashes += run.submitted
        log.info(
            "worker lost",
            **ids(run.name, run.traceparent),
            model=loss.model,
            generation=run.worker,
            attempt=run.attempts,
            cause=loss.words,
        )
        facts = Facts(run.crashes, run.submitted and was_alone, is_draining)
        match judge(loss, facts, self._policy):
            case Again() as again:
                run.cause = loss.words
                if run.lost_at is None:
                    run.lost_at = self._now()
                return again
            case GiveUp(error, quarantine):
                if quarantine:
                    self._quarantine(run, loss)
                return error

    def _quarantine(self, run: Run, loss: Loss) -> None:
        self.quarantined += 1
        key = self.quarantine.put(run.job, loss.model, loss.words, self._now())
        log.warning("prompt quarantined", request_id=run.name, model=loss.model, prompt=key)

    def begun_again(self, run: Run) -> None:
        """It waits for its next worker."""
        if run.tokens:
            self.resumed += 1
        else:
            self.retried += 1

    def made_good(self, run: Run) -> None:
        """What its worker tells from now on is new. Idempotent."""
        if run.lost_at is None:
            return
        seconds, run.lost_at = self._now() - run.lost_at, None
        log.info(
            "request recovered",
            **ids(run.name, run.traceparent),
            model=run.job.model,
            attempt=run.attempts,
            tokens=run.tokens,
            seconds=round(seconds, 3),
        )


def with_cause(error: KronkError, run: Run) -> KronkError:
    """The error of a request that would have met none had its first worker lived."""
    if run.cause is None:
        return error
    message = f"{error.message} (before that, {run.cause})"
    return type(error)(message, param=error.param, retry_after=error.retry_after)
