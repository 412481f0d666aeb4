"""Several runs that are read as one: a request with several prompts.

Their choices are numbered on: the second prompt's first choice comes after the first prompt's last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate

from kronk.shared.errors import KronkError
from kronk.shared.wire.to_gateway import Done, Inspected, Scores, Vectors
from kronk.shared.wire.values import Timings, Usage

from .bell import Bell, Tap
from .run import Event, Run


class JoinedRuns:
    """Has what a route needs of a `Run`. All `runs` ring the one `bell`."""

    def __init__(self, runs: Sequence[Run], bell: Bell) -> None:
        self._runs = runs
        self._bell = bell
        choices = [run.job.choices for run in runs]
        self._first_choice = list(accumulate(choices, initial=0))[:-1]
        self._over = False

    async def until_accepted(self) -> None:
        """Return once all are known to be good; raises what the first of them was refused with.

        A run that has filled its window ends the wait too: the last prompts may be waiting for
        the place that it holds until somebody reads it.
        """
        while True:
            for run in self._runs:
                if isinstance(run.ended, KronkError) and not run.accepted:
                    raise run.ended
            if all(run.accepted or run.ended is not None for run in self._runs):
                return
            if any(run.starved for run in self._runs):
                return
            await self._bell.wait()

    @property
    def has_ended(self) -> bool:
        """One of them has: what that means for the others is for `take` to say."""
        return any(run.ended is not None for run in self._runs)

    async def take(self, tap: Tap | None = None) -> list[Event]:
        """All events that wait, at least one; empty when all have ended, or one has failed. `tap`
        as in `Run.take`."""
        while not self._over:
            ends = [run.ended for run in self._runs]
            self._over = all(end is not None for end in ends) or any(
                isinstance(end, KronkError) for end in ends
            )
            events = self.take_now()
            if events:
                return events
            if not self._over:
                await self._bell.wait(tap)
        return []

    def result(self) -> Done:
        """How they ended, together; raises the error of the first that failed."""
        for run in self._runs:
            if isinstance(run.ended, KronkError):
                raise run.ended
        return together([run.result() for run in self._runs])

    def take_now(self) -> list[Event]:
        """All events that wait, which may be none."""
        return [
            _renumbered(event, first)
            for run, first in zip(self._runs, self._first_choice, strict=True)
            for event in run.take_now()
        ]


def together(ends: Sequence[Done]) -> Done:
    """One `Done` of several that ran side by side: counts add up, the longest times count."""
    usages, timings = [end.usage for end in ends], [end.timings for end in ends]
    usage = Usage(
        prompt_tokens=sum(one.prompt_tokens for one in usages),
        completion_tokens=sum(one.completion_tokens for one in usages),
        cached_tokens=sum(one.cached_tokens for one in usages),
        reasoning_tokens=sum(one.reasoning_tokens for one in usages),
    )
    timing = Timings(
        queued=max(one.queued for one in timings),
        prefill=max(one.prefill for one in timings),
        decode=max(one.decode for one in timings),
        cache=", ".join(dict.fromkeys(one.cache for one in timings if one.cache)),
        drafted=sum(one.drafted for one in timings),
        accepted=sum(one.accepted for one in timings),
        began=min(one.began for one in timings),
        render=max(one.render for one in timings),
        tokenise=max(one.tokenise for one in timings),
        match=max(one.match for one in timings),
    )
    return Done(ends[0].request, usage, timing)


def _renumbered(event: Event, first: int) -> Event:
    if first == 0 or isinstance(event, Vectors | Scores | Inspected):
        return event
    return replace(event, choice=event.choice + first)
