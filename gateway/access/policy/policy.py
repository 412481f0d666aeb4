"""Asks a policy once and remembers what it said."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import replace
from typing import Any, Protocol

from kronk.gateway.access.rules import Gate
from kronk.shared.errors import Overloaded, Unauthenticated
from kronk.shared.security.identity import Identity
from kronk.shared.settings import Mode, Settings

from .cache import DecisionCache
from .decision import Decision, PolicyFailed, read_result
from .embedded import Embedded
from .journal import Journal
from .question import Question

# Questions that are being answered; an answer takes a millisecond here, and two seconds at most
# elsewhere.
_MOST_ASKED = 1000
# What is wrong with a token, in the words that policies know.
_PROBLEMS = frozenset({"expired", "revoked"})


class Source(Protocol):
    """Who decides."""

    # Seconds that an answer holds if it does not say, and at most; None is without an end.
    default_seconds: float | None
    most_seconds: float | None
    # What is wrong with the newest policies, where older ones are in force.
    problem: str | None

    @property
    def version(self) -> str:
        """What logs call it. Another version may decide otherwise."""
        ...

    def is_due(self) -> bool:
        """Whether `renew` should be called before the next answer."""
        ...

    async def renew(self) -> None:
        """Take up what has changed."""
        ...

    async def answer(self, document: Mapping[str, Any]) -> Any:
        """A policy's document for this input; `PolicyFailed` if there is none."""
        ...

    async def close(self) -> None:
        """Nothing is asked any more."""
        ...


class Policy:
    """May somebody? One per gateway; what cannot be known is a no."""

    def __init__(
        self,
        mode: Mode,
        issuer: str,
        source: Source,
        stamp: Callable[[], Hashable] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """`stamp` differs when keys or revocations have changed. It is called for each request."""
        self._mode = mode
        self._issuer = issuer
        self._source = source
        self._stamp = stamp
        self._clock = clock
        self._wall = wall
        self._cache = DecisionCache()
        self._journal = Journal(clock)
        # Questions on their way: whoever has the same one waits for its answer.
        self._asked: dict[Hashable, asyncio.Task[Decision]] = {}
        self._renewing = asyncio.Lock()
        self._is_closed = False

    @property
    def version(self) -> str:
        """Which policies are in force."""
        return self._source.version

    @property
    def problem(self) -> str | None:
        """What is wrong with newer ones that are not in force."""
        return self._source.problem

    async def check(
        self, gate: Gate, identity: Identity, problem: Unauthenticated | None
    ) -> tuple[str, ...] | None:
        """Return if `identity` may use the route, and with which models, None being all; `problem`
        is what is wrong with a credential that was sent. Else `Unauthenticated`,
        `PermissionDenied`, or `PolicyFailed`, which is a 503."""
        question = Question(self._mode, gate, identity, self._issuer, _named(problem))
        decision = await self.decide(question)
        refusal = decision.refusal(problem)
        if refusal is not None:
            raise refusal
        return decision.models

    async def decide(self, question: Question) -> Decision:
        """What the policy says, or has said. Raises `PolicyFailed` if it says nothing."""
        if self._source.is_due():
            await self._renew(question)
        generation = (self._source.version, self._stamp())
        self._cache.enter(generation)
        key = question.key()
        decision = self._cache.get(key, self._clock())
        if decision is None:
            return await self._answer(key, question, generation)
        if not decision.allow:
            self._journal.refused(question, decision)
        return decision

    async def close(self) -> None:
        """Nothing is asked any more."""
        self._is_closed = True
        for task in tuple(self._asked.values()):
            task.cancel()
        await asyncio.gather(*self._asked.values(), return_exceptions=True)
        await self._source.close()

    async def _renew(self, question: Question) -> None:
        async with self._renewing:
            # Somebody else may have done it meanwhile.
            if not self._source.is_due():
                return
            try:
                await self._source.renew()
            except PolicyFailed as error:
                self._journal.failed(question, error, self._source.version)
                raise

    async def _answer(self, key: Hashable, question: Question, generation: Hashable) -> Decision:
        task = self._asked.get((key, generation))
        if task is None:
            if self._is_closed:
                raise PolicyFailed("the server ends")
            if len(self._asked) >= _MOST_ASKED:
                raise Overloaded("too many requests wait for the policy", retry_after=1.0)
            task = asyncio.create_task(self._ask(key, question, generation), name="policy")
            self._asked[key, generation] = task
            task.add_done_callback(lambda done: self._answered((key, generation), done))
        try:
            # A client that goes away takes the answer from nobody else.
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if self._is_closed and task.cancelled():
                raise PolicyFailed("the server ends") from None
            raise

    def _answered(self, key: Hashable, task: asyncio.Task[Decision]) -> None:
        del self._asked[key]
        if not task.cancelled():
            # Also where nobody waits for it any more, who would have seen it.
            task.exception()

    async def _ask(self, key: Hashable, question: Question, generation: Hashable) -> Decision:
        policy = self._source.version
        try:
            decision = read_result(await self._source.answer(question.to_input()), policy)
        except PolicyFailed as error:
            self._journal.failed(question, error, policy)
            raise
        decision = replace(decision, cache_seconds=self._holds(question, decision))
        self._journal.decided(question, decision)
        if decision.cache_seconds != 0:
            seconds = math.inf if decision.cache_seconds is None else decision.cache_seconds
            self._cache.put(key, decision, self._clock() + seconds, generation)
        return decision

    def _holds(self, question: Question, decision: Decision) -> float | None:
        """For how many seconds the decision may be used again."""
        own = decision.cache_seconds
        bounds = [self._source.default_seconds if own is None else own, self._source.most_seconds]
        if question.identity.expires is not None:
            bounds.append(max(0.0, question.identity.expires - self._wall()))
        return min((bound for bound in bounds if bound is not None), default=None)


def make_policy(settings: Settings, stamp: Callable[[], Hashable] = lambda: None) -> Policy:
    """The policy of these settings; `InvalidArgument` if it cannot be compiled."""
    source: Source
    if settings.policy_url is not None:
        # It takes an HTTP client.
        from .external import External

        source = External(settings.policy_url)
    else:
        source = Embedded(settings.policy_dir)
    return Policy(settings.mode, settings.auth_issuer, source, stamp)


def _named(problem: Unauthenticated | None) -> str | None:
    if problem is None:
        return None
    return problem.reason if problem.reason in _PROBLEMS else "invalid"
