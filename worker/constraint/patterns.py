"""Regular expressions as clients write them (ECMAScript, as JSON schema has it), for llguidance.

It has the syntax of Rust's `regex`: the same in what is common. Where the two read a text
differently it is rewritten here; what only ECMAScript has (looking around, back-references) is
refused by llguidance.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from llguidance import regex_to_lark

from .refused import Refused

_MAX_LENGTH = 10_000
# Characters after writing out all counted repetitions: `a{1000}` has 1,000. A million of them take
# a tenth of a second for each token.
_MAX_WEIGHT = 20_000
_COUNTS = re.compile(r"\{(\d+)(?:(,)(\d*))?\}")
# Rust's: set operations, and classes inside classes.
_PLAIN_IN_CLASS = "[&~"


def translate(pattern: str, keyword: str) -> str:
    """A pattern for llguidance that means the same; raises `Refused`."""
    if len(pattern) > _MAX_LENGTH:
        raise Refused(keyword, f"a pattern has at most {_MAX_LENGTH} characters")
    if (len(pattern) - len(pattern.rstrip("\\"))) % 2:
        raise Refused(keyword, "it ends in the middle of an escape")
    if _weight(pattern) > _MAX_WEIGHT:
        raise Refused(keyword, f"its repetitions come to more than {_MAX_WEIGHT} characters")
    return _rewritten(pattern)


def grammar(pattern: str) -> str:
    """A translated pattern as a grammar in llguidance's Lark dialect, of texts that it matches as a
    whole: anchors around it say nothing."""
    # As in ECMAScript, digits and word characters are ASCII.
    return f"start: /{regex_to_lark(_unanchored(pattern), 'dw')}/"


def _unanchored(pattern: str) -> str:
    """`pattern` without the anchors at its two ends."""
    pattern = pattern.removeprefix("^")
    body = pattern.removesuffix("$")
    backslashes = len(body) - len(body.rstrip("\\"))
    return body if backslashes % 2 == 0 else pattern


def may_match(pattern: str, text: str) -> bool:
    """Whether `pattern` is found in `text`; True where Python cannot tell."""
    try:
        return re.search(pattern, text) is not None
    except (re.error, RecursionError, OverflowError):
        return True


@dataclass(slots=True)
class _Group:
    """An open parenthesis: characters in it so far, and in its last item."""

    weight: int = 0
    last: int = 0


def _weight(pattern: str) -> int:
    groups = [_Group()]
    at = 0
    while at < len(pattern):
        group, char = groups[-1], pattern[at]
        counts = _COUNTS.match(pattern, at)
        if counts:
            low, comma, high = counts.groups()
            # Digits without end are no number Python would want to read.
            times = int((high or low)[:9]) if comma else int(low[:9])
            group.weight += group.last * max(0, times - 1)
            group.last *= max(1, times)
            at = counts.end()
            continue
        if char == "(":
            groups.append(_Group())
        elif char == ")" and len(groups) > 1:
            inner = groups.pop()
            groups[-1].weight += inner.weight
            groups[-1].last = inner.weight
        elif char not in "|*+?":
            group.weight += 1
            group.last = 1
        at = _class_end(pattern, at) if char == "[" else at + (2 if char == "\\" else 1)
    return sum(group.weight for group in groups)


def _class_end(pattern: str, at: int) -> int:
    """Where the class that begins at `at` is over."""
    at += 2 if pattern.startswith("[^", at) else 1
    while at < len(pattern) and pattern[at] != "]":
        at += 2 if pattern[at] == "\\" else 1
    return at + 1


def _rewritten(pattern: str) -> str:
    parts = []
    at = 0
    while at < len(pattern):
        char = pattern[at]
        if char == "[":
            end = _class_end(pattern, at)
            parts.append(_class(pattern[at:end]))
        else:
            end = at + (2 if char == "\\" else 1)
            parts.append(pattern[at:end])
        at = end
    return "".join(parts)


def _class(text: str) -> str:
    head = 2 if text.startswith("[^") else 1
    parts = [text[:head]]
    at = head
    while at < len(text):
        char = text[at]
        size = 2 if char == "\\" else 1
        # A dash after a dash is Rust's difference.
        is_operator = char in _PLAIN_IN_CLASS or (char == "-" and parts[-1] == "-")
        parts.append("\\" + char if is_operator else text[at : at + size])
        at += size
    return "".join(parts)
