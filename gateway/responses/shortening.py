"""Conversations that do not fit their model's context window, made to fit: the oldest turns go.

How many must go is found by asking the model's worker how many tokens the rest has, for half of
the turns that are in question at a time.
"""

from __future__ import annotations

from dataclasses import replace

from kronk.gateway.dialects.turns import turn_starts, without_turns
from kronk.gateway.job import Job, inspect
from kronk.gateway.link import Link
from kronk.shared.errors import ModelFailed, TooLarge
from kronk.shared.security.identity import Identity
from kronk.shared.wire.to_worker import Submit
from kronk.shared.wire.values import Prompt

# An answer of no stated length may have a quarter of the window at least.
_ANSWER_SHARE = 4
_STATUS_SECONDS = 5.0


async def shortened(link: Link, name: str, job: Job, seconds: float, by: Identity) -> Job:
    """The job with as many of its first turns left out as it takes for the rest to fit.

    The last turn stays whatever its length: where it does not fit either, the worker says so.
    `seconds` bound each question to the worker, which is asked for `by`; 0 is no bound.
    """
    ask = job.ask
    assert isinstance(ask, Submit) and ask.prompt.messages is not None, "only chats have turns"
    count = _Counter(link, name, job, seconds, by)
    tokens, most = await count.tokens(ask.prompt), await count.room(ask.max_tokens)
    if tokens is not None and tokens <= most:
        return job
    # Without `low` turns it is too long; without `high` it fits, or is all that can be had.
    low, high = 0, len(turn_starts(ask.prompt.messages)) - 1
    while low + 1 < high:
        middle = (low + high) // 2
        tokens = await count.tokens(without_turns(ask.prompt, middle))
        low, high = (low, middle) if tokens is not None and tokens <= most else (middle, high)
    if high < 1:
        return job
    return replace(job, ask=replace(ask, prompt=without_turns(ask.prompt, high)))


class _Counter:
    """Asks the worker of one job."""

    def __init__(self, link: Link, name: str, job: Job, seconds: float, by: Identity) -> None:
        self._link = link
        self._name = name
        self._job = job
        self._seconds = seconds
        self._by = by
        # The generation of the worker that answered.
        self._worker: int | None = None

    async def tokens(self, prompt: Prompt) -> int | None:
        """How many the prompt has; None where they are too many to count."""
        assert isinstance(self._job.ask, Submit)
        counting = inspect(self._job.model, prompt, answer=self._job.ask.answer)
        job = replace(counting, ttl=self._job.ttl, priority=self._job.priority)
        with self._link.exchange.running(self._name, job, self._seconds, by=self._by) as run:
            try:
                while await run.take():
                    pass
                return run.result().usage.prompt_tokens
            except TooLarge:
                return None
            finally:
                self._worker = run.worker

    async def room(self, max_tokens: int | None) -> int:
        """How many a prompt may have that leaves room for its answer."""
        status = await self._link.status(_STATUS_SECONDS)
        for model in status.models:
            if model.generation == self._worker and model.n_ctx is not None:
                share = model.n_ctx // _ANSWER_SHARE
                return model.n_ctx - (share if max_tokens is None else min(max_tokens, share * 2))
        raise ModelFailed("the model was unloaded while its prompt was measured", retry_after=0)
