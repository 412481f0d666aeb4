"""Reading calls whose arguments are literals, Python's or alike, and turning those into JSON."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import ClassVar

from .book import MAX_NAME
from .json_scan import MAX_DEPTH
from .marker import SPACE, Markers
from .reader import CallReader, NoCall, Reading
from .typed import json_inside, json_string

_WORDS = {
    "True": "true",
    "False": "false",
    "None": "null",
    "true": "true",
    "false": "false",
    "null": "null",
}
_NUMBER = re.compile(r"([-+]?)(0|[1-9][0-9]*)?(?:(\.)([0-9]*))?([eE][-+]?[0-9]+)?")
_WORD_CHARACTERS = re.compile(r"[\w.+-]*")
# What ends a name and cannot be in one.
_PUNCTUATION = SPACE + "<>(){}[]\"'=,|"
_ESCAPES = {
    "n": "\n",
    "t": "\t",
    "r": "\r",
    "b": "\b",
    "f": "\f",
    "a": "\a",
    "v": "\v",
    "0": "\0",
    "\n": "",
    "\\": "\\",
    "'": "'",
    '"': '"',
    # Not Python's, but JSON's.
    "/": "/",
}
_DIGITS = {"x": 2, "u": 4, "U": 8}


class NameReader(CallReader):
    """Adds names without quotes to the primitives."""

    def word(self) -> Reading[str]:
        """Takes white space and a name, up to the first character that is in none."""
        yield from self.skip_space()
        word = ""
        while (char := (yield from self._look())) not in _PUNCTUATION:
            word += self._keep(1)
            if len(word) > MAX_NAME:
                break
        if not word or len(word) > MAX_NAME:
            raise self.no_call(f"{char!r} where a name must be")
        return word

    def _look(self) -> Reading[str]:
        """The next character, which stays; white space counts."""
        while self._at == len(self._text):
            yield from self.wait()
        return self._text[self._at]


class LiteralReader(NameReader):
    """Adds literals to the primitives. Whatever follows a malformed call that has a name
    is text up to one of `closers`."""

    # What stands around a string whose inside is verbatim, where the family has that; keys of
    # objects need no quotes then.
    quote: ClassVar[str] = ""

    def no_call(self, reason: str, depth: int = 0, in_string: bool = False) -> NoCall:
        return NoCall(reason, depth=int(self.is_named))

    def skip_rest(self, depth: int, in_string: bool) -> Reading[None]:
        markers = Markers(*self.closers)
        while depth:
            found = markers.find(self._text, self._at, ended=self._ended)
            self._emit_text(self.take(found.at - self._at + len(found.marker or "")))
            if found.marker is not None or self._ended:
                return
            yield

    def members(self, close: str, colon: str, depth: int = 1) -> Reading[None]:
        """Takes keys and values up to `close`, and that too; passes them on as one JSON object."""
        self.arguments("{")
        seen: set[str] = set()
        while (yield from self.peek()) != close:
            if seen:
                yield from self.expect(",")
                if (yield from self.peek()) == close:
                    break
            key = yield from self._key(colon)
            # Twice the same leaves in doubt which one is meant.
            if key in seen:
                raise self.no_call("a key is there twice")
            self.arguments(f", {key}: " if seen else f"{key}: ")
            seen.add(key)
            yield from self._literal(depth)
        self._keep(1)
        self.arguments("}")

    def _key(self, colon: str) -> Reading[str]:
        if (yield from self._is_string()):
            parts: list[str] = []
            yield from self._string(parts.append)
            yield from self.expect(colon)
            return f'"{"".join(parts)}"'
        if colon == ":" and not self.quote:
            raise self.no_call("no string where a key must be")
        key, _ = yield from self.until(colon)
        if not key.strip() or any(char in _PUNCTUATION for char in key.strip()):
            raise self.no_call("something else where a key must be")
        return json_string(key.strip())

    def _literal(self, depth: int) -> Reading[None]:
        char = yield from self.peek()
        if char in "[{" and depth == MAX_DEPTH:
            raise self.no_call(f"more than {MAX_DEPTH} levels")
        if char == "[":
            self._keep(1)
            yield from self._items(depth + 1)
        elif char == "{":
            self._keep(1)
            yield from self.members("}", ":", depth + 1)
        elif (yield from self._is_string()):
            self.arguments('"')
            yield from self._string(self.arguments)
            self.arguments('"')
        else:
            yield from self._plain()

    def _items(self, depth: int) -> Reading[None]:
        self.arguments("[")
        first = True
        while (yield from self.peek()) != "]":
            if not first:
                yield from self.expect(",")
                if (yield from self.peek()) == "]":
                    break
                self.arguments(", ")
            first = False
            yield from self._literal(depth)
        self._keep(1)
        self.arguments("]")

    def _plain(self) -> Reading[None]:
        word = ""
        while True:
            match = _WORD_CHARACTERS.match(self._text, self._at)
            assert match is not None
            word += self._keep(match.end() - self._at)
            if self._at < len(self._text):
                break
            yield from self.wait()
        value = _WORDS.get(word) or number(word)
        if value is None:
            raise self.no_call("a word where a value must be")
        self.arguments(value)

    # Strings.

    def _is_string(self) -> Reading[bool]:
        char = yield from self.peek()
        return char == '"' or (char == self.quote[0] if self.quote else char == "'")

    def _string(self, to: Callable[[str], None]) -> Reading[None]:
        """Takes a string; what it says goes to `to`, as it stands between the quotes in JSON."""
        if self.quote and (yield from self.peek()) != '"':
            yield from self.expect(self.quote)
            yield from self.pass_until(self.quote, to=lambda text: to(json_inside(text)))
            return
        quote = self._keep(1)
        marks = Markers(quote, "\\")
        while True:
            found = marks.find(self._text, self._at)
            to(json_inside(self._keep(found.at - self._at)))
            if found.marker == quote:
                self._keep(1)
                return
            if found.marker is None:
                yield from self.wait()
            else:
                to(json_inside((yield from self._escape())))

    def _escape(self) -> Reading[str]:
        high = yield from self._escaped()
        if not "\ud800" <= high <= "\udfff":
            return high
        # Half of a character beyond U+FFFF, as JSON writes it: the other half must follow.
        low = "" if (yield from self._look()) != "\\" else (yield from self._escaped())
        try:
            return (high + low).encode("utf-16-le", "surrogatepass").decode("utf-16-le")
        except UnicodeDecodeError:
            raise self.no_call("half a character in a string") from None

    def _escaped(self) -> Reading[str]:
        self._keep(1)
        char = yield from self._look()
        self._keep(1)
        if char not in _DIGITS:
            # Python keeps the backslash where it does not know the escape.
            return _ESCAPES.get(char, f"\\{char}")
        digits = ""
        for _ in range(_DIGITS[char]):
            if (yield from self._look()) not in "0123456789abcdefABCDEF":
                raise self.no_call(f"no hexadecimal digit after \\{char}")
            digits += self._keep(1)
        code = int(digits, 16)
        if code > 0x10FFFF:
            raise self.no_call("no character has such a number")
        return chr(code)


class PythonReader(LiteralReader):
    """Adds calls as Python writes them."""

    def python_call(self) -> Reading[None]:
        """Takes `name(key=value, ...)` as a whole call."""
        name = yield from self.word()
        yield from self.expect("(")
        self.begin(name)
        yield from self.members(")", "=")
        self.end()

    def python_calls(self) -> Reading[None]:
        """Takes calls up to the bracket that closes their list, and that too."""
        while True:
            yield from self.python_call()
            if (yield from self.expect(",", "]")) == "]" or (yield from self.optional("]")):
                return


def number(text: str) -> str | None:
    """A Python number as JSON writes it; None where it is none, or one that JSON has not."""
    match = _NUMBER.fullmatch(text)
    if match is None:
        return None
    sign, whole, point, fraction, exponent = match.groups()
    if not (whole or fraction):
        return None
    decimals = f".{fraction or 0}" if point else ""
    return f"{'-' if sign == '-' else ''}{whole or 0}{decimals}{exponent or ''}"
