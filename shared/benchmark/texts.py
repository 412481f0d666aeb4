"""Prompts without meaning: of so many tokens, and none like another."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

# A token each in most vocabularies, with the space before them.
_WORDS = (
    "time", "people", "water", "world", "house", "place", "night", "small", "large", "school",
    "never", "under", "light", "story", "father", "city", "river", "white", "young", "music",
    "book", "table", "money", "paper", "field", "green", "south", "north", "early", "power",
    "group", "line", "start", "point", "hand", "part", "great", "long", "still", "state",
)  # fmt: skip
_ASKED = "Write a very long story with these words:"
# Mostly a token each.
_FILLERS = (" a", "?")
# Corrections until the best that was found is taken.
_TRIES = 12

# Tokens of a prompt, as the server counts them with its template around it.
Count = Callable[[str], int]


@dataclass(frozen=True, slots=True)
class Sized:
    """A prompt, and how many tokens a server said that it has; None where none was asked."""

    text: str
    tokens: int | None
    # Where another one of this size may begin.
    words: int


@dataclass(frozen=True, slots=True)
class Guess:
    """Tokens of a prompt by its words, where no server counts them: what the template and the
    first words take, and each word more."""

    fixed: float = 24.0
    per_word: float = 1.2

    def words(self, tokens: int) -> int:
        """Of a prompt with about so many tokens."""
        return max(1, round((tokens - self.fixed) / self.per_word))

    @staticmethod
    def of(fewer: tuple[int, int], more: tuple[int, int]) -> Guess:
        """From the words and tokens of two prompts that a server has read."""
        per_word = (more[1] - fewer[1]) / (more[0] - fewer[0])
        if per_word <= 0:
            return Guess()
        return Guess(fewer[1] - per_word * fewer[0], per_word)


def prompt(seed: str, words: int, prefix: str = "") -> str:
    """So many words by the dice of `seed`. Without a prefix, a few digits of it come first: other
    prompts differ from there on."""
    dice = random.Random(seed)
    mark = f"{dice.randrange(10**6):06}"
    told = " ".join(dice.choices(_WORDS, k=words))
    return f"{prefix} {mark} {told}" if prefix else f"{mark} {_ASKED} {told}"


def prefix(seed: str, words: int) -> str:
    """What prompts share."""
    return f"{_ASKED} {' '.join(random.Random(seed).choices(_WORDS, k=words))}"


def fitted(
    make: Callable[[int], str], tokens: int, count: Count, guess: Guess, words: int | None = None
) -> Sized:
    """What `make` gives for the number of words that has `tokens` tokens, or the nearest that was
    found: a vocabulary may have no such text. `words` is where to begin, else `guess` says."""
    tried: dict[int, Sized] = {}
    words = guess.words(tokens) if words is None else words
    while words not in tried and len(tried) < _TRIES:
        text = make(words)
        has = count(text)
        tried[words] = Sized(text, has, words)
        if has == tokens:
            return tried[words]
        step = round((tokens - has) / guess.per_word) or (1 if has < tokens else -1)
        words = max(1, words + step)
    found = [*tried.values()]
    if below := [each for each in found if _off(each, tokens) < 0]:
        found += _filled_up(max(below, key=lambda each: each.tokens or 0), tokens, count)
    return min(found, key=lambda each: abs(_off(each, tokens)))


def _filled_up(nearly: Sized, tokens: int, count: Count) -> Iterator[Sized]:
    """With the least that one can add instead of a word, which may be several tokens."""
    for filler in _FILLERS:
        text = nearly.text + filler * -_off(nearly, tokens)
        yield Sized(text, count(text), nearly.words)


def _off(sized: Sized, tokens: int) -> int:
    assert sized.tokens is not None
    return sized.tokens - tokens
