"""A request in the pooled engine: its texts as tokens, and what became of those that are done."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kronk.shared.errors import Internal
from kronk.shared.wire.to_gateway import Done, Scores, Vectors
from kronk.shared.wire.values import Timings, Usage

from .context import Rows
from .plan import Waiting
from .score import Relevance

# Numbers in one message of vectors, about: the gateway turns them into JSON in a millisecond.
_MESSAGE = 16384


class Answer(abc.ABC):
    """Turns pooled rows, in the order of the texts, into messages."""

    def __init__(self, request: int) -> None:
        self._request = request

    @abc.abstractmethod
    def take(self, row: Rows) -> Any:
        """The next text's row; a message that became complete with it, or None."""

    @abc.abstractmethod
    def finish(self) -> Any:
        """The message with what no other had, or None."""


class Embeddings(Answer):
    """Vectors of length 1, cut to `dimensions` before."""

    def __init__(self, request: int, dimensions: int) -> None:
        super().__init__(request)
        self._dimensions = dimensions
        self._first = 0
        self._rows: list[Rows] = []

    def take(self, row: Rows) -> Vectors | None:
        self._rows.append(row[: self._dimensions])
        return self.finish() if len(self._rows) * self._dimensions >= _MESSAGE else None

    def finish(self) -> Vectors | None:
        if not self._rows:
            return None
        rows = normalized(np.stack(self._rows))
        first = self._first
        self._first += len(self._rows)
        self._rows = []
        return Vectors(self._request, first, self._dimensions, rows.astype("<f4").tobytes())


class Ranking(Answer):
    """One score for each text."""

    def __init__(self, request: int, relevance: Relevance) -> None:
        super().__init__(request)
        self._relevance = relevance
        self._scores: list[float] = []

    def take(self, row: Rows) -> None:
        self._scores.append(self._relevance(finite(row)))

    def finish(self) -> Scores:
        return Scores(self._request, tuple(self._scores))


def normalized(rows: Rows) -> Rows:
    """Each row at length 1; a row of zeros has no direction and stays."""
    lengths = np.linalg.norm(finite(rows).astype(np.float64), axis=1, keepdims=True)
    lengths[lengths == 0.0] = 1.0
    scaled: Rows = (rows / lengths).astype(np.float32)
    return scaled


def finite(rows: Rows) -> Rows:
    """Raises `Internal` for what JSON cannot say and nobody can use."""
    if not np.isfinite(rows).all():
        raise Internal("the model's output is not finite: its file may be damaged")
    return rows


@dataclass(frozen=True, slots=True)
class Job:
    """A request that is tokenised and known to fit."""

    request: int
    # Of each text, at least one and at most what the context takes.
    texts: Sequence[list[int]]
    answer: Answer
    # Monotonic seconds.
    submitted: float
    # Who takes turns with others.
    subject: str = ""
    # Seconds of the Unix epoch when it came; and what it took to be tokenised.
    began: float = 0.0
    tokenise: float = 0.0
    # What logs know it by, and the trace it belongs to.
    name: str = ""
    trace: str = ""

    @property
    def tokens(self) -> int:
        return sum(map(len, self.texts))


class Work:
    """A job in the engine.

    Invariant: texts before `first` are decoded, and of text `first` the tokens before `done`.
    """

    def __init__(self, job: Job) -> None:
        self.job = job
        self.first = 0
        self.done = 0
        self._lengths = [len(tokens) for tokens in job.texts]
        self._started: float | None = None

    @property
    def has_begun(self) -> bool:
        return self._started is not None

    @property
    def is_complete(self) -> bool:
        return self.first == len(self._lengths)

    def view(self) -> Waiting:
        return Waiting(self.job.request, self._lengths, self.first, self.done, self.job.subject)

    @property
    def tokens_done(self) -> int:
        """Tokens of its texts that are decoded."""
        return sum(self._lengths[: self.first]) + self.done

    def begin(self, now: float) -> None:
        """Some of it is in the decode that starts now."""
        if self._started is None:
            self._started = now

    def take(self, row: Rows, now: float) -> list[Any]:
        """Text `first` is decoded: what may be sent because of it, the end included.

        Raises `Internal` for a row that nobody can use.
        """
        self.first, self.done = self.first + 1, 0
        answer = self.job.answer
        messages = [answer.take(row)]
        if self.is_complete:
            messages += [answer.finish(), self._finished(now)]
        return [message for message in messages if message is not None]

    def _finished(self, now: float) -> Done:
        started = now if self._started is None else self._started
        return Done(
            self.job.request,
            Usage(prompt_tokens=sum(self._lengths), completion_tokens=0),
            Timings(
                queued=started - self.job.submitted,
                prefill=now - started,
                decode=0.0,
                began=self.job.began,
                tokenise=self.job.tokenise,
            ),
        )
