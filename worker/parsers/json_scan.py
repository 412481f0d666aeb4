"""Following a JSON value through a text that comes in pieces, character by character."""

from __future__ import annotations

import json
import re
from enum import Enum, auto

# As deep as other parsers go (serde_json's limit), so that no client fails on what we send.
MAX_DEPTH = 128

_PLAIN = re.compile(r'[^"\\\x00-\x1f]*')
_SPACE = re.compile(r"[ \t\r\n]*")
_NUMBER_CHARACTERS = re.compile(r"[-+.0-9eE]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_WORDS = ("true", "false", "null")
_HALF = re.compile("[\\ud800-\\udfff]")
_HEX = frozenset("0123456789abcdefABCDEF")
_CLOSES = {"}": "{", "]": "["}


class _At(Enum):
    VALUE = auto()
    FIRST_ITEM = auto()
    FIRST_KEY = auto()
    KEY = auto()
    COLON = auto()
    AFTER_VALUE = auto()
    STRING = auto()
    ESCAPE = auto()
    HEX = auto()
    NUMBER = auto()
    WORD = auto()


class JsonScanner:
    """Follows one JSON value and knows where it ends.

    `done`: the value is complete. `failure`: why the text is no JSON, None while it can be.
    """

    def __init__(self) -> None:
        self.done = False
        self.failure: str | None = None
        self._at = _At.VALUE
        # The brackets that are open.
        self._open: list[str] = []
        # Of a number, a word or the hexadecimal digits of an escape: what has come so far.
        self._part = ""
        self._is_key = False

    @property
    def depth(self) -> int:
        """How many brackets are open."""
        return len(self._open)

    @property
    def in_string(self) -> bool:
        """Whether the next character belongs to a string."""
        return self._at in (_At.STRING, _At.ESCAPE, _At.HEX)

    def scan(self, text: str, start: int = 0) -> int:
        """Follows `text` from `start` and returns where it stopped: at the end of the text, behind
        the value when it is `done`, before the character that is wrong on `failure`."""
        at = start
        while at < len(text) and not self.done and self.failure is None:
            at = self._step(text, at)
        return at

    def _step(self, text: str, at: int) -> int:
        match self._at:
            case _At.STRING:
                return self._string(text, at)
            case _At.ESCAPE:
                return self._escape(text, at)
            case _At.HEX:
                return self._hex(text, at)
            case _At.NUMBER:
                return self._number(text, at)
            case _At.WORD:
                return self._word(text, at)
        match = _SPACE.match(text, at)
        assert match is not None
        if match.end() > at:
            return match.end()
        return self._structure(text[at], at)

    def _structure(self, char: str, at: int) -> int:
        if self._at in (_At.VALUE, _At.FIRST_ITEM):
            if char == "]" and self._at is _At.FIRST_ITEM:
                return self._close(char, at)
            return self._value(char, at)
        if self._at in (_At.KEY, _At.FIRST_KEY):
            if char == "}" and self._at is _At.FIRST_KEY:
                return self._close(char, at)
            if char != '"':
                return self._fail(at, f"{char!r} where a key should be")
            self._is_key, self._at = True, _At.STRING
            return at + 1
        if self._at is _At.COLON:
            if char != ":":
                return self._fail(at, f"{char!r} where a colon should be")
            self._at = _At.VALUE
            return at + 1
        if char == ",":
            self._at = _At.KEY if self._open[-1] == "{" else _At.VALUE
            return at + 1
        return self._close(char, at)

    def _value(self, char: str, at: int) -> int:
        if char == '"':
            self._is_key, self._at = False, _At.STRING
        elif char in "{[":
            if len(self._open) == MAX_DEPTH:
                return self._fail(at, f"more than {MAX_DEPTH} levels")
            self._open.append(char)
            self._at = _At.FIRST_KEY if char == "{" else _At.FIRST_ITEM
        elif char in "-0123456789":
            self._part, self._at = char, _At.NUMBER
        elif char in "tfn":
            self._part, self._at = char, _At.WORD
        else:
            return self._fail(at, f"{char!r} where a value should be")
        return at + 1

    def _close(self, char: str, at: int) -> int:
        if char not in _CLOSES or self._open[-1] != _CLOSES[char]:
            return self._fail(at, f"{char!r} where the value should go on or end")
        self._open.pop()
        self._end_value()
        return at + 1

    def _string(self, text: str, at: int) -> int:
        match = _PLAIN.match(text, at)
        assert match is not None
        at = match.end()
        if at == len(text):
            return at
        if text[at] == "\\":
            self._at = _At.ESCAPE
        elif text[at] != '"':
            return self._fail(at, f"{text[at]!r} in a string, not escaped")
        elif self._is_key:
            self._at = _At.COLON
        else:
            self._end_value()
        return at + 1

    def _escape(self, text: str, at: int) -> int:
        if text[at] == "u":
            self._part, self._at = "", _At.HEX
        elif text[at] in '"\\/bfnrt':
            self._at = _At.STRING
        else:
            return self._fail(at, f"{text[at]!r} after a backslash")
        return at + 1

    def _hex(self, text: str, at: int) -> int:
        if text[at] not in _HEX:
            return self._fail(at, f"{text[at]!r} after \\u")
        self._part += text[at]
        if len(self._part) == 4:
            self._at = _At.STRING
        return at + 1

    def _number(self, text: str, at: int) -> int:
        match = _NUMBER_CHARACTERS.match(text, at)
        assert match is not None
        self._part += match.group()
        if match.end() < len(text):
            if _NUMBER.fullmatch(self._part) is None:
                return self._fail(match.end(), "not a number")
            self._end_value()
        return match.end()

    def _word(self, text: str, at: int) -> int:
        part = self._part + text[at]
        if not any(word.startswith(part) for word in _WORDS):
            return self._fail(at, "neither true, false nor null")
        self._part = part
        if part in _WORDS:
            self._end_value()
        return at + 1

    def _end_value(self) -> None:
        self._at = _At.AFTER_VALUE
        self.done = not self._open

    def _fail(self, at: int, why: str) -> int:
        self.failure = why
        return at


def is_json(text: str) -> bool:
    """Whether `text` is exactly one JSON value, with or without white space around it."""
    scanner = JsonScanner()
    # A number ends only before another character.
    end = scanner.scan(text + " ")
    return scanner.done and not text[end:].strip(" \t\r\n")


_WHOLE = re.compile(
    r"(?:[^\\]+"
    r"|\\[^u]"
    r"|\\u(?![dD][89abAB])[0-9a-fA-F]{4}"
    # Half of a character beyond U+FFFF: decoded with its other half only.
    r"|\\u[dD][89abAB][0-9a-fA-F]{2}(?:\\u[0-9a-fA-F]{4}|(?=[^\\]|\\[^u])))*"
)


class StringDecoder:
    """Decodes the inside of a JSON string that comes in pieces, after a `JsonScanner` saw it.

    `failed`: the string holds half of a character beyond U+FFFF; nothing from there on comes out.
    """

    def __init__(self) -> None:
        self.failed = False
        self._held = ""

    def feed(self, raw: str) -> str:
        """The characters that are complete."""
        self._held += raw
        match = _WHOLE.match(self._held)
        assert match is not None
        whole, self._held = match.group(), self._held[match.end() :]
        return self._decode(whole)

    def finish(self) -> str:
        """What was held back, when the string has ended."""
        held, self._held = self._held, ""
        return self._decode(held)

    def _decode(self, raw: str) -> str:
        if self.failed:
            return ""
        text: str = json.loads(f'"{raw}"')
        half = _HALF.search(text)
        self.failed = half is not None
        return text if half is None else text[: half.start()]
