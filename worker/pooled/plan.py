"""Which texts go into the next decode. Pure: lengths in, spans out.

Subjects take turns by how many tokens they have had, and the requests of each, text by text, so
that one of 2,000 texts leaves every decode room for one of a single text. A text that no longer
fits waits, and its request with it, for the next decode, in which another request is first; a first
text always fits. Texts are whole, as attention that sees both ways needs all of a text at once.
Where it only sees back, a text longer than a decode is cut: never more than one at a time is
unfinished, and while others wait it takes half of each decode.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Waiting:
    """What a request still wants decoded: its texts from number `first` on."""

    request: int
    # Tokens of all its texts.
    lengths: Sequence[int]
    first: int
    # Tokens of text `first` that are decoded already.
    done: int = 0
    # Who takes turns with others.
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Span:
    """Tokens `start` to `start + count` of a text."""

    request: int
    text: int
    start: int
    count: int
    # The text ends with them.
    last: bool


@dataclass(frozen=True, slots=True)
class Limits:
    """The room in one decode."""

    # Tokens to pack; a longer text is decoded alone, or cut where `cut` says so.
    tokens: int
    texts: int
    cut: bool


def make_plan(
    waiting: Sequence[Waiting], limits: Limits, used: Mapping[str, float] | None = None
) -> tuple[Span, ...]:
    """The spans of the next decode; empty when nothing waits.

    The first of `waiting` has the first turn of its subject, and the subject that has `used` the
    fewest tokens the first of all. Texts of a request go in their order.
    """
    packing = _Packing(limits, shared=len(waiting) > 1)
    turns: dict[str, deque[tuple[Waiting, int]]] = {}
    had = dict(used or {})
    for request in waiting:
        queue = turns.setdefault(request.subject, deque())
        had.setdefault(request.subject, 0.0)
        if not request.done:
            queue.append((request, request.first))
        elif packing.cut(request, request.first, request.done):
            queue.append((request, request.first + 1))
        # Else nothing of this request: what follows an unfinished text would overtake it.
    while turns and packing.has_room:
        subject = min(turns, key=had.__getitem__) if len(turns) > 1 else next(iter(turns))
        if not turns[subject]:
            del turns[subject]
            continue
        request, text = turns[subject].popleft()
        if text < len(request.lengths) and packing.add(request, text):
            turns[subject].append((request, text + 1))
            had[subject] += request.lengths[text]
    return packing.finish()


class _Packing:
    """A decode that is being filled. At most one of its spans is a part of a text."""

    def __init__(self, limits: Limits, *, shared: bool) -> None:
        self._limits = limits
        # Tokens a text that has to be cut may take before others had their turns.
        self._share = max(1, limits.tokens // 2) if shared else limits.tokens
        self._room = limits.tokens
        self._spans: list[Span] = []
        # Where in `_spans` the part is, and how many tokens of its text come after it.
        self._part: int | None = None
        self._rest = 0

    @property
    def has_room(self) -> bool:
        return self._room > 0 and len(self._spans) < self._limits.texts

    def add(self, request: Waiting, text: int) -> bool:
        """Take a text; whether the one after it may be taken too."""
        length = request.lengths[text]
        # Nothing else is in a decode with a text that is longer than decodes should be.
        if length <= self._room or not (self._limits.cut or self._spans):
            self._take(request, text, 0, length)
            return True
        if self._limits.cut and self._part is None:
            self.cut(request, text, 0)
        return False

    def cut(self, request: Waiting, text: int, start: int) -> bool:
        """Take a text from `start` on, as much as may be; whether that is all of it."""
        left = request.lengths[text] - start
        count = min(left, self._share, self._room)
        self._take(request, text, start, count)
        if start or count < left:
            self._part, self._rest = len(self._spans) - 1, left - count
        return count == left

    def _take(self, request: Waiting, text: int, start: int, count: int) -> None:
        last = start + count == request.lengths[text]
        self._spans.append(Span(request.request, text, start, count, last))
        self._room = max(0, self._room - count)

    def finish(self) -> tuple[Span, ...]:
        """The spans, after the part got the room that nobody wanted."""
        if self._part is not None:
            more = min(self._room, self._rest)
            span = self._spans[self._part]
            last = more == self._rest
            self._spans[self._part] = replace(span, count=span.count + more, last=last)
        return tuple(self._spans)
