"""A sequence of the context: what is in it, and who is using it."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt

from kronk.worker.media.clip import Span

from .choice import Choice
from .plan import SlotView

Tokens = npt.NDArray[np.int32]


class Slot:
    """Sequence `index` of the context.

    Invariant between decodes: the KV cache holds exactly `history` for the sequence, at positions
    0 .. len(history) - 1; and where it is in the middle of an image, `read` rows of that. A free
    slot keeps what its last choice left, for the next to build on.
    """

    def __init__(self, index: int) -> None:
        self.index = index
        self.choice: Choice | None = None
        # Monotonic seconds at which it was last left.
        self.left = 0.0
        # Monotonic seconds from which on its choice could have had it, for it had come and the slot
        # was free; slots are given only between decodes. From its first token on, when that was.
        self.since = 0.0
        # Tokens proposed for the next decode, after the pending one.
        self.draft: Sequence[int] = ()
        # Rows of the span that comes next which are decoded already.
        self.read = 0
        # Whose is what it holds; "" is everybody's.
        self.owner = ""
        self._history = array("i")
        self._prompt: Sequence[int] = ()
        self._marks: Collection[int] = ()
        self._spans: dict[int, Span] = {}

    # What is in it.

    @property
    def position(self) -> int:
        """The position that the next token gets."""
        return len(self._history)

    @property
    def history(self) -> Tokens:
        """The tokens in the KV cache. A copy: the slot's own grows while it runs."""
        return np.array(self._history, np.int32)

    def keep(self, tokens: Sequence[int] | Tokens, owner: str) -> None:
        """The KV cache now holds exactly these, and what will follow them is the owner's, too."""
        self._history = array("i", tokens)
        self.owner = owner

    def cut(self, length: int) -> None:
        """The KV cache now holds only the first `length`."""
        del self._history[length:]

    def grow(self, token: int) -> None:
        """The last decode has put the token behind the others."""
        self._history.append(token)

    def extend(self, tokens: Sequence[int]) -> None:
        """The last decode has put these behind the others."""
        self._history.extend(tokens)

    @property
    def prompt_length(self) -> int:
        """Positions of the prompt at work, with what it is resumed with; 0 of a free slot."""
        return len(self._prompt)

    # Who is using it.

    def begin(self, choice: Choice) -> None:
        """From now on it works for that choice."""
        self.choice = choice
        self.since = max(choice.request.job.submitted, self.left)
        self._prompt = choice.rows
        self._marks = choice.request.job.marks
        self._spans = {span.start: span for span in choice.request.job.spans}

    def leave(self, now: float) -> None:
        """Free again."""
        self.choice = None
        self.left = now
        self.draft = ()
        self.read = 0
        self._prompt = ()
        self._marks = ()
        self._spans = {}

    @property
    def running(self) -> Choice:
        """The choice of a busy slot."""
        assert self.choice is not None
        return self.choice

    @property
    def prompt_left(self) -> int:
        """Tokens of the prompt, and of what it is resumed with, that are not in the KV cache; 0
        once it generates."""
        return max(0, len(self._prompt) - len(self._history))

    def is_generating(self) -> bool:
        """Its prompt is decoded, and its client keeps up."""
        return not self.prompt_left and self.running.request.may_generate

    def next_prompt(self, count: int) -> Sequence[int]:
        """The next prompt tokens to decode."""
        at = len(self._history)
        return self._prompt[at : at + count]

    @property
    def span(self) -> Span | None:
        """The image or recording that comes next; None where it is a token."""
        return self._spans.get(len(self._history))

    @property
    def has_spans(self) -> bool:
        """Its prompt has images or recordings."""
        return bool(self._spans)

    def is_at_mark(self) -> bool:
        """The state as it is now was asked to be kept."""
        return len(self._history) in self._marks

    def view(self) -> SlotView:
        """For planning."""
        at = len(self._history)
        left = max(0, len(self._prompt) - at)
        stops = (*self._marks, *self._spans)
        mark = min([m - at for m in stops if at < m < at + left], default=left)
        mark = 0 if at in self._spans else mark
        may_generate = self.running.request.may_generate
        return SlotView(self.index, left, mark, may_generate, 1 + len(self.draft), self.since)
