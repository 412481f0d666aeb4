"""A request that is rendered, tokenised and known to fit: all the engine needs of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from kronk.shared.wire.to_worker import Resumed
from kronk.worker.media.clip import Span
from kronk.worker.parsers.base import Parser

from .sampler import Mask
from .sampling import Resolved


class Matcher(Mask, Protocol):
    """How far one answer is in its grammar; the sampler's mask at the same time."""

    @property
    def is_complete(self) -> bool:
        """Nothing but an end may follow."""


class Closer(Protocol):
    """Sees to it that an answer in a grammar is whole when its budget of tokens is used up."""

    def after(self, token: int) -> list[int] | None:
        """Asked with each sampled token before it is accepted: None takes it; a list is what to
        write instead, which ends the answer."""

    def refuses(self, token: int) -> bool:
        """Whether `after` would write something instead. Changes nothing."""

    def may_be_closing(self, tokens: Sequence[int]) -> bool:
        """Whether these are what `after` would write instead of a token that it refuses now, or
        the beginning of it."""


class Grammar(Protocol):
    """A compiled constraint; `kronk.worker.constraint` makes them."""

    @property
    def shortest(self) -> int:
        """Tokens of the shortest answer it allows."""

    def begin(self, budget: int) -> tuple[Matcher, Closer]:
        """The state at the beginning of an answer of at most `budget` tokens."""


class ThinkingParser(Parser, Protocol):
    """A parser that knows where thinking begins and ends."""

    @property
    def is_thinking(self) -> bool:
        """What comes next is thinking."""


@dataclass(frozen=True, slots=True)
class Thinking:
    """How the model thinks in this request. Its parser is then a `ThinkingParser`."""

    # The token that opens thinking, where the model does that itself and with a single one.
    opening: int | None
    # What is written to end it.
    closing: tuple[int, ...]
    # Tokens after which it is ended; None is never.
    budget: int | None


@dataclass(frozen=True, slots=True)
class Job:
    """What to generate, and how."""

    request: int
    # What logs know it by.
    name: str
    # A position each; those of `spans` are negative.
    prompt: Sequence[int]
    sampling: Resolved
    # At least 1, and never past the end of the context window.
    max_tokens: int
    stop: tuple[str, ...]
    # Deltas it may send before it needs credit.
    window: int
    # Monotonic seconds.
    submitted: float
    # Answers to this one prompt.
    choices: int = 1
    # Makes each choice's parser; None where all text is content.
    parser: Callable[[], Parser] | None = None
    # Control tokens whose text the parser must see; others stand for no text.
    shown: Mapping[int, bytes] = field(default_factory=dict)
    # Alternatives to report with each token; None is no log-probabilities.
    logprobs: int | None = None
    # The prompt's text where its answer begins with it.
    echo: str = ""
    grammar: Grammar | None = None
    thinking: Thinking | None = None
    # Prompt lengths, ascending, at which to keep the sequence's state, and the name to pin it by.
    marks: Mapping[int, str | None] = field(default_factory=dict)
    # Where images and recordings stand in the prompt, in order.
    spans: tuple[Span, ...] = ()
    # By choice, what another process has generated of it.
    resumed: Mapping[int, Resumed] = field(default_factory=dict)
    # Tokens of thinking in the choices that are finished.
    thought: int = 0
    # Who takes turns with others.
    subject: str = ""
    # Seconds of the Unix epoch when it came; and what it took to be rendered and tokenised.
    began: float = 0.0
    render: float = 0.0
    tokenise: float = 0.0
    # The trace it belongs to, for logs.
    trace: str = ""

    @property
    def open_choices(self) -> list[int]:
        """Those that are not finished."""
        known = self.resumed
        return [n for n in range(self.choices) if n not in known or not known[n].finished]

    def said(self, choice: int) -> tuple[int, ...]:
        """The first tokens of a choice, where another process has begun it."""
        resumed = self.resumed.get(choice)
        return () if resumed is None else resumed.tokens

    @property
    def words(self) -> Sequence[int]:
        """The prompt's tokens of text."""
        return [token for token in self.prompt if token >= 0] if self.spans else self.prompt

    @property
    def prompt_rows(self) -> int:
        """Cells that the prompt takes: what a client knows as its tokens."""
        return self.rows(len(self.prompt))

    def rows(self, length: int) -> int:
        """Cells that the first `length` positions take."""
        more = [span.clip.rows - len(span.clip.ids) for span in self.spans if span.end <= length]
        return length + sum(more)
