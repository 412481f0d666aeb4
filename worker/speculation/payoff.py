"""Whether guessing pays, and how far ahead. Pure: told what happened, never what time it is.

Making guesses takes time, and a decode with guesses takes longer than one without; how much is the
machine's business and is measured, beginning with some decodes without. Guesses that are right give
tokens for it. Two judges: each choice's `Reach` shortens its guesses while they are wrong, and the
engine's `Payoff` stops guessing where the tokens do not make up for the time, and tries again
later, less and less often while it stays so.
"""

from __future__ import annotations

# Weight of the newest step in running averages.
_NEWEST = 0.1
# Steps without guesses before the first one with them.
FIRST_PLAIN = 4
# A look for guesses that found none and took no more than this part of the decode was free.
_FREE = 0.25
# Steps before a verdict.
_LEAST_STEPS = 8
# Steps without guesses after a verdict against them: the first time, and at most.
FIRST_REST = 64
LONGEST_REST = 4096
# Wrong guesses in a row after which a choice makes a pause, and how many tokens it lasts.
_WRONG_IN_A_ROW = 3
_FIRST_PAUSE = 8
_LONGEST_PAUSE = 256


class Reach:
    """How many tokens one choice guesses ahead, 0 to `most`."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._length = most
        self._wrong = 0
        self._pause = 0
        self._next_pause = _FIRST_PAUSE

    def length(self) -> int:
        """For the next decode; called once for each."""
        if self._pause:
            self._pause -= 1
            return 0
        return self._length

    def observe(self, guessed: int, right: int) -> None:
        """What became of the guesses of one decode; `guessed` is at least 1."""
        if right == guessed:
            self._length = min(self._most, self._length * 2)
        else:
            self._length = max(1, right + 1)
        if right:
            self._wrong, self._next_pause = 0, _FIRST_PAUSE
            return
        self._wrong += 1
        if self._wrong >= _WRONG_IN_A_ROW:
            self._wrong = 0
            self._pause = self._next_pause
            self._next_pause = min(_LONGEST_PAUSE, 2 * self._next_pause)


class Payoff:
    """Compares tokens per second with and without guesses, over all that decode together."""

    def __init__(self) -> None:
        # Seconds of a decode per stream in it, without and with guesses.
        self._plain: float | None = None
        self._guessing: float | None = None
        # Tokens per stream that a decode with guesses yields.
        self._yield = 1.0
        self._steps = 0
        self._rest = FIRST_PLAIN
        self._next_rest = FIRST_REST

    @property
    def is_on(self) -> bool:
        """Whether to guess in the next decode."""
        return self._rest == 0

    @property
    def ratio(self) -> float | None:
        """Speed with guesses over speed without; None before both were measured."""
        if self._plain is None or self._guessing is None or not self._steps:
            return None
        return self._yield * self._plain / self._guessing

    def observe(
        self, seconds: float, drafting: float, streams: int, tokens: int, guesses: int
    ) -> None:
        """One decode without prompt rows: the seconds it took, those that looking for guesses had
        taken before it, and the tokens it yielded in all."""
        if not streams:
            return
        if not guesses and drafting <= _FREE * seconds:
            self._plain = _average(self._plain, seconds / streams)
            self._rest = max(0, self._rest - 1)
            return
        self._guessing = _average(self._guessing, (seconds + drafting) / streams)
        self._yield = _average(self._yield if self._steps else None, tokens / streams)
        self._steps += 1
        self._judge()

    def _judge(self) -> None:
        ratio = self.ratio
        if ratio is None or self._steps < _LEAST_STEPS:
            return
        if ratio >= 1.0:
            self._next_rest = FIRST_REST
            return
        self._rest = self._next_rest
        self._next_rest = min(LONGEST_REST, 2 * self._next_rest)
        # What comes next may be another kind of text: judge it anew.
        self._steps = 0
        self._guessing = None


def _average(so_far: float | None, newest: float) -> float:
    return newest if so_far is None else so_far + _NEWEST * (newest - so_far)
