"""One choice's tokens to the deltas its client gets.

Bytes become characters, a parser tells thinking and tool calls from content, stop strings end the
content. Each step may hold text back; a ledger of the tokens and where their text ends says which
tokens a delta completes, so that log-probabilities stand beside the text they belong to.

Invariant: the tokens of all that was returned, in order, are the first that were fed, without a
gap; after `finish` they are all of them. So content that is held back goes out before a call or
thinking does, and a stop string does not reach across those.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from kronk.shared.wire.to_gateway import (
    Delta,
    GenerationDelta,
    ReasoningDelta,
    ScoredDelta,
    Silent,
    ToolCallDelta,
    ToolCallRetracted,
)
from kronk.shared.wire.values import TokenLogprob
from kronk.worker.parsers.base import (
    Arguments,
    CallBegin,
    CallEnd,
    Parser,
    Reasoning,
    Retracted,
    Segment,
    Text,
)

from .text import Characters, StopFilter

# `Silent` tokens are those that come before the next delta's, or before the end.
Sent = GenerationDelta | Silent


@dataclass(slots=True)
class _Token:
    """A token whose text was not sent yet."""

    token: int
    score: TokenLogprob | None
    # Characters of the stream up to the end of its text.
    end: int


class Output:
    """Feed it each token with its bytes; it returns what may be sent because of it.

    `parser` is None where everything a model writes is content.
    """

    def __init__(
        self,
        request: int,
        choice: int,
        stops: Sequence[str],
        parser: Parser | None = None,
        *,
        scored: bool = False,
    ) -> None:
        self.calls = 0
        self.reasoning_tokens = 0
        self._request = request
        self._choice = choice
        self._parser = parser
        self._scored = scored
        # Nothing to tell apart, hold back or report: one token, one delta.
        self._plain = parser is None and not scored and not stops
        self._characters = Characters()
        self._stop = StopFilter(stops)
        # Tokens by the stream that the parser reads, and those of the content by the content.
        self._stream = _Ledger()
        self._content = _Ledger()
        # The beginning of a scored token's text, which goes out as one with its score.
        self._part = ""
        # Tokens that stand for no text, to go out with the next delta.
        self._silent: list[int] = []

    @property
    def stopped(self) -> str | None:
        """The stop string that ended the content."""
        return self._stop.stopped

    def feed(self, token: int, piece: bytes, score: TokenLogprob | None = None) -> Sequence[Sent]:
        """What may be sent now; often nothing."""
        if self._plain and piece and piece.isascii() and self._content.is_empty:
            return (Delta(self._request, self._choice, piece.decode("ascii"), (token,)),)
        text = self._characters.feed(piece)
        if self._parser is None:
            self._content.add(token, score, len(text), is_open=self._characters.is_open)
            return self._write(text)
        self._stream.add(token, score, len(text), is_open=self._characters.is_open)
        return self._read(self._parser.feed(text)) if text else ()

    def finish(self) -> Sequence[Sent]:
        """What was held back, when no more tokens come."""
        self._stream.close()
        self._content.close()
        sent: list[Sent] = []
        if self.stopped is None and self._parser is not None:
            sent += self._read(self._parser.finish())
        if self.stopped is None:
            sent += self._let_go()
        # What no text was sent of: a stop string, a character that is not complete.
        self._silent += [item.token for item in (*self._content.rest(), *self._stream.rest())]
        return [*sent, *self._said_silently()]

    def _read(self, segments: Sequence[Segment]) -> list[Sent]:
        sent: list[Sent] = []
        for segment in segments:
            if self.stopped is not None:
                break
            tokens = self._stream.take(segment.chars)
            if isinstance(segment, Text):
                self._content.append(tokens, len(segment.text))
                sent += self._write(segment.text)
                continue
            if self._holds_content:
                sent += self._let_go()
            sent += self._beside_content(segment, tuple([item.token for item in tokens]))
        return sent

    def _beside_content(self, segment: Segment, ids: tuple[int, ...]) -> Sequence[Sent]:
        """What is sent for a segment that is no content, with its tokens."""
        request, choice = self._request, self._choice
        delta: GenerationDelta
        match segment:
            case Reasoning(text):
                self.reasoning_tokens += len(ids)
                if not text:
                    self._silent += ids
                    return ()
                delta = ReasoningDelta(request, choice, text, ids)
            case CallBegin(index, name):
                name_of_call = f"call_{secrets.token_hex(12)}"
                delta = ToolCallDelta(request, choice, index, name_of_call, name, "", ids)
            case Arguments(index, text):
                delta = ToolCallDelta(request, choice, index, None, None, text, ids)
            case Retracted(index, text):
                delta = ToolCallRetracted(request, choice, index, text, ids)
            case _:
                self.calls += isinstance(segment, CallEnd)
                self._silent += ids
                return ()
        return (*self._said_silently(), delta) if self._silent else (delta,)

    def _said_silently(self) -> Sequence[Silent]:
        if not self._silent:
            return ()
        tokens, self._silent = tuple(self._silent), []
        return (Silent(self._request, self._choice, tokens),)

    @property
    def _holds_content(self) -> bool:
        return bool(self._part or self._stop.holds or not self._content.is_empty)

    def _let_go(self) -> Sequence[Sent]:
        """All of the content so far: no stop string can come of its end any more."""
        text, self._part = self._part + self._stop.finish(), ""
        return self._delta(text, self._content.rest())

    def _write(self, text: str) -> Sequence[Sent]:
        if not text:
            return ()
        text, self._part = self._part + self._stop.feed(text), ""
        if self._scored and self.stopped is None:
            whole = self._content.whole(len(text))
            text, self._part = text[:whole], text[whole:]
        tokens = self._content.take(len(text), inclusive=self.stopped is not None)
        if not text:
            # Tokens without text wait for the next that has some.
            self._content.put_back(tokens)
            return ()
        return self._delta(text, tokens)

    def _delta(self, text: str, tokens: list[_Token]) -> Sequence[Sent]:
        ids = tuple([item.token for item in tokens])
        if not text:
            self._silent += ids
            return ()
        delta: Delta | ScoredDelta
        if self._scored:
            scores = tuple([item.score for item in tokens if item.score is not None])
            delta = ScoredDelta(self._request, self._choice, text, ids, scores)
        else:
            delta = Delta(self._request, self._choice, text, ids)
        return (*self._said_silently(), delta) if self._silent else (delta,)


class _Ledger:
    """Tokens in order, each with where in a text its own text ends."""

    def __init__(self) -> None:
        # Characters that came in, and characters that were taken.
        self._written = 0
        self._taken = 0
        self._tokens: deque[_Token] = deque()
        # Tokens in the middle of a character: where they end is not known yet.
        self._open: list[_Token] = []

    @property
    def is_empty(self) -> bool:
        """Nothing is held back, not even part of a character."""
        return not self._tokens and not self._open

    def add(self, token: int, score: TokenLogprob | None, chars: int, *, is_open: bool) -> None:
        """The next token, which completes `chars` characters."""
        self._written += chars
        item = _Token(token, score, self._written)
        if is_open:
            self._open.append(item)
            return
        if self._open:
            self.close()
        self._tokens.append(item)

    def close(self) -> None:
        """No character is open any more."""
        for item in self._open:
            item.end = self._written
        self._tokens += self._open
        self._open.clear()

    def append(self, tokens: list[_Token], chars: int) -> None:
        """Tokens taken from another ledger, whose text of `chars` characters is written here.

        Their distances to the end of that text stay.
        """
        start = self._written
        self._written += chars
        last = tokens[-1].end if tokens else 0
        for item in tokens:
            item.end = max(start, self._written - (last - item.end))
        self._tokens += tokens

    def whole(self, chars: int) -> int:
        """How many of the next `chars` characters belong to tokens whose text ends among them; all
        do where no token is known for them."""
        if self.is_empty:
            return chars
        reached = 0
        for item in self._tokens:
            if item.end > self._taken + chars:
                break
            reached = item.end - self._taken
        return reached

    def take(self, chars: int, *, inclusive: bool = False) -> list[_Token]:
        """The tokens whose text ends within the next `chars` characters; `inclusive`ly also the
        one that only begins there."""
        self._taken += chars
        taken: list[_Token] = []
        tokens = self._tokens
        begin = self._taken - chars
        while tokens and (tokens[0].end <= self._taken or (inclusive and begin < self._taken)):
            item = tokens.popleft()
            begin = item.end
            taken.append(item)
        return taken

    def put_back(self, tokens: list[_Token]) -> None:
        """Undo the taking of tokens that have no text of their own."""
        self._tokens.extendleft(reversed(tokens))

    def rest(self) -> list[_Token]:
        """All that are left."""
        taken = list(self._tokens)
        self._tokens.clear()
        return taken
