"""What bends a choice's free sampling: its grammar, and the end of its thinking.

A grammar is for the answer, not for the thinking before it. Where the prompt has opened the
thinking, the grammar begins when it is closed; where the model opens it itself, the first token
may be the one that does. Thinking that would use up its budget, or the tokens that the shortest
answer needs, is closed by writing the closing tag in the model's place.

An answer that another process began is followed token by token. Whether a token was the model's or
was written in its place makes a difference to what comes next, and does not show in the token
itself. It follows from what came before, but for an answer that may just have been brought to its
end: the tokens of which that could be are chosen again.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Container, Sequence

from kronk.shared.errors import ModelCrashed

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
        # Tokens after which the thinking was closed, and the grammar began.
        self._closed_at = 0
        # Tokens after which a closing ends that another process wrote.
        self._closing_until = 0
        # What another process chose, to be chosen again.
        self._again: deque[int] = deque()
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
            token = self._forced()
        elif self._again:
            token = self._choose_again(self._sampler.sample(logits))
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
            self._closed_at = self._taken

    def follow(self, said: Sequence[int], at: int) -> bool:
        """Another process has chosen token `at` of these; to be followed by `took`, like `choose`.
        False: it may have been written in the model's place, and it and what is behind it is to be
        chosen again. Raises `ModelCrashed` where it cannot have been chosen."""
        token = said[at]
        if not self.forced and self._phase is Phase.ANSWER:
            self._resume_closing(said, at)
        elif not self.forced and self._phase is Phase.THINKING:
            self._expect_closing(said, at)
        if self.forced:
            if self.forced.popleft() != token:
                raise not_resumed(f"token {at} is not what had to be written there")
        elif self._closer is not None and not self._opens_thinking(token):
            if self._closer.may_be_closing(said[at:]):
                self._again.extend(said[at:])
                return False
            if not self._takes(token) or self._closer.after(token) is not None:
                raise not_resumed(f"its grammar does not allow token {at}")
        if self._sampler.mask is not None:
            if not self._takes(token):
                raise not_resumed(f"its grammar does not allow token {at}")
            self._sampler.mask.accept(token)
        self._taken += 1
        return True

    def _takes(self, token: int) -> bool:
        return self._sampler.mask is None or self._sampler.mask.takes(token)

    def _expect_closing(self, said: Sequence[int], at: int) -> None:
        """Where the closing comes, it is not to be closed in time as well."""
        thinking = self._job.thinking
        if thinking is not None:
            end = at + len(thinking.closing)
            if tuple(said[at:end]) == thinking.closing:
                self._closing_until = end

    def _resume_closing(self, said: Sequence[int], at: int) -> None:
        """Where the thinking was closed in the model's place, because it wanted to end, the rest of
        the closing is no part of the answer. That it was shows in the grammar not allowing it."""
        thinking = self._job.thinking
        if thinking is None or self._closed_at != self._taken or self._takes(said[at]):
            return
        closing = thinking.closing
        for done in range(1, min(at + 1, len(closing))):
            rest = closing[done:]
            is_done = tuple(said[at - done : at]) == closing[:done]
            if is_done and tuple(said[at : at + len(rest)]) == rest:
                self._sampler.mask = self._closer = self._matcher = None
                self._phase = Phase.THINKING
                self.forced.extend(rest)
                return

    def _forced(self) -> int:
        token = self.forced.popleft()
        if self._again and self._again.popleft() != token:
            raise not_resumed("its tokens are not those that had to be written")
        return token

    def _choose_again(self, sampled: int) -> int:
        """What the model wants now may differ from what it wanted then by rounding: what was chosen
        stays. Only where something else had to be written for it, this is what was chosen."""
        known = self._again.popleft()
        if sampled != known and not (self._closer is not None and self._closer.refuses(sampled)):
            sampled = known
        token = self._instead(sampled)
        if token != known:
            raise not_resumed("its tokens are not those that would be chosen again")
        return token

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
        if limit is None or self._taken < self._closing_until:
            return
        if self._thought >= limit and not self.forced:
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

    def takes(self, token: int) -> bool:
        return token == self._opening or self._matcher.takes(token)

    def accept(self, token: int) -> None:
        if token != self._opening:
            self._matcher.accept(token)


def not_resumed(why: str) -> ModelCrashed:
    """What is said of an answer that is cut off for good."""
    return ModelCrashed(f"the model's process died, and the answer cannot go on: {why}")
