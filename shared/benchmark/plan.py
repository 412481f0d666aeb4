"""What a benchmark asks: which prompts, how many at once, how often."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass

from kronk.shared.errors import InvalidArgument

# What a prompt has beside its shared prefix at least, so that it can differ from the others; a
# chat template takes some tokens as well.
LEAST_OWN = 32
_MOST_TOKENS = 1_000_000
_MOST_STREAMS = 1024
_MOST_ROUNDS = 1000
_MOST_VALUES = 32


def _check_all(name: str, values: tuple[int, ...], least: int, most: int) -> None:
    if not 1 <= len(values) <= _MOST_VALUES:
        raise InvalidArgument(
            f"{name}: expected 1 to {_MOST_VALUES} numbers, got {len(values)}", param=name
        )
    for value in values:
        _check(name, value, least, most)


def _check(name: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise InvalidArgument(f"{name}: expected {least} to {most}, got {value}", param=name)


@dataclass(frozen=True, slots=True)
class Cell:
    """One kind of round: so many streams at once, each with a prompt of so many tokens."""

    prompt_tokens: int
    concurrency: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked of each target. Sizes are tokens, prompts with their chat template."""

    prompt_sizes: tuple[int, ...] = (128, 512, 2048)
    concurrency: tuple[int, ...] = (1, 4, 8)
    # Of each answer, at most.
    max_tokens: int = 128
    # Tokens that all prompts begin with; 0: they differ from their first word on.
    shared_prefix: int = 0
    # Rounds of each cell that count, and before them those that do not.
    repetitions: int = 3
    warm_up: int = 1

    def __post_init__(self) -> None:
        _check_all("prompt_sizes", self.prompt_sizes, LEAST_OWN, _MOST_TOKENS)
        _check_all("concurrency", self.concurrency, 1, _MOST_STREAMS)
        _check("max_tokens", self.max_tokens, 2, _MOST_TOKENS)
        _check("repetitions", self.repetitions, 1, _MOST_ROUNDS)
        _check("warm_up", self.warm_up, 0, _MOST_ROUNDS)
        _check("shared_prefix", self.shared_prefix, 0, _MOST_TOKENS)
        smallest = min(self.prompt_sizes)
        if self.shared_prefix and self.shared_prefix > smallest - LEAST_OWN:
            raise InvalidArgument(
                f"shared_prefix: expected at most {smallest - LEAST_OWN} tokens, as the smallest "
                f"prompt has {smallest} and {LEAST_OWN} of them are its own, got "
                f"{self.shared_prefix}",
                param="shared_prefix",
            )

    def cells(self) -> Iterator[Cell]:
        """In the order in which they are measured."""
        for size in self.prompt_sizes:
            for streams in self.concurrency:
                yield Cell(size, streams)

    @property
    def rounds(self) -> int:
        """Of one target, those that do not count included."""
        cells = len(self.prompt_sizes) * len(self.concurrency)
        return cells * (self.warm_up + self.repetitions)

    @property
    def key(self) -> str:
        """The same for plans whose figures can be compared."""
        asked = dataclasses.asdict(self)
        # How often says how sure a figure is, and not what it is.
        del asked["repetitions"], asked["warm_up"]
        text = json.dumps(asked, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


# What most want to know, by its name.
PRESETS = {
    # Half a minute on a small model: is it as fast as yesterday?
    "quick": Plan((128,), (1, 4), max_tokens=32),
    "standard": Plan(),
    # What reading costs.
    "long-context": Plan((2048, 8192, 16384), (1, 2), max_tokens=64),
    # The most tokens per second that there are in it.
    "max-speed": Plan((128,), (1, 4, 8, 16, 32), max_tokens=256),
}


def preset(name: str) -> Plan:
    """The plan of that name."""
    found = PRESETS.get(name)
    if found is None:
        raise InvalidArgument(
            f"preset: expected one of {', '.join(PRESETS)}, got {name!r}", param="preset"
        )
    return found


def numbers(text: str, param: str) -> tuple[int, ...]:
    """The numbers of `1,4,8`, each once."""
    words = [word.strip() for word in text.split(",")]
    if not all(word.isascii() and word.isdigit() for word in words):
        raise InvalidArgument(
            f"{param}: expected numbers such as 128,512, got {text!r}", param=param
        )
    return tuple(dict.fromkeys(map(int, words)))


def fitting(plan: Plan, context: int) -> tuple[Plan, tuple[int, ...]]:
    """The plan without prompts that have no room in a context of so many tokens, together with
    their answers; and the sizes that were left out. One that has none of them is left as it is:
    the server's words say why."""
    kept = tuple(size for size in plan.prompt_sizes if size + plan.max_tokens <= context)
    if not kept:
        return plan, ()
    left_out = tuple(size for size in plan.prompt_sizes if size not in kept)
    return dataclasses.replace(plan, prompt_sizes=kept), left_out
