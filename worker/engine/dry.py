"""DRY: a token that would continue a sequence seen before loses odds, the more the longer it is.

The rules are llama.cpp's. Its own sampler reads the whole vocabulary for each request (9 ms at
49,152 tokens) and takes the prompt token by token; this one keeps, for each place in the context,
how many tokens up to there equal the latest ones, and moves all of them on at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from .sampling import Logits, Resolved

Tails = tuple[tuple[int, ...], ...]

# llama.cpp cuts the rest of a breaker at as many tokens.
_LONGEST_TAIL = 20
# log of the largest float32: a penalty stays below it.
_LOG_LARGEST = 88.7228391
# Any odd number with bits all over; what matters is that it is not small.
_HASH_BASE = 0x9E3779B97F4A7C15


class Breakers:
    """Which tokens break a sequence: those that contain a breaker, alone or with what follows.

    Looks at tokens as they come up, never at the whole vocabulary. Shared between requests.
    """

    def __init__(
        self,
        texts: Sequence[str],
        piece: Callable[[int], bytes],
        tokenize: Callable[[bytes], Sequence[int]],
    ) -> None:
        self._texts = tuple(text.encode() for text in texts)
        self._piece = piece
        self._tokenize = tokenize
        self._known: dict[int, Tails] = {}

    def tails(self, token: int) -> Tails:
        """What must follow the token to make a break, in alternatives; () alone is enough."""
        known = self._known.get(token)
        if known is None:
            known = self._known[token] = self._find(token)
        return known

    def is_break(self, token: int) -> bool:
        """Whether the token is a break all by itself."""
        return () in self.tails(token)

    def _find(self, token: int) -> Tails:
        piece = self._piece(token)
        found: dict[tuple[int, ...], None] = {}
        for text in self._texts:
            if text in piece:
                found[()] = None
                continue
            for length in range(1, len(text)):
                if piece.endswith(text[:length]):
                    found[tuple(self._tokenize(text[length:])[:_LONGEST_TAIL])] = None
        return tuple(found)


class Dry:
    """The penalty's state for one request."""

    def __init__(self, params: Resolved, breakers: Breakers | None, prompt: Sequence[int]) -> None:
        self._multiplier = params.dry_multiplier
        self._base = params.dry_base
        self._allowed = params.dry_allowed_length
        # None is the whole context.
        self._window: int | None = (
            params.dry_penalty_last_n if params.dry_penalty_last_n > 0 else None
        )
        self._largest = int(_LOG_LARGEST / math.log(self._base)) if self._base > 1.000001 else 0
        self._breakers = breakers
        recent = prompt if self._window is None else prompt[-self._window :]
        self._size = len(recent)
        self._tokens = _with_room(np.asarray(recent, np.int32))
        # runs[i]: how many tokens up to and with place i equal the latest ones.
        self._runs = _with_room(runs(self._tokens[: self._size]))
        # Tokens since the last break; None before the first.
        self._since: int | None = None
        # Breaks that have begun: what of their tails is still to come.
        self._begun: list[tuple[int, ...]] = []
        for token in recent[_last_break(breakers, recent) :]:
            self._observe_break(token)

    def accept(self, token: int) -> None:
        """The context grows by one token."""
        self._make_room()
        size = self._size
        tokens, lengths = self._tokens, self._runs
        if size:
            lengths[1:size] = (lengths[: size - 1] + 1) * (tokens[1:size] == token)
            lengths[0] = tokens[0] == token
        tokens[size] = token
        lengths[size] = 0
        self._size = size + 1
        self._observe_break(token)

    def apply(self, row: Logits) -> None:
        """Lower, in place, the logits of tokens that would go on repeating."""
        size = self._size if self._window is None else min(self._size, self._window)
        limit = size if self._since is None else min(size, self._since)
        if size <= self._allowed or limit < self._allowed:
            return
        start = self._size - size
        # The last place has nothing after it.
        lengths = self._runs[start : self._size - 1]
        if start:
            lengths = np.minimum(lengths, np.arange(1, size, dtype=np.int32))
        places = np.flatnonzero(lengths >= self._allowed)
        if not places.size:
            return
        ids, which = np.unique(self._tokens[start + places + 1], return_inverse=True)
        longest = np.zeros(ids.size, np.int32)
        np.maximum.at(longest, which, np.minimum(lengths[places], limit))
        if self._breakers is not None:
            keeps = [not self._breakers.is_break(token) for token in ids.tolist()]
            ids, longest = ids[keeps], longest[keeps]
        exponents = longest - self._allowed
        if self._largest:
            exponents = np.minimum(exponents, self._largest)
        penalties = self._multiplier * np.power(self._base, exponents.astype(np.float64))
        row[ids] -= np.minimum(penalties, 1e38).astype(np.float32)

    def _observe_break(self, token: int) -> None:
        if self._since is not None:
            self._since += 1
        if self._breakers is None:
            return
        begun = [tail[1:] for tail in self._begun if tail[0] == token]
        begun += self._breakers.tails(token)
        if () in begun:
            self._since = 0
        self._begun = [tail for tail in begun if tail]

    def _make_room(self) -> None:
        if self._size < self._tokens.size:
            return
        # Tokens that have left the window make room for new ones.
        kept = self._size if self._window is None else min(self._size, self._window)
        self._tokens = _with_room(self._tokens[self._size - kept : self._size])
        self._runs = _with_room(self._runs[self._size - kept : self._size])
        self._size = kept


def _with_room(values: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    room = np.zeros(2 * values.size + 256, np.int32)
    room[: values.size] = values
    return room


def _last_break(breakers: Breakers | None, tokens: Sequence[int]) -> int:
    """The place of the last token that is a break by itself; what precedes it matters no more."""
    if breakers is None:
        return len(tokens)
    for place in range(len(tokens) - 1, -1, -1):
        if breakers.is_break(tokens[place]):
            return place
    return 0


def runs(tokens: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """For each place, how many tokens up to and with it equal the last ones; 0 for the last.

    A binary search over lengths for all places at once, on rolling hashes modulo 2**64.
    """
    size = tokens.size
    lengths = np.zeros(size, np.int32)
    places = np.flatnonzero(tokens[:-1] == tokens[-1]) if size else np.empty(0, np.intp)
    if not places.size:
        return lengths
    powers = np.ones(size + 1, np.uint64)
    powers[1:] = _HASH_BASE
    powers = np.cumprod(powers, dtype=np.uint64)
    sums = np.zeros(size + 1, np.uint64)
    np.cumsum((tokens.astype(np.uint64) + np.uint64(1)) * powers[:size], out=sums[1:])
    ends = places + 1
    shift = powers[size - ends]
    low, high = np.ones(places.size, np.intp), ends.copy()
    while (low < high).any():
        middle = (low + high + 1) // 2
        here = (sums[ends] - sums[ends - middle]) * shift
        equal = here == sums[size] - sums[size - middle]
        low = np.where(equal, middle, low)
        high = np.where(equal, high, middle - 1)
    lengths[places] = low
    return lengths
