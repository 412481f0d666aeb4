"""Ends of numbers that must be multiples of another: found by arithmetic, as a search for them has
to try as many digits as the other number has remainders."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

# A grammar's text may be JSON inside JSON, whose quotes are escaped.
_NUMBER = r"(-?[0-9][0-9.eE+-]{0,400})"
_MULTIPLE = re.compile(r'"multipleOf\\*":\s*' + _NUMBER)
_BOUND = re.compile(r'(?:"m|"exclusiveM)(?:ini|axi)mum\\*":\s*' + _NUMBER)
_BEGUN = re.compile(rb"-?(?:0|[1-9][0-9]*)?(?:\.[0-9]*)?\Z")
_OF_NUMBERS = b"-.0123456789"
# llguidance makes a state for each remainder, some 10 µs each.
MOST_REMAINDERS = 100_000
# Each of both, in one grammar.
_MOST = 16
# Digits of a number that is finished here, and those that finish it.
_LONGEST = 40
_MOST_DIGITS = 20


@dataclass(frozen=True, slots=True)
class Multiples:
    """What a grammar says of multiples, wherever it says it."""

    of: tuple[Fraction, ...]
    bounds: tuple[Fraction, ...]

    def endings(self, begun: bytes) -> Iterator[bytes]:
        """What may make a multiple of a number that was begun, or of nothing: short ones first.

        Which numbers are held to which multiple and bounds is for the grammar to say.
        """
        for multiple in self.of:
            if begun in (b"", b"-"):
                whole = self._whole(multiple)
                yield from (one[len(begun) :] for one in whole if one.startswith(begun))
            else:
                yield from _rest(begun, multiple)

    def _whole(self, multiple: Fraction) -> Iterator[bytes]:
        yield b"0"
        for near in (Fraction(0), *self.bounds):
            below = math.floor(near / multiple)
            for times in (below, below + 1, below - 1, below + 2):
                text = _written(times * multiple)
                if text is not None:
                    yield text


def remainders(multiple: float) -> int:
    """How many remainders there are to tell apart: its digits, without the zeros at their end."""
    digits = Decimal(str(multiple)).normalize().as_tuple().digits
    return int("".join(map(str, digits)))


def multiples_in(grammar: str) -> Multiples | None:
    """Those that a grammar's text names."""
    of = tuple(each for each in _numbers(_MULTIPLE.findall(grammar)) if each > 0)
    if not of:
        return None
    if len(of) > 1:
        # A number may be held to several.
        of = (*of, Fraction(math.lcm(*map(_above, of)), math.gcd(*map(_below, of))))
    return Multiples(of, _numbers(_BOUND.findall(grammar)))


def begun_number(text: bytes) -> bytes:
    """The beginning of a number that `text` ends with, if it does."""
    tail = text[-_LONGEST:]
    number = tail[len(tail.rstrip(_OF_NUMBERS)) :]
    return number if _BEGUN.match(number) else b""


def _numbers(texts: Sequence[str]) -> tuple[Fraction, ...]:
    found = []
    for text in dict.fromkeys(texts):
        try:
            found.append(Fraction(Decimal(text)))
        except ArithmeticError:
            continue
    return tuple(found[:_MOST])


def _above(number: Fraction) -> int:
    return number.numerator


def _below(number: Fraction) -> int:
    return number.denominator


def _rest(begun: bytes, multiple: Fraction) -> Iterator[bytes]:
    """The digits that make a multiple of it, for each number of them that can."""
    digits = begun.lstrip(b"-").replace(b".", b"")
    has_point = b"." in begun
    places = len(begun.partition(b".")[2])
    if digits == b"0" and not has_point:
        return
    for more in range(_MOST_DIGITS):
        # In units of its last place.
        unit = 10 ** (places + more) if has_point else 1
        step = (multiple * unit).numerator
        missing = -int(digits) * 10**more % step
        if missing < 10**more:
            yield str(missing).zfill(more).encode() if more else b""


def _written(number: Fraction) -> bytes | None:
    """In digits; None where they do not end or are too many."""
    for places in range(_MOST_DIGITS):
        shifted = number * 10**places
        if shifted.denominator == 1:
            text = f"{Decimal(shifted.numerator).scaleb(-places):f}"
            return text.encode() if len(text) <= _LONGEST else None
    return None
