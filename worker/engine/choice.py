"""One answer while it is written: how its tokens are chosen, and what they say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import structlog

from kronk.shared.wire.values import TokenLogprob

from .job import ThinkingParser
from .logprobs import Scorer
from .output import Output, Sent
from .request import Reason, Request
from .sampler import Sampler
from .sampling import Logits
from .steering import Steering, not_resumed
from .vocabulary import Vocabulary

log = structlog.get_logger()


class Choice:
    """Number `number` of a request's answers. `close` it: its sampler lives in C memory."""

    def __init__(
        self, request: Request, number: int, sampler: Sampler, vocabulary: Vocabulary
    ) -> None:
        job = request.job
        self.request = request
        self.number = number
        # What is to be read before its first own token.
        self.rows: Sequence[int] = job.prompt
        self.generated = 0
        # The token sampled last, which the next decode takes; nothing before the first.
        self.pending = 0
        # Monotonic seconds at which it had its last token.
        self.last: float | None = None
        # Tokens of another process.
        self._taken_over = 0
        self._sampler = sampler
        self._vocabulary = vocabulary
        self._scorer = None if job.logprobs is None else Scorer(job.logprobs)
        parser = job.parser() if job.parser is not None else None
        self._parser = parser
        self._output = Output(
            job.request, number, job.stop, parser, scored=self._scorer is not None
        )
        thinker = cast(ThinkingParser, parser) if job.thinking is not None else None
        self._steering = (
            Steering(job, sampler, thinker, vocabulary.ends)
            if job.grammar is not None or thinker is not None
            else None
        )
        # Something else than the model may end it: a stop string, a grammar.
        self._may_stop = bool(job.stop) or self._steering is not None
        self._most = job.max_tokens
        self._shown = job.shown or None
        self._piece = vocabulary.piece
        # Its next token is the largest logit, and `choose` has nothing to do but to find that.
        self.is_bare = sampler.is_plain and self._scorer is None and self._steering is None

    @property
    def is_fresh(self) -> bool:
        """It has no token of its own yet."""
        return self.generated == self._taken_over

    @property
    def tokens_left(self) -> int:
        """Tokens it may still have."""
        return self.request.job.max_tokens - self.generated

    def resume(self) -> Sequence[Sent]:
        """Take the tokens that another process has chosen, if any, and send what it did because of
        them. Raises `ModelCrashed` where they cannot have been chosen. What log-probabilities they
        have is not known here."""
        said = self.request.job.said(self.number)
        sent: list[Sent] = []
        for at, token in enumerate(said):
            if self.verdict() is not None:
                raise not_resumed(f"it was complete after {at} tokens, and there are {len(said)}")
            if self._steering is not None and not self._steering.follow(said, at):
                break
            score = None
            if self._scorer is not None:
                score = TokenLogprob(self._vocabulary.spelling(token), 0.0, ())
            sent += self.take(token, score)
        if self.generated:
            self._taken_over = self.generated
            self._sampler.resume(said[: self.generated])
            self.rows = [*self.rows, *said[: self.generated]]
            self.request.took_over(self.generated)
        return sent

    def choose(self, logits: Logits) -> tuple[int, TokenLogprob | None]:
        """The next token of this row of logits, which is used up."""
        if self.is_bare:
            return int(logits.argmax()), None
        if self._scorer is not None:
            self._scorer.observe(logits)
        if self._steering is not None:
            token = self._steering.choose(logits)
        else:
            token = self._sampler.sample(logits)
            self._sampler.accept(token)
        score = None
        if self._scorer is not None:
            score = self._scorer.report(token, self._vocabulary.spelling)
        return token, score

    def take(self, token: int, score: TokenLogprob | None) -> Sequence[Sent]:
        """Append a chosen token that does not end the answer; what may be sent because of it."""
        self.generated += 1
        self.pending = token
        piece = self._shown.get(token) if self._shown is not None else None
        if piece is None:
            piece = self._piece(token)
        deltas = self._output.feed(token, piece, score)
        if self._steering is not None:
            self._steering.took(token)
        return deltas

    def verdict(self) -> Reason | None:
        """Why the answer is complete after a token, or None when it goes on."""
        if self._may_stop:
            if self._output.stopped is not None:
                return "stop"
            if self._steering is not None and self._steering.is_complete:
                return "stop"
        return "length" if self.generated >= self._most else None

    def finish(self, reason: Reason, now: float) -> None:
        """Send what was held back, and the end."""
        self.request.send(self._output.finish())
        if self._parser is not None and self._parser.problems:
            log.info(
                "not taken for a tool call",
                request_id=self.request.job.name,
                reasons=self._parser.problems,
            )
        if reason == "stop" and self._output.stopped is None:
            if self._steering is not None and self._steering.is_cut:
                reason = "length"
            elif self._output.calls:
                reason = "tool_calls"
        self.request.finish(
            self.number, reason, self._output.stopped, self._output.reasoning_tokens, now
        )

    def close(self) -> None:
        """Free the sampler. Idempotent."""
        self._sampler.close()
