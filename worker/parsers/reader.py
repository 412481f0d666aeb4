"""What the families' parsers are built from: sequential code that reads text coming in pieces.

A family's `read_call` is written as if the whole answer were there. Each primitive is a generator,
called with `yield from`; it suspends the parser where more text is needed, and raises `NoCall`
where the text is no call. Characters taken belong to the next segment that is emitted.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Sequence
from typing import ClassVar, TypeVar

from .base import Segment, Tool
from .book import MAX_NAME, Book
from .json_scan import JsonScanner, StringDecoder
from .marker import SPACE, Markers

T = TypeVar("T")
Reading = Generator[None, None, T]


class NoCall(Exception):
    """Unwinds a call that turned out to be none. Never leaves the parser.

    `depth` brackets of the call are still open, and the text stands in a string if `in_string`: up
    to their end the text may still be an argument, so nothing in it is taken for a call.
    """

    def __init__(self, reason: str, depth: int = 0, in_string: bool = False) -> None:
        super().__init__(reason)
        self.depth = depth
        self.in_string = in_string


class CutOff(NoCall):
    """The answer ended before the call did."""

    def __init__(self) -> None:
        super().__init__("the answer ends in the middle of it")


class CallReader(Book, ABC):
    """A parser (see `base.Parser`). A subclass says what opens a call, and reads it."""

    # What opens a call in the text.
    openers: ClassVar[tuple[str, ...]]
    # What else structures calls; text inside a malformed call ends at these and at the openers.
    closers: ClassVar[tuple[str, ...]] = ()

    def __init__(self, tools: Sequence[Tool]) -> None:
        super().__init__(tools)
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
            if not self._nothing_left():
                yield from self.skip_rest(none.depth, none.in_string)
            return False
        else:
            self.drop()
            return True
        finally:
            self._around = 0
            self._is_marked = False

    def no_call(self, reason: str, depth: int = 0, in_string: bool = False) -> NoCall:
        """To be raised where the text turns out to be no call; `depth` counts the brackets that are
        open inside the JSON value being read."""
        return NoCall(reason, self._around + depth, in_string)

    # Primitives.

    def wait(self) -> Reading[None]:
        """Suspends until more text comes; at the end of the text the call is none."""
        if self._ended:
            raise CutOff
        self._let_through()
        yield

    def ahead(self, *literals: str) -> Reading[str | None]:
        """Which of the literals comes next, white space before it or not; None when none does, or
        the text ends. Nothing is taken."""
        while True:
            rest = self._text[self._at :].lstrip(SPACE)
            for literal in sorted(literals, key=len, reverse=True):
                if rest.startswith(literal):
                    return literal
                if not self._ended and literal.startswith(rest):
                    break
            else:
                return None
            self._let_through()
            yield

    def optional(self, *literals: str) -> Reading[str | None]:
        """Takes what `ahead` finds, with the white space before it."""
        literal = yield from self.ahead(*literals)
        if literal is not None:
            rest = self._text[self._at :].lstrip(SPACE)
            self._keep(len(self._text) - self._at - len(rest) + len(literal))
        return literal

    def expect(self, *literals: str) -> Reading[str]:
        """Takes white space and one of the literals, which must come next."""
        literal = yield from self.optional(*literals)
        if literal is None:
            if self._nothing_left():
                raise CutOff
            raise self.no_call(f"no {literals[0]!r} where one must be")
        return literal

    def until_before(self, *ends: str) -> Reading[str]:
        """Takes a short text up to one of `ends`, which stays; returns the text. An opener is not
        in it: there, another call begins."""
        markers = Markers(*ends, *self.openers)
        while True:
            found = markers.find(self._text, self._at, ended=self._ended)
            is_end = found.marker is None or found.marker in ends
            if not is_end or found.at - self._at > MAX_NAME:
                raise self.no_call(f"no {ends[0]!r} where one must be")
            if found.marker is not None:
                return self._keep(found.at - self._at)
            yield from self.wait()

    def until(self, *ends: str) -> Reading[tuple[str, str]]:
        """Takes a short text up to one of `ends`, and that too; returns both."""
        text = yield from self.until_before(*ends)
        return text, (yield from self.expect(*ends))

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

    def array(self, around: int = 0, only: Sequence[str] | None = None) -> Reading[None]:
        """Reads calls in an array, at least one; see `envelope`."""
        yield from self.expect("[")
        mark = ","
        while mark == ",":
            self._around = around + 1
            yield from self.envelope(around + 1, only)
            mark = yield from self.expect(",", "]")
        self._around = around

    def peek(self) -> Reading[str]:
        """Takes white space and returns the character behind it, which stays."""
        yield from self.skip_space()
        return self._text[self._at]

    def line_break(self) -> Reading[None]:
        """Takes one line break, if one comes next."""
        while self._at == len(self._text):
            yield from self.wait()
        if self._text[self._at] == "\n":
            self._keep(1)

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
        """Reads a whole call `{"name": ..., "arguments": {...}}` and ends it.

        `parameters` means the same as `arguments`. Other keys are passed over, or, where `only`
        lists the keys that can be, make it no call.
        `around` counts the brackets that are open outside.
        """
        yield from self.expect("{")
        self._around = around + 1
        yield from self.fields(only)
        self._around = around
        self.end_named()

    def end_named(self) -> None:
        """Ends a call that is complete, if it has a name."""
        if not self.is_named:
            raise self.no_call("it has no name")
        self.end()

    def fields(self, only: Sequence[str] | None = None) -> Reading[None]:
        """Reads what follows a call's opening brace, up to the closing one."""
        seen: set[str] = set()
        mark = yield from self.optional("}")
        while mark != "}":
            key = yield from self.string()
            yield from self.expect(":")
            key = "arguments" if key == "parameters" else key
            # Twice the same leaves in doubt which one is meant.
            if key in seen or (only is not None and key not in only):
                raise self.no_call("a key that cannot be there")
            seen.add(key)
            yield from self._field(key)
            mark = yield from self.expect(",", "}")

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

    def _nothing_left(self) -> bool:
        return self._ended and not self._text[self._at :].strip(SPACE)

    def skip_rest(self, depth: int, in_string: bool) -> Reading[None]:
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
