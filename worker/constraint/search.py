"""Finding a short way from a grammar's state to an end it accepts.

The state is llguidance's and opaque: it can be copied, advanced, and asked whether it accepts, what
it forces and which tokens it allows. The search spells an ending byte by byte. A *descent* takes at
each state the step most likely to close something; it is cheap and nearly always enough. Where it
runs on for ever (a recursive branch, a repetition without end), descents from its alternatives
follow, those with the fewest and likeliest deviations first.
"""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
from llguidance import LLMatcher

from .multiples import Multiples, begun_number
from .vocabulary import Vocabulary

# Bytes of a path that may belong to a number.
_LATEST = 40
# The longest run of one byte between two looks at the alternatives.
_RUN = 64
# What a look at all allowed tokens costs, in steps of a descent.
_LOOK = 10
_CLOSERS = b"}])>"
# Begins and often is a whole JSON value.
_SHORT_VALUES = b"10ntf"
# Nothing but the inside of a string allows it.
_ONLY_IN_STRINGS = ord("~")
_QUOTE = ord('"')
_COMMA = ord(",")
_NEWLINE = ord("\n")
# Tokens of the longest ending that is looked for.
_FARTHEST = 16_384
# Steps of a first descent; one that is still on its way then may go on, four times as far.
_FIRST_DESCENT = 200
# Seconds of the processor that a step takes at most on average.
_SLOW = 10e-6
# What lies between two looks at the clock beyond so many seconds is the machine's and not the
# grammar's, the first few times in a search: a virtual processor stands still, and the clock of the
# thread on it goes on.
_STALL = 1e-3
_STALLS = 8
# What going on for the first time costs next to deviations from the likeliest way.
_FARTHER = 2
# What a letter or digit costs that is not the likeliest of its kind.
_ALIKE = 3

_LETTERS = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_DIGITS = b"1234567890"
_OTHERS = bytes(byte for byte in range(0x21, 0x7F) if byte not in b"\\[{(<-.")
_LATE = b"-<([{ \n\\" + bytes(range(256))


# Stands for all of its kind; no token has such a number.
_KINDS = dict.fromkeys(_LETTERS, -1) | dict.fromkeys(_DIGITS, -2)


def _ranks(*order: bytes) -> list[int]:
    """For each byte, its place."""
    places = {byte: rank for rank, byte in enumerate(dict.fromkeys(b"".join(order)))}
    return [places[byte] for byte in range(256)]


# What ends something first, what opens something last. 1 before 0, as zeros alone never get away
# from an excluded bound.
_ENDING = _ranks(b'"}])>.', _DIGITS, _LETTERS, b",:;", _OTHERS, _LATE)
# What makes up a length: dots show that something is missing.
_FILLING = _ranks(b".", _DIGITS, _LETTERS, b"_", _OTHERS, _LATE)
# What may be just what a text still takes.
_LEADING = _ranks(b"@=:;", _LETTERS, _OTHERS, _DIGITS, b".", _LATE)


@dataclass(frozen=True, slots=True)
class Place:
    """What is known of a state besides the state."""

    # The byte written last.
    last: int | None = None
    # Token sequences that may be what a text needs before it can close.
    hints: tuple[list[int], ...] = ()
    # Control tokens that the grammar names, the likeliest to close something first. A text before
    # one may go on for ever, and no byte ends it.
    controls: tuple[int, ...] = ()
    # None where the grammar asks for no multiples of numbers.
    multiples: Multiples | None = None
    # The beginning of a number that was written last, where the grammar asks for multiples.
    begun: bytes = b""

    def after(self, piece: bytes) -> Place:
        """The place behind a piece of text."""
        if not piece:
            return self
        begun = begun_number(self.begun + piece) if self.multiples is not None else b""
        return replace(self, last=piece[-1], begun=begun)


