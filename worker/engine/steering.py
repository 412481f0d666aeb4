"""What bends a choice's free sampling: its grammar, and the end of its thinking.

A grammar is for the answer, not for the thinking before it. Where the prompt has opened the
thinking, the grammar begins when it is closed; where the model opens it itself, the first token
may be the one that does. Thinking that would use up its budget, or the tokens that the shortest
answer needs, is closed by writing the closing tag in the model's place.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Container

from .job import Closer, Job, Matcher, ThinkingParser
from .sampler import Sampler
from .sampling import Logits


class Phase(enum.Enum):
    """Where a choice with a grammar is."""

    # The model may open its thinking or begin the answer.
    FIRST_TOKEN = enum.auto()
    THINKING = enum.auto()
    ANSWER = enum.auto()


class Steering:
    """Chooses a choice's tokens: `choose`, then `took` once the parser has read the token.

    `ends` are the tokens that end a generation.
    """

    def __init__(
        self, job: Job, sampler: Sampler, thinker: ThinkingParser | None, ends: Container[int]
    ) -> None:
        # Tokens that are written whatever the model thinks of them.
        self.forced: deque[int] = deque()
        # The answer was brought to its end before the model wanted it.
        self.is_cut = False
        self._job = job
        self._sampler = sampler
        self._thinker = thinker
        self._ends = ends
        self._taken = 0
        self._thought = 0
        self._matcher: Matcher | None = None
        self._closer: Closer | None = None
        self._phase = Phase.ANSWER
        self._begin()

    @property
    def is_complete(self) -> bool:
        """The grammar allows nothing more."""
        return (
            self._phase is Phase.ANSWER and self._matcher is not None and self._matcher.is_complete
        )

    def choose(self, logits: Logits) -> int:
        """The next token, accepted by the sampler. May write into the row."""
        if self.forced:
            token = self.forced.popleft()
        else:
            token = self._instead(self._sampler.sample(logits))
        self._sampler.accept(token)
        self._taken += 1
        return token

    def took(self, token: int) -> None:
        """The parser has read the token."""
        thinker = self._thinker
        if self._phase is Phase.FIRST_TOKEN:
            assert self._job.thinking is not None
            if token == self._job.thinking.opening:
                self._sampler.mask = self._closer = self._matcher = None
                self._phase = Phase.THINKING
                self._end_thinking_in_time()
            else:
                self._sampler.mask = self._matcher
                self._phase = Phase.ANSWER
        elif thinker is not None and thinker.is_thinking:
            self._thought += 1
            self._end_thinking_in_time()
        elif self._phase is Phase.THINKING and not self.forced:
            # What is written behind the closing tag is no part of the answer either.
            self._start_grammar()

    def _begin(self) -> None:
        if self._thinker is not None and self._thinker.is_thinking:
            self._phase = Phase.THINKING
            self._end_thinking_in_time()
        elif self._job.grammar is not None:
            self._start_grammar()
            thinking = self._job.thinking
            if thinking is not None and thinking.opening is not None:
                assert self._matcher is not None
                self._sampler.mask = _OrThink(self._matcher, thinking.opening)
                self._phase = Phase.FIRST_TOKEN

    def _start_grammar(self) -> None:
        self._phase = Phase.ANSWER
        grammar = self._job.grammar
        if grammar is not None:
            self._matcher, self._closer = grammar.begin(self._job.max_tokens - self._taken)
            self._sampler.mask = self._matcher

    def _instead(self, token: int) -> int:
        """What is taken for a token that was sampled."""
        if self._phase is Phase.THINKING:
            if token in self._ends and self._job.grammar is not None:
                # It shall answer before it ends.
                self._close_thinking()
                return self.forced.popleft()
            return token
        if self._closer is None or self._opens_thinking(token):
            return token
        closing = self._closer.after(token)
        if not closing:
            return token
        self.is_cut = True
        self.forced.extend(closing)
        return self.forced.popleft()

    def _opens_thinking(self, token: int) -> bool:
        thinking = self._job.thinking
        return (
            self._phase is Phase.FIRST_TOKEN and thinking is not None and token == thinking.opening
        )

    def _end_thinking_in_time(self) -> None:
        limit = self._thinking_limit()
        if limit is not None and self._thought >= limit and not self.forced:
            self._close_thinking()

    def _close_thinking(self) -> None:
        assert self._job.thinking is not None
        self.forced.extend(self._job.thinking.closing)

    def _thinking_limit(self) -> int | None:
        thinking, grammar = self._job.thinking, self._job.grammar
        if thinking is None:
            return None
        if grammar is None:
            return thinking.budget
        # One more than needed: the model may be asked to think by a token of its own.
        room = self._job.max_tokens - grammar.shortest - len(thinking.closing) - 1
        return max(0, room if thinking.budget is None else min(thinking.budget, room))


class _OrThink:
    """A grammar's mask for the first token, which may also open the thinking."""

    def __init__(self, matcher: Matcher, opening: int) -> None:
        self._matcher = matcher
        self._opening = opening

    def apply(self, logits: Logits) -> None:
        opening = logits[self._opening]
        self._matcher.apply(logits)
        logits[self._opening] = opening

    def accept(self, token: int) -> None:
        if token != self._opening:
            self._matcher.accept(token)
