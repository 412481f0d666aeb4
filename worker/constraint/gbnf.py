"""Reads llama.cpp's grammars (GBNF)."""

from __future__ import annotations

import re
from collections.abc import Callable

from .refused import Refused
from .syntax import (
    EMPTY,
    EVERY,
    Chars,
    Choice,
    Node,
    One,
    Repeat,
    Rule,
    Rules,
    Sequence,
    Token,
    parts,
    union,
    without,
)

_MAX_NESTING = 60
# llama.cpp's own limit.
_MAX_TIMES = 2_000
_NAME = re.compile(r"[a-zA-Z0-9_-]+")
_HEAD = re.compile(r"([a-zA-Z0-9_-]+)[ \t]*::=")
_BLANKS = re.compile(r"(?:[ \t]|#[^\r\n]*)*")
_BLANK_LINES = re.compile(r"(?:[ \t\r\n]|#[^\r\n]*)*")
_TIMES = re.compile(r"\{[ \t]*(\d{1,9})[ \t]*(?:(,)[ \t]*(\d{0,9})[ \t]*)?\}")
_HEX = re.compile(r"x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})")
_TOKEN = re.compile(r"(!?)<(?:\[(\d{1,9})\]|([^\s<>]+))>")
_ESCAPES = {"n": 0x0A, "r": 0x0D, "t": 0x09} | {char: ord(char) for char in '\\"[]'}
_REPEATS: dict[str, tuple[int, int | None]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}

# A token by its text, where there is such a single one.
TokenOf = Callable[[str], int | None]


def parse(source: str, token_of: TokenOf) -> Rules:
    """The rules of a grammar, `root` among them; raises `Refused` with the line at fault."""
    rules = _Reader(source, token_of).rules()
    if "root" not in rules:
        raise Refused("", "there is no rule named root")
    pending = list(rules.values())
    while pending:
        node = pending.pop()
        if isinstance(node, Rule) and node.name not in rules:
            raise Refused("", f"there is no rule named {node.name[:64]}")
        pending += parts(node)
    return rules


