"""What a grammar over characters is made of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

# Code points from and to, both included; ascending, apart from each other.
Chars = tuple[tuple[int, int], ...]

# All characters there are: surrogates are none.
_LAST = 0x10FFFF
EVERY: Chars = ((0, 0xD7FF), (0xE000, _LAST))


@dataclass(frozen=True, slots=True)
class One:
    """One character of a set."""

    chars: Chars


@dataclass(frozen=True, slots=True)
class Sequence:
    """One after the other; of none, the empty text."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """Any of them."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """`item` at least `least` times, at most `most`; None is without end."""

    item: Node
    least: int
    most: int | None


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule by its name."""

    name: str


@dataclass(frozen=True, slots=True)
class Token:
    """One of the vocabulary's tokens, or, inverted, any other."""

    id: int
    inverted: bool


Node = One | Sequence | Choice | Repeat | Rule | Token
Rules = dict[str, Node]

EMPTY = Sequence(())


def parts(node: Node) -> tuple[Node, ...]:
    """The nodes right inside a node."""
    match node:
        case Sequence(items) | Choice(items):
            return items
        case Repeat(item):
            return (item,)
    return ()


def union(ranges: Iterable[tuple[int, int]]) -> Chars:
    """Ranges in any order as a set."""
    merged: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return tuple(merged)


def without(chars: Chars) -> Chars:
    """All characters but these."""
    ranges = []
    next_free = 0
    for low, high in (*chars, (_LAST + 1, _LAST + 1)):
        if low > next_free:
            ranges.append((next_free, low - 1))
        next_free = high + 1
    return common(tuple(ranges), EVERY)


def common(one: Chars, other: Chars) -> Chars:
    """The characters in both."""
    ranges = []
    left = right = 0
    while left < len(one) and right < len(other):
        low = max(one[left][0], other[right][0])
        high = min(one[left][1], other[right][1])
        if low <= high:
            ranges.append((low, high))
        if one[left][1] < other[right][1]:
            left += 1
        else:
            right += 1
    return tuple(ranges)
