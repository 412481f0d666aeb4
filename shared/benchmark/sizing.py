"""Prompts of the sizes that a plan asks for, by the count of a server or by experience."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .plan import Cell, Plan
from .server import Server
from .texts import Guess, Sized, fitted, prefix, prompt

_Make = Callable[[int], str]


class Sizer:
    """Makes the prompts of one target."""

    def __init__(self, plan: Plan, seed: str, counter: Server | None, guess: Guess) -> None:
        """`counter` is who counts tokens, None where nobody does."""
        self._plan = plan
        self._seed = seed
        self._counter = counter
        self._guess = guess
        # Where the last prompt of a size ended up.
        self._words: dict[int, int] = {}
        self._prefix: str | None = None

    def prompts(self, cell: Cell, round_: str) -> list[str]:
        """One for each stream of a round, each another than all others of the run."""
        return [
            self._prompt(cell.prompt_tokens, f"{self._seed}/{cell}/{round_}/{stream}")
            for stream in range(cell.concurrency)
        ]

    def _prompt(self, tokens: int, seed: str) -> str:
        shared = self._shared()
        if self._counter is None:
            # What is shared took its part of the prompt's tokens.
            words = self._guess.words(tokens) - len(shared.split())
            return prompt(seed, max(1, words), shared)
        sized = self._fitted(lambda words: prompt(seed, words, shared), tokens)
        self._words[tokens] = sized.words
        return sized.text

    def _shared(self) -> str:
        if not self._plan.shared_prefix:
            return ""
        if self._prefix is None:
            tokens, seed = self._plan.shared_prefix, f"{self._seed}/shared"
            if self._counter is None:
                self._prefix = prefix(seed, self._guess.words(tokens))
            else:
                self._prefix = self._fitted(lambda words: prefix(seed, words), tokens).text
        return self._prefix

    def _fitted(self, make: _Make, tokens: int) -> Sized:
        counter = self._counter
        assert counter is not None
        return fitted(
            make,
            tokens,
            lambda text: counter.count(text) or 0,
            self._guess,
            self._words.get(tokens),
        )


def counters(servers: Sequence[Server]) -> list[Server | None]:
    """For each server who counts its tokens: itself, or the first that can."""
    able = [server if server.count("Hello!") is not None else None for server in servers]
    first = next((server for server in able if server is not None), None)
    return [server or first for server in able]