class _Reader:
    """Reads a source from its beginning to its end."""

    def __init__(self, source: str, token_of: TokenOf) -> None:
        self._source = source
        self._token_of = token_of
        self._at = 0
        self._nesting = 0

    def rules(self) -> Rules:
        rules: Rules = {}
        self._skip(_BLANK_LINES)
        while self._at < len(self._source):
            head = _HEAD.match(self._source, self._at)
            if head is None:
                raise self._fault("a rule is expected, as in `name ::= ...`")
            self._at = head.end()
            self._skip(_BLANK_LINES)
            rules[head[1]] = self._choice()
            self._skip(_BLANK_LINES)
        return rules

    def _choice(self) -> Node:
        items = [self._sequence()]
        while self._begins_alternative():
            self._at += 1
            self._skip(_BLANK_LINES)
            items.append(self._sequence())
        return items[0] if len(items) == 1 else Choice(tuple(items))

    def _begins_alternative(self) -> bool:
        """Also on a line of its own: no rule begins with a bar."""
        match = _BLANK_LINES.match(self._source, self._at)
        assert match is not None, "it matches nothing too"
        if self._source.startswith("|", match.end()):
            self._at = match.end()
            return True
        return False

    def _sequence(self) -> Node:
        items: list[Node] = []
        while True:
            # Inside parentheses lines do not count; outside, a rule may begin on the next.
            self._skip(_BLANK_LINES if self._nesting else _BLANKS)
            item = self._item()
            if item is None:
                return items[0] if len(items) == 1 else Sequence(tuple(items))
            items.append(self._repeated(item))

    def _item(self) -> Node | None:
        match self._source[self._at : self._at + 1]:
            case '"':
                return self._literal()
            case "[":
                return self._class()
            case "(":
                return self._group()
            case ".":
                self._at += 1
                return One(EVERY)
            case "<" | "!":
                return self._token()
        name = _NAME.match(self._source, self._at)
        if name is None or _HEAD.match(self._source, self._at):
            return None
        self._at = name.end()
        return Rule(name[0])

    def _group(self) -> Node:
        self._nesting += 1
        if self._nesting > _MAX_NESTING:
            raise self._fault(f"more than {_MAX_NESTING} parentheses inside one another")
        self._at += 1
        inner = self._choice()
        self._skip(_BLANK_LINES)
        if not self._source.startswith(")", self._at):
            raise self._fault("')' is expected")
        self._at += 1
        self._nesting -= 1
        return inner

    def _repeated(self, item: Node) -> Node:
        self._skip(_BLANKS)
        while True:
            char = self._source[self._at : self._at + 1]
            if char == "{":
                least, most = self._times()
            elif char in _REPEATS and char:
                least, most = _REPEATS[char]
                self._at += 1
            else:
                return item
            item = _times_over(item, least, most)
            self._skip(_BLANKS)

    def _times(self) -> tuple[int, int | None]:
        times = _TIMES.match(self._source, self._at)
        if times is None:
            raise self._fault("a repetition is {n}, {n,} or {n,m}")
        least = int(times[1])
        most = int(times[3]) if times[3] else None if times[2] else least
        if most is not None and most < least:
            raise self._fault("a repetition's first number is the smaller one")
        if max(least, most or 0) > _MAX_TIMES:
            raise self._fault(f"a repetition is of {_MAX_TIMES} times at most")
        self._at = times.end()
        return least, most

    def _literal(self) -> Node:
        self._at += 1
        chars: list[Node] = []
        while (point := self._point('"')) is not None:
            chars.append(One(((point, point),)))
        return chars[0] if len(chars) == 1 else Sequence(tuple(chars))

    def _class(self) -> Node:
        self._at += 1
        inverted = self._source.startswith("^", self._at)
        self._at += inverted
        ranges: list[tuple[int, int]] = []
        while (low := self._point("]")) is not None:
            high = low
            if self._source.startswith("-", self._at) and self._source[self._at + 1 :][:1] != "]":
                self._at += 1
                end = self._point("]")
                assert end is not None, "a bracket does not follow"
                high = end
            if high < low:
                raise self._fault("a range's first character is the lower one")
            ranges.append((low, high))
        chars: Chars = without(union(ranges)) if inverted else union(ranges)
        if not chars:
            raise self._fault("a class without characters matches nothing")
        return One(chars)

    def _point(self, closer: str) -> int | None:
        """The next character of a literal or class, read over; None at its end."""
        char = self._source[self._at : self._at + 1]
        if not char:
            raise self._fault(f"{closer!r} is missing")
        self._at += 1
        if char == closer:
            return None
        return self._escaped() if char == "\\" else ord(char)

    def _escaped(self) -> int:
        digits = _HEX.match(self._source, self._at)
        if digits is not None:
            self._at = digits.end()
            point = int(digits[1] or digits[2] or digits[3], 16)
            if point > 0x10FFFF or 0xD800 <= point <= 0xDFFF:
                raise self._fault("there is no such character")
            return point
        char = self._source[self._at : self._at + 1]
        if char not in _ESCAPES or not char:
            raise self._fault(f"'\\{char}' stands for nothing")
        self._at += 1
        return _ESCAPES[char]

    def _token(self) -> Node:
        token = _TOKEN.match(self._source, self._at)
        if token is None:
            raise self._fault("a token is <name>, <[number]> or one of these after '!'")
        known = int(token[2]) if token[2] else self._token_of(f"<{token[3]}>")
        if known is None:
            raise self._fault(f"{token[0][:64]} is no single token of this model")
        self._at = token.end()
        return Token(known, bool(token[1]))

    def _skip(self, blanks: re.Pattern[str]) -> None:
        match = blanks.match(self._source, self._at)
        assert match is not None, "it matches nothing too"
        self._at = match.end()

    def _fault(self, reason: str) -> Refused:
        line = self._source.count("\n", 0, self._at) + 1
        return Refused("", f"line {line}: {reason}")


def _times_over(item: Node, least: int, most: int | None) -> Node:
    if most == 0:
        return EMPTY
    # A loop in a loop is one, without its many ways to read the same text.
    loops = most is None and isinstance(item, Repeat) and item.most in (1, None)
    if loops and isinstance(item, Repeat) and max(least, item.least) < 2:
        return Repeat(item.item, min(least, item.least), None)
    return Repeat(item, least, most)
