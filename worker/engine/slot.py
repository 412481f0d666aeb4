"""A request in the engine: first a job that waits, then a slot that runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kronk.shared.wire.to_gateway import Delta, Done
from kronk.shared.wire.values import Timings, Usage

from .plan import SlotView
from .sampler import Sampler
from .sampling import Resolved
from .text import TextFilter


@dataclass(frozen=True, slots=True)
class Job:
    """A request that is rendered, tokenised and known to fit."""

    request: int
    prompt: list[int]
    sampling: Resolved
    # At least 1, and never past the end of the context window.
    max_tokens: int
    stop: tuple[str, ...]
    # Deltas it may send before it needs credit.
    window: int
    # Monotonic seconds.
    submitted: float


class Slot:
    """One sequence of the context at work on one job.

    Invariant: positions 0 .. `position` of sequence `index` are in the KV cache, and nothing more.
    """

    def __init__(self, index: int, job: Job, sampler: Sampler, now: float) -> None:
        self.index = index
        self.job = job
        self.sampler = sampler
        self.position = 0
        self.credit = job.window
        self.generated = 0
        # The token sampled last, which the next decode takes; nothing before the first.
        self.pending = 0
        self._text = TextFilter(job.stop)
        # Tokens whose text is still held back.
        self._unsent: list[int] = []
        self._started = now
        self._first_token = now

    @property
    def prompt_left(self) -> int:
        return max(0, len(self.job.prompt) - self.position)

    def view(self) -> SlotView:
        return SlotView(self.index, self.prompt_left, self.credit > 0)

    def take(self, token: int, piece: bytes, now: float) -> Delta | None:
        """Append a generated token; what may be sent because of it."""
        if self.generated == 0:
            self._first_token = now
        self.generated += 1
        self.pending = token
        self._unsent.append(token)
        return self._delta(self._text.feed(piece))

    def verdict(self) -> Literal["stop", "length"] | None:
        """Why the answer is complete, or None when it goes on."""
        if self._text.stopped:
            return "stop"
        return "length" if self.generated >= self.job.max_tokens else None

    def flush(self) -> Delta | None:
        """Text that was held back for a stop string that did not come."""
        return self._delta("" if self._text.stopped else self._text.finish())

    def _delta(self, text: str) -> Delta | None:
        if not text:
            return None
        tokens, self._unsent = tuple(self._unsent), []
        self.credit -= 1
        return Delta(self.job.request, text, tokens)

    def done(self, reason: Literal["stop", "length"], now: float) -> Done:
        """The terminal event."""
        first = self._first_token if self.generated else now
        return Done(
            self.job.request,
            reason,
            Usage(len(self.job.prompt), self.generated),
            Timings(
                queued=self._started - self.job.submitted,
                prefill=first - self._started,
                decode=now - first,
            ),
        )
