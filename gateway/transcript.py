"""What of an answer has come so far, and how it is recognised when it is told again.

A worker that goes on with an answer tells all of it again, from the first token on. What the client
has already is left out by its amount, stream by stream, and is compared on the way: what the client
gets is one answer, or an error. The pieces may be cut differently the second time.
"""

from __future__ import annotations

from array import array
from dataclasses import replace
from io import StringIO
from typing import Any

from kronk.shared.wire.to_gateway import (
    Delta,
    Finished,
    GenerationDelta,
    Inspected,
    ReasoningDelta,
    ScoredDelta,
    Scores,
    Silent,
    Started,
    ToolCallDelta,
    ToolCallRetracted,
    Vectors,
)
from kronk.shared.wire.to_worker import Resumed

# A kind of text, and which of its kind it is: a tool call's index.
Stream = tuple[str, int]
Token = GenerationDelta | Silent
Part = Vectors | Scores | Inspected

_CONTENT: Stream = ("content", 0)
_REASONING: Stream = ("reasoning", 0)
_FLOAT_BYTES = 4


class Differs(Exception):
    """What is told again is not what was told before."""


class Transcript:
    """Of generated choices. What comes is put into `recent`, which costs nothing; `fold` makes it
    small, and is called now and then."""

    def __init__(self) -> None:
        self.recent: list[Any] = []
        self._started = False
        self._choices: dict[int, _Choice] = {}

    def fold(self) -> None:
        """Keep what matters of `recent`: four bytes for a token, and the text."""
        choice, number = None, None
        for event in self.recent:
            if type(event) is Started:
                self._started = True
                continue
            if event.choice != number:
                number = event.choice
                choice = self._choice(number)
            assert choice is not None
            # Nearly all are of this kind.
            if type(event) is Delta:
                choice.unfolded_tokens += event.tokens
                choice.unfolded_text.append(event.text)
            else:
                choice.add(event)
        self.recent.clear()
        for choice in self._choices.values():
            choice.fold()

    def _choice(self, number: int) -> _Choice:
        choice = self._choices.get(number)
        if choice is None:
            choice = self._choices[number] = _Choice()
        return choice

    def resumed(self) -> tuple[Resumed, ...]:
        """What a worker has to know to go on."""
        self.fold()
        return tuple(
            Resumed(number, tuple(choice.tokens), choice.finished is not None)
            for number, choice in sorted(self._choices.items())
        )

    def again(self) -> Replay:
        """For all of it to be told again."""
        self.fold()
        return Replay(self._started, self._choices)


class _Choice:
    """What came of one choice."""

    def __init__(self) -> None:
        self.tokens = array("i")
        self.unfolded_tokens: list[int] = []
        # Of the content.
        self.unfolded_text: list[str] = []
        self.texts: dict[Stream, StringIO] = {}
        # Names of the tool calls that were begun, by index.
        self.calls: dict[int, str] = {}
        # What was said of those that were none.
        self.retracted: dict[int, str] = {}
        # Tokens whose log-probabilities came.
        self.scored = 0
        self.finished: Finished | None = None

    def fold(self) -> None:
        if self.unfolded_tokens:
            self.tokens.fromlist(self.unfolded_tokens)
            self.unfolded_tokens.clear()
        if self.unfolded_text:
            self._write(_CONTENT, "".join(self.unfolded_text))
            self.unfolded_text.clear()

    def add(self, event: Token | Finished) -> None:
        if isinstance(event, Finished):
            self.finished = event
            return
        self.unfolded_tokens += event.tokens
        match event:
            case Delta(text=text):
                self.unfolded_text.append(text)
            case ScoredDelta(text=text, logprobs=logprobs):
                self.unfolded_text.append(text)
                self.scored += len(logprobs)
            case ReasoningDelta(text=text):
                self._write(_REASONING, text)
            case ToolCallDelta(index=index, name=name, arguments=arguments):
                if name is not None:
                    self.calls[index] = name
                self._write(("arguments", index), arguments)
            case ToolCallRetracted(index=index, text=text):
                self.retracted[index] = text

    def _write(self, stream: Stream, text: str) -> None:
        if text:
            written = self.texts.get(stream)
            if written is None:
                written = self.texts[stream] = StringIO()
            written.write(text)


class Replay:
    """One telling again; `rest` is given all that comes and returns what is new."""

    def __init__(self, started: bool, choices: dict[int, _Choice]) -> None:
        self._awaits_start = started
        self._places = {number: _Place(choice) for number, choice in choices.items()}

    def rest(self, event: Any) -> Any:
        """What of it the client does not have; None where that is nothing. Raises `Differs`."""
        if isinstance(event, Started):
            known, self._awaits_start = self._awaits_start, False
            return None if known else event
        place = self._places.get(event.choice)
        return event if place is None else place.rest(event)

    @property
    def is_level(self) -> bool:
        """What comes next is new, but for choices that had finished, which may come or not."""
        return not self._awaits_start and all(place.is_level for place in self._places.values())

    @property
    def is_over(self) -> bool:
        """All that comes from now on is new."""
        return self.is_level and not any(place.had_finished for place in self._places.values())

    def end(self) -> None:
        """Nothing more is told; raises `Differs` where something is missing."""
        for place in self._places.values():
            if not place.had_finished:
                place.require_all()