class Search:
    """Looks for endings in one vocabulary. Holds no state between calls."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._tokens = vocabulary.bytes
        self._byte_of = {token: byte for byte, token in vocabulary.bytes.items()}
        self._ends = vocabulary.ends
        ids = np.array(list(vocabulary.bytes.values()), np.int64)
        self._ids = ids
        self._words = ids >> 3
        self._bits = (1 << (ids & 7)).astype(np.uint8)

    def ending(self, state: LLMatcher, place: Place, effort: int) -> list[int] | None:
        """The tokens, mostly of single bytes, of a short ending; None when none was found.

        `effort` is the steps that may be spent on it. They take some 3 µs each; a grammar that
        is slower than `_SLOW` has fewer.
        """
        return _Hunt(self, state, place, effort).run()

    def step(self, state: LLMatcher, token: int) -> bool:
        return bool(state.validate_tokens([token]) == 1)

    def token(self, byte: int) -> int | None:
        return self._tokens.get(byte)

    def byte(self, token: int) -> int | None:
        return self._byte_of.get(token)

    def allowed(self, state: LLMatcher) -> tuple[bytes, list[int]]:
        """What may come next: as a signature, and as tokens, likeliest to close first.

        Tokens of more than a byte, or of none, are there only when no single byte is.
        """
        mask = state.compute_bitmask()
        bits = np.frombuffer(mask, np.uint8)
        single = self._ids[(bits[self._words] & self._bits) != 0]
        tokens = sorted(map(int, single), key=self.ending_rank)
        if not tokens:
            every = np.flatnonzero(np.unpackbits(bits, bitorder="little"))
            tokens = [int(token) for token in every if int(token) not in self._ends]
        return mask, tokens

    def ending_rank(self, token: int) -> int:
        """The lower, the likelier `token` leads to an end."""
        return self._rank(token, _ENDING)

    def filling_rank(self, token: int) -> int:
        """The lower, the better `token` makes up a length."""
        return self._rank(token, _FILLING)

    def leading_rank(self, token: int) -> int:
        """The lower, the likelier `token` is what a text still takes."""
        return self._rank(token, _LEADING)

    def kind(self, token: int) -> int:
        """The same for letters, and for digits: where one is possible the others say little."""
        byte = self._byte_of.get(token)
        return token if byte is None else _KINDS.get(byte, token)

    def _rank(self, token: int, ranks: list[int]) -> int:
        byte = self._byte_of.get(token)
        return len(ranks) if byte is None else ranks[byte]


class _Start(NamedTuple):
    """A place to descend from; the cheapest is next, of equals the one found first."""

    cost: int
    order: int
    path: list[int]
    steps: int


class _Hunt:
    """One search."""

    def __init__(self, search: Search, state: LLMatcher, place: Place, effort: int) -> None:
        self._search = search
        self._state = state
        self._place = place
        self._effort = effort
        self._looked = time.thread_time()
        self._until = self._looked + effort * _SLOW
        self._stalls = _STALLS
        self._order = itertools.count(1)
        quote = search.token(_QUOTE)
        self._quote = [] if quote is None else [quote]

    def run(self) -> list[int] | None:
        heap = [_Start(0, 0, [], _FIRST_DESCENT)]
        seen: set[tuple[int, bytes]] = set()
        while heap and self._goes_on(0):
            start = heapq.heappop(heap)
            state = self._state.deep_copy()
            if start.path and state.try_consume_tokens(start.path) != len(start.path):
                continue
            end, path = self._descend(state.deep_copy(), start.path, start.steps)
            if end == "accepted":
                return path
            if end == "on its way":
                again = start.cost + _FARTHER * start.steps // _FIRST_DESCENT
                heapq.heappush(heap, _Start(again, next(self._order), path, start.steps * 4))
            if start.steps == _FIRST_DESCENT:
                for cost, child in self._children(state, start.cost, start.path, seen):
                    heapq.heappush(heap, _Start(cost, next(self._order), child, _FIRST_DESCENT))
        return None

    def _goes_on(self, stop: int) -> bool:
        """Whether more effort than `stop` is left, and time."""
        now = time.thread_time()
        stood_still = now - self._looked - _STALL
        if stood_still > 0 and self._stalls:
            self._until += stood_still
            self._stalls -= 1
        self._looked = now
        return self._effort > stop and now < self._until

    def _children(
        self, state: LLMatcher, cost: int, path: list[int], seen: set[tuple[int, bytes]]
    ) -> Iterator[tuple[int, list[int]]]:
        self._effort -= _LOOK
        if len(path) >= _FARTHEST:
            return
        forced = self._forced(state)
        if forced:
            yield cost + 1, [*path, *forced]
            return
        mask, tokens = self._search.allowed(state)
        # Not proof that two states are the same, but as near as an opaque state lets one come.
        if (len(path), mask) in seen:
            return
        seen.add((len(path), mask))
        kinds: set[int] = set()
        for rank, token in enumerate(tokens):
            kind = self._search.kind(token)
            yield cost + 1 + min(rank, 4) + (_ALIKE if kind in kinds else 0), [*path, token]
            kinds.add(kind)

    def _descend(
        self, state: LLMatcher, path: list[int], steps: int
    ) -> tuple[Literal["accepted", "nowhere", "on its way"], list[int]]:
        """Go down from `state`, to which `path` led, by the likeliest steps; the path then."""
        path = list(path)
        last = self._search.byte(path[-1]) if path else self._place.last
        filler = _Filler(self._search)
        quote: list[int] = self._quote
        stop = max(0, self._effort - steps)
        while self._goes_on(stop):
            self._effort -= 1
            if state.is_accepting():
                return "accepted", path
            if len(path) >= _FARTHEST or state.is_stopped():
                return "nowhere", path
            step = (
                self._forced(state)
                or self._multiple(state, path)
                or self._closing_step(state, last, bool(quote))
            )
            if step and step == quote:
                filler = _Filler(self._search)
            step = step or self._fill(state, filler)
            if not step or state.try_consume_tokens(step) != len(step):
                return "nowhere", path
            if step == quote and last == _QUOTE and self._can(state, _ONLY_IN_STRINGS):
                # Two of them closed nothing: this is free text.
                quote = []
            path += step
            last = self._search.byte(step[-1])
        return "on its way", path

    def _multiple(self, state: LLMatcher, path: list[int]) -> list[int]:
        """What makes the number that is written here a multiple, or the next one."""
        multiples = self._place.multiples
        if multiples is None or self._can(state, _ONLY_IN_STRINGS) or self._closes(state):
            return []
        latest = map(self._search.byte, path[-_LATEST:])
        text = bytes(byte for byte in latest if byte is not None)
        for ending in multiples.endings(begun_number(self._place.begun + text)):
            step = [token for byte in ending if (token := self._search.token(byte)) is not None]
            self._effort -= 1
            if not step or state.validate_tokens(step) != len(step):
                continue
            after = state.deep_copy()
            after.consume_tokens(step)
            if after.is_accepting() or self._closes(after):
                return step
        return []

    def _closes(self, state: LLMatcher) -> bool:
        """Whether a value may be over here."""
        return any(self._can(state, byte) for byte in b"}],")

    def _forced(self, state: LLMatcher) -> list[int]:
        tokens = [self._search.token(byte) for byte in state.compute_ff_bytes()]
        known = list(itertools.takewhile(lambda token: token is not None, tokens))
        return [token for token in known if token is not None]

    def _closing_step(self, state: LLMatcher, last: int | None, quotes_close: bool) -> list[int]:
        for control in self._place.controls:
            if self._search.step(state, control):
                return [control]
        quote = self._can(state, _QUOTE) if quotes_close else []
        if self._can(state, _ONLY_IN_STRINGS):
            return quote or self._line_end(state)
        if last is not None and last in b":[,":
            for byte in b"]" + _SHORT_VALUES:
                if step := self._can(state, byte):
                    return step
        for byte in _CLOSERS:
            if step := self._can(state, byte):
                return step
        return quote or self._can(state, _COMMA)

    def _line_end(self, state: LLMatcher) -> list[int]:
        """The end of a line, where the text is over with it."""
        step = self._can(state, _NEWLINE)
        if not step:
            return []
        self._effort -= 1
        after = state.deep_copy()
        after.consume_tokens(step)
        is_over = after.is_accepting() or not self._can(after, _ONLY_IN_STRINGS)
        return step if is_over else []

    def _can(self, state: LLMatcher, byte: int) -> list[int]:
        token = self._search.token(byte)
        return [token] if token is not None and self._search.step(state, token) else []

    def _fill(self, state: LLMatcher, filler: _Filler) -> list[int]:
        """Nothing closes: what is possible only now leads on; else something to fill with."""
        for hint in self._place.hints:
            if self._helps(state, hint):
                return hint
        self._effort -= _LOOK
        _, tokens = self._search.allowed(state)
        if not tokens:
            return []
        token, times = filler.choose(tokens)
        return [token] if times == 1 else self._run(state, token, times)

    def _helps(self, state: LLMatcher, hint: list[int]) -> bool:
        self._effort -= 1
        if state.validate_tokens(hint) != len(hint):
            return False
        after = state.deep_copy()
        after.consume_tokens(hint)
        return after.is_accepting() or bool(self._can(after, _QUOTE))

    def _run(self, state: LLMatcher, token: int, times: int) -> list[int]:
        """`token`, until something closes."""
        state = state.deep_copy()
        run: list[int] = []
        while len(run) < times and self._search.step(state, token):
            self._effort -= 1
            state.consume_token(token)
            run.append(token)
            if state.is_accepting() or self._can(state, _QUOTE):
                break
        return run


class _Filler:
    """Chooses what to write where nothing closes, within one stretch of text.

    What is not possible everywhere in it may be what it takes (the @ of an address), and is tried
    once as soon as it is; the rest is one byte over and over, in longer and longer runs.
    """

    def __init__(self, search: Search) -> None:
        self._search = search
        self._everywhere: set[int] = set()
        self._chosen: set[int] = set()
        self._times = 1

    def choose(self, tokens: list[int]) -> tuple[int, int]:
        """One of `tokens`, which are all that is possible, and how often it may be written."""
        new: list[int] = []
        if self._chosen:
            new = [token for token in tokens if self._is_new(token)]
            self._everywhere &= set(tokens)
        else:
            self._everywhere = set(tokens)
        if new:
            token, self._times = min(new, key=self._search.leading_rank), 1
        else:
            token = min(tokens, key=self._search.filling_rank)
            self._times = min(2 * self._times, _RUN) if self._chosen else 1
        self._chosen.add(self._search.kind(token))
        return token, self._times

    def _is_new(self, token: int) -> bool:
        return token not in self._everywhere and self._search.kind(token) not in self._chosen
