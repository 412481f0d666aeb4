"""What the families' parsers are built from: sequential code that reads text coming in pieces.

A family's `read_call` is written as if the whole answer were there. Each primitive is a generator,
called with `yield from`; it suspends the parser where more text is needed, and raises `NoCall`
where the text is no call. Characters taken belong to the next segment that is emitted.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Sequence
from enum import Enum, auto
from typing import ClassVar, TypeVar

from .base import Arguments, CallBegin, CallEnd, Dropped, Retracted, Segment, Text, Tool
from .json_scan import JsonScanner, StringDecoder
from .marker import SPACE, Markers

T = TypeVar("T")
Reading = Generator[None, None, T]

# Longer than any name or header; text that goes on for longer without an end is no call.
MAX_NAME = 256

CUT_OFF = "the answer ends in the middle of it"


class NoCall(Exception):
    """Unwinds a call that turned out to be none. Never leaves the parser.

    `depth` brackets of the call are still open, and the text stands in a string if `in_string`: up
    to their end the text may still be an argument, so nothing in it is taken for a call.
    """

    def __init__(self, reason: str, depth: int = 0, in_string: bool = False) -> None:
        super().__init__(reason)
        self.depth = depth
        self.in_string = in_string


class _Stage(Enum):
    """How far the call that is being read has come."""

    UNNAMED = auto()
    BEGUN = auto()
    # Its name is not among the tools: it is read to its end, as text.
    REFUSED = auto()


class CallReader(ABC):
    """A parser (see `base.Parser`). A subclass says what opens a call, and reads it."""

    # What opens a call in the text.
    openers: ClassVar[tuple[str, ...]]
    # What else structures calls; text inside a malformed call ends at these and at the openers.
    closers: ClassVar[tuple[str, ...]] = ()

    def __init__(self, tools: Sequence[Tool]) -> None:
        self.problems: list[str] = []
        self.tools = {tool.name: tool for tool in tools}
        self._segments: list[Segment] = []
        # The text that has come, from somewhere before `_at`, where the next character is taken.
        self._text = ""
        self._at = 0
        self._ended = False
        # Characters taken that no segment accounts for yet.
        self._taken = 0
        # What the current call is made of, as far as it has not come out as text.
        self._raw: list[str] = []
        self._stage = _Stage.UNNAMED
        self._begun = 0
        # Arguments that came before the call's name.
        self._early: list[str] = []
        self._has_arguments = False
        # Whether nothing but white space came since a call ended: it is dropped.
        self._behind_call = False
        # Brackets that are open around the JSON value being read.
        self._around = 0
        self._openers = Markers(*self.openers)
        self._structure = Markers(*self.openers, *self.closers, *'"{}[]')
        self._reading = self.read()

    def feed(self, text: str) -> list[Segment]:
        """See `base.Parser`."""
        self._text = self._text[self._at :] + text
        self._at = 0
        next(self._reading, None)
        segments, self._segments = self._segments, []
        return segments

    def finish(self) -> list[Segment]:
        """See `base.Parser`."""
        self._ended = True
        return self.feed("")

    # What a family writes.

    def read(self) -> Reading[None]:
        """Reads the whole answer. A family overrides this where a call can begin without opener."""
        while (opener := (yield from self.content())) is not None:
            yield from self.attempt(self.read_call(opener))

    @abstractmethod
    def read_call(self, opener: str) -> Reading[None]:
        """Reads what follows `opener`, which is taken: `begin`, arguments, `end`, perhaps again."""

    # Text and whole calls.

    def content(self) -> Reading[str | None]:
        """Emits text up to the next opener, takes that and returns it; None when the text ends."""
        while True:
            found = self._openers.find(self._text, self._at, ended=self._ended)
            if self._behind_call:
                self._drop_space(found.at)
            # White space before a call goes with the call.
            solid = len(self._text[self._at : found.at].rstrip(SPACE))
            self._emit_text(self.take(solid))
            if found.marker is not None:
                self._open_call(found.at + len(found.marker))
                return found.marker
            if self._ended:
                self._emit_text(self.take(len(self._text) - self._at))
                return None
            yield

    def attempt(self, call: Reading[None]) -> Reading[bool]:
        """Reads a call; what turns out to be none is given back as text. Whether it was one."""
        try:
            yield from call
        except NoCall as none:
            self._give_back(str(none))
            if none.depth or none.in_string:
                yield from self._skip(none.depth, none.in_string)
            return False
        self.drop()
        return True

    def begin(self, name: str) -> None:
        """The call's name is known."""
        if name not in self.tools:
            self.problems.append(f"a call to {name[:MAX_NAME]!r}, which is none of the tools")
            self._stage = _Stage.REFUSED
            self._let_through()
            return
        self._stage = _Stage.BEGUN
        self._segments.append(CallBegin(self._begun, name, self._account()))
        self._begun += 1
        self.arguments("".join(self._early))

    def arguments(self, text: str) -> None:
        """The next piece of the call's arguments, as JSON."""
        if not text:
            return
        self._has_arguments = True
        if self._stage is _Stage.UNNAMED:
            self._early.append(text)
        elif self._stage is _Stage.BEGUN:
            self._segments.append(Arguments(self._begun - 1, text, self._account()))

    def end(self) -> None:
        """The call is complete. Another may follow at once."""
        if self._stage is _Stage.UNNAMED:
            raise self.no_call("it has no name")
        if self._stage is _Stage.BEGUN:
            if not self._has_arguments:
                self.arguments("{}")
            self._segments.append(CallEnd(self._begun - 1, self._account()))
            self._behind_call = True
        self._let_through()
        self._clear()

    def drop(self) -> None:
        """What was taken since the last call's end belongs to no call and is no text."""
        if self._behind_call:
            if self._taken:
                self._segments.append(Dropped(self._account()))
        else:
            # Around a call that was refused.
            self._emit_text("".join(self._raw))
        self._clear()

    def no_call(self, reason: str, depth: int = 0, in_string: bool = False) -> NoCall:
        """To be raised where the text turns out to be no call; `depth` counts the brackets that are
        open inside the JSON value being read."""
        return NoCall(reason, self._around + depth, in_string)

    # Primitives.

    def take(self, count: int) -> str:
        """Takes characters that are there."""
        piece = self._text[self._at : self._at + count]
        self._at += len(piece)
        self._taken += len(piece)
        return piece

    def wait(self) -> Reading[None]:
        """Suspends until more text comes; at the end of the text the call is none."""
        if self._ended:
            raise self.no_call(CUT_OFF)
        self._let_through()
        yield

    def optional(self, *literals: str) -> Reading[str | None]:
        """Takes white space and the literal that comes next and returns the literal; takes nothing
        when none of them comes, or the text ends."""
        while True:
            rest = self._text[self._at :].lstrip(SPACE)
            space = len(self._text) - self._at - len(rest)
            for literal in sorted(literals, key=len, reverse=True):
                if rest.startswith(literal):
                    self._keep(space + len(literal))
                    return literal
                if not self._ended and literal.startswith(rest):
                    break
            else:
                return None
            self._let_through()
            yield

    def expect(self, *literals: str) -> Reading[str]:
        """Takes white space and one of the literals, which must come next."""
        literal = yield from self.optional(*literals)
        if literal is None:
            reason = f"no {literals[0]!r} where one must be"
            raise self.no_call(CUT_OFF if self._nothing_left() else reason)
        return literal

    def until(self, *ends: str) -> Reading[tuple[str, str]]:
        """Takes a short text up to one of `ends`, and that too; returns both."""
        markers = Markers(*ends)
        while True:
            found = markers.find(self._text, self._at, ended=self._ended)
            text = self._text[self._at : found.at]
            if len(text) > MAX_NAME:
                raise self.no_call(f"no {ends[0]!r} where one must be")
            if found.marker is not None:
                self._keep(len(text) + len(found.marker))
                return text, found.marker
            yield from self.wait()

    def pass_until(self, *ends: str, to: Callable[[str], None]) -> Reading[str]:
        """Passes text on to `to` as it becomes certain, up to one of `ends`, which it takes and
        returns."""
        markers = Markers(*ends)
        while True:
            found = markers.find(self._text, self._at, ended=self._ended)
            if found.at > self._at:
                to(self._keep(found.at - self._at))
            if found.marker is not None:
                self._keep(len(found.marker))
                return found.marker
            yield from self.wait()

    def value(self, to: Callable[[str], None]) -> Reading[None]:
        """Passes the raw text of one JSON value on to `to`, piece by piece."""
        yield from self.skip_space()
        scanner = JsonScanner()
        while True:
            end = scanner.scan(self._text, self._at)
            if end > self._at:
                to(self._keep(end - self._at))
            if scanner.done:
                return
            if scanner.failure is not None:
                raise self.no_call(scanner.failure, scanner.depth, scanner.in_string)
            yield from self.wait()

    def string(self) -> Reading[str]:
        """Takes a JSON string and returns what it says."""
        if (yield from self.peek()) != '"':
            raise self.no_call("no string where one must be")
        parts: list[str] = []
        yield from self.value(parts.append)
        text: str = json.loads("".join(parts))
        return text

    def peek(self) -> Reading[str]:
        """Takes white space and returns the character behind it, which stays."""
        yield from self.skip_space()
        return self._text[self._at]

    def skip_space(self) -> Reading[None]:
        """Takes white space, up to another character."""
        while True:
            rest = self._text[self._at :].lstrip(SPACE)
            self._keep(len(self._text) - self._at - len(rest))
            if rest:
                return
            yield from self.wait()

    def json_arguments(self) -> Reading[None]:
        """Takes a JSON value as the call's arguments: an object, a string that holds one, null."""
        first = yield from self.peek()
        if first == "{":
            yield from self.value(self.arguments)
        elif first == '"':
            yield from self._encoded_arguments()
        elif first == "n":
            yield from self.value(lambda _: None)
        else:
            raise self.no_call("its arguments are no object")

    def envelope(self, around: int = 0, only: Sequence[str] | None = None) -> Reading[None]:
        """Reads a whole call `{"name": ..., "arguments": {...}}`; `parameters` means the same.

        Other keys are passed over, or, where `only` lists the keys that can be, make it no call.
        `around` counts the brackets that are open outside.
        """
        yield from self.expect("{")
        self._around = around + 1
        seen: set[str] = set()
        first = yield from self.optional("}")
        while first is None:
            key = yield from self.string()
            yield from self.expect(":")
            key = "arguments" if key == "parameters" else key
            # Twice the same leaves in doubt which one is meant.
            if key in seen or (only is not None and key not in only):
                raise self.no_call(f"the key {key[:MAX_NAME]!r} cannot be here")
            seen.add(key)
            yield from self._field(key)
            if (yield from self.expect(",", "}")) == "}":
                break
        self._around = around

    def _field(self, key: str) -> Reading[None]:
        if key == "name":
            self.begin((yield from self.string()))
        elif key == "arguments":
            yield from self.json_arguments()
        else:
            yield from self.value(lambda _: None)

    def _encoded_arguments(self) -> Reading[None]:
        decoder, scanner = StringDecoder(), JsonScanner()
        wrong: list[str] = []

        def decode(raw: str | None) -> None:
            text = decoder.finish() if raw is None else decoder.feed(raw)
            if not wrong:
                self._encoded_piece(scanner, text, wrong)
            if decoder.failed:
                wrong.append("its arguments are no Unicode text")

        yield from self._string_inside(decode)
        decode(None)
        if not wrong and not scanner.done and self._has_arguments:
            wrong.append("its arguments are an unfinished object")
        # Only here, so that it does not matter how the text was cut.
        if wrong:
            raise self.no_call(wrong[0])

    def _encoded_piece(self, scanner: JsonScanner, text: str, wrong: list[str]) -> None:
        if scanner.depth == 0 and not scanner.done:
            text = text.lstrip(SPACE)
            if text and text[0] != "{":
                wrong.append("its arguments are a string that holds no object")
                return
        end = scanner.scan(text)
        self.arguments(text[:end])
        if scanner.failure is not None or text[end:].strip(SPACE):
            wrong.append(scanner.failure or "text follows its arguments")

    def _string_inside(self, to: Callable[[str], None]) -> Reading[None]:
        """Passes on what stands between a string's quotes."""
        self._keep(1)
        scanner = JsonScanner()
        scanner.scan('"')
        while True:
            end = scanner.scan(self._text, self._at)
            piece = self._keep(end - self._at)
            to(piece[:-1] if scanner.done else piece)
            if scanner.done:
                return
            if scanner.failure is not None:
                raise self.no_call(scanner.failure, in_string=True)
            yield from self.wait()

    # Accounts.

    def _keep(self, count: int) -> str:
        piece = self.take(count)
        if piece:
            self._raw.append(piece)
        return piece

    def _account(self) -> int:
        taken, self._taken = self._taken, 0
        return taken

    def _emit_text(self, text: str) -> None:
        assert len(text) == self._taken
        if text:
            self._segments.append(Text(text, self._account()))
            self._behind_call = False

    def _open_call(self, end: int) -> None:
        self._clear()
        self._keep(end - self._at)

    def _clear(self) -> None:
        self._stage = _Stage.UNNAMED
        self._raw = []
        self._early = []
        self._has_arguments = False

    def _let_through(self) -> None:
        """What a refused call is made of comes out at once."""
        if self._stage is _Stage.REFUSED:
            self._emit_text("".join(self._raw))
            self._raw = []

    def _give_back(self, reason: str) -> None:
        raw = "".join(self._raw)
        if self._stage is _Stage.BEGUN:
            self._segments.append(Retracted(self._begun - 1, raw, reason, self._account()))
            self._behind_call = False
        else:
            if self._stage is _Stage.UNNAMED:
                self.problems.append(f"no call: {reason}")
            self._emit_text(raw)
        self._around = 0
        self._clear()

    def _drop_space(self, end: int) -> None:
        space = self._text[self._at : end]
        solid = space.lstrip(SPACE)
        if self.take(len(space) - len(solid)):
            self._segments.append(Dropped(self._account()))
        if solid:
            self._behind_call = False

    def _nothing_left(self) -> bool:
        return self._ended and not self._text[self._at :].strip(SPACE)

    def _skip(self, depth: int, in_string: bool) -> Reading[None]:
        """Passes the rest of a malformed call through as text: to the end of its brackets, or to a
        marker outside a string."""
        in_string_marks = Markers('"', "\\")
        while depth or in_string:
            marks = in_string_marks if in_string else self._structure
            found = marks.find(self._text, self._at, ended=self._ended)
            self._emit_text(self.take(found.at - self._at))
            mark = found.marker
            if mark is None or (mark == "\\" and found.at + 1 == len(self._text)):
                if self._ended:
                    return
                yield
                continue
            if mark in self.openers or mark in self.closers:
                return
            depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(mark, 0)
            in_string = in_string != (mark == '"')
            self._emit_text(self.take(2 if mark == "\\" else 1))