class _Place:
    """How far the telling of one choice is."""

    def __init__(self, choice: _Choice) -> None:
        self._tokens = choice.tokens[:]
        self._token = 0
        # Of each stream that is not told to its end yet.
        self._texts = {stream: written.getvalue() for stream, written in choice.texts.items()}
        self._at: dict[Stream, int] = {}
        self._calls = dict(choice.calls)
        self._retracted = dict(choice.retracted)
        self._scored = choice.scored
        self._finished = choice.finished
        self._has_ended = False

    @property
    def had_finished(self) -> bool:
        return self._finished is not None

    @property
    def is_level(self) -> bool:
        if self.had_finished or self._has_ended:
            return True
        return self._has_all and self._token == len(self._tokens)

    @property
    def _has_all(self) -> bool:
        return not (self._texts or self._calls or self._retracted or self._scored)

    def require_all(self) -> None:
        if not self._has_all:
            raise Differs("it ended earlier")

    def rest(self, event: Token | Finished) -> Token | Finished | None:
        if isinstance(event, Finished):
            return self._end(event)
        new = self._new_of(event)
        if new is None or self._finished is None:
            return new
        if isinstance(new, Silent):
            return None
        raise Differs("it went on behind its end")

    def _end(self, event: Finished) -> Finished | None:
        self._has_ended = True
        if self._finished is None:
            self.require_all()
            return event
        if (event.reason, event.stop) != (self._finished.reason, self._finished.stop):
            raise Differs("it ended for another reason")
        return None

    def _new_of(self, event: Token) -> Token | None:
        tokens = self._new_tokens(event.tokens)
        match event:
            case Silent():
                return replace(event, tokens=tokens) if tokens else None
            case ToolCallRetracted(index=index, text=text):
                return self._new_retraction(event, index, text, tokens)
            case ToolCallDelta():
                return self._new_call(event, tokens)
            case ScoredDelta():
                return self._new_scored(event, tokens)
            case Delta() | ReasoningDelta():
                stream = _CONTENT if isinstance(event, Delta) else _REASONING
                text = self._new_text(stream, event.text)
                return replace(event, text=text, tokens=tokens) if text or tokens else None

    def _new_tokens(self, tokens: tuple[int, ...]) -> tuple[int, ...]:
        start, known = self._token, len(self._tokens)
        if start == known:
            return tokens
        end = min(start + len(tokens), known)
        if tuple(self._tokens[start:end]) != tokens[: end - start]:
            raise Differs("its tokens are others")
        self._token = end
        return tokens[end - start :]

    def _new_text(self, stream: Stream, text: str) -> str:
        known = self._texts.get(stream)
        if known is None:
            return text
        start = self._at.get(stream, 0)
        end = start + len(text)
        if not known.startswith(text[: len(known) - start], start):
            raise Differs(f"its {stream[0]} is another")
        if end < len(known):
            self._at[stream] = end
            return ""
        del self._texts[stream]
        return text[len(known) - start :]

    def _new_scored(self, event: ScoredDelta, tokens: tuple[int, ...]) -> ScoredDelta | None:
        skipped = min(self._scored, len(event.logprobs))
        self._scored -= skipped
        logprobs = event.logprobs[skipped:]
        text = self._new_text(_CONTENT, event.text)
        if not (text or tokens or logprobs):
            return None
        return replace(event, text=text, tokens=tokens, logprobs=logprobs)

    def _new_call(self, event: ToolCallDelta, tokens: tuple[int, ...]) -> ToolCallDelta | None:
        known = None if event.name is None else self._calls.pop(event.index, None)
        if known is not None:
            # Its id is another, and the client has the first.
            if known != event.name:
                raise Differs("it calls another tool")
            event = replace(event, id=None, name=None)
        arguments = self._new_text(("arguments", event.index), event.arguments)
        if not (arguments or tokens or event.name is not None):
            return None
        return replace(event, arguments=arguments, tokens=tokens)

    def _new_retraction(
        self, event: ToolCallRetracted, index: int, text: str, tokens: tuple[int, ...]
    ) -> Token | None:
        known = self._retracted.pop(index, None)
        if known is None:
            return replace(event, tokens=tokens)
        if known != text:
            raise Differs("it retracts another call")
        return Silent(event.request, event.choice, tokens) if tokens else None


class Parts:
    """Of an answer that comes in parts which follow one another, and is made from the start."""

    def __init__(self) -> None:
        self.recent: list[Any] = []
        self._count = 0

    def fold(self) -> None:
        """Count what came."""
        self._count += sum(map(_size, self.recent))
        self.recent.clear()

    def resumed(self) -> tuple[Resumed, ...]:
        """Nothing: no worker can go on with it."""
        return ()

    def again(self) -> PartsReplay:
        """For all of it to be made again."""
        self.fold()
        return PartsReplay(self._count)


class PartsReplay:
    """As `Replay`. What comes again is not compared: numbers differ within rounding."""

    def __init__(self, known: int) -> None:
        self._left = known

    def rest(self, event: Any) -> Any:
        """What of it the client does not have; None where that is nothing."""
        size = _size(event)
        skipped = min(self._left, size)
        self._left -= skipped
        if skipped == size:
            return None
        return event if skipped == 0 else _without(event, skipped)

    @property
    def is_level(self) -> bool:
        """What comes next is new."""
        return self._left == 0

    is_over = is_level

    def end(self) -> None:
        """Nothing more comes; raises `Differs` where something is missing."""
        if self._left:
            raise Differs("it ended earlier")


def _size(part: Part) -> int:
    if isinstance(part, Vectors):
        return len(part.values) // (_FLOAT_BYTES * part.dimensions)
    return 1


def _without(part: Part, skipped: int) -> Part:
    assert isinstance(part, Vectors), "others come whole"
    values = part.values[skipped * part.dimensions * _FLOAT_BYTES :]
    return replace(part, first=part.first + skipped, values=values)
