"""Which streams guess how far, and what came of it: the engine's side of speculation."""

from __future__ import annotations

from collections.abc import Sequence

from .drafter import Asked, Drafter
from .payoff import Payoff, Reach


class Guesser:
    """Speculation of one engine. `most` guesses at a time for a stream, and no fewer than `least`.

    Right guesses are kept and the first wrong one is replaced by what the model says: a stream's
    tokens are those it would have had without, and sampled ones have the same distribution. (A
    guess is a certain proposal; sampling the model's own token and comparing is then what rejection
    sampling does. Leviathan et al., "Fast Inference from Transformers via Speculative Decoding".)
    """

    def __init__(self, drafter: Drafter, most: int, least: int) -> None:
        self._drafter = drafter
        self._most = most
        self._least = max(1, least)
        self._payoff = Payoff()
        # By sequence; a new choice starts anew.
        self._reach: dict[int, Reach] = {}

    @property
    def name(self) -> str:
        """For reports."""
        return self._drafter.name

    @property
    def is_on(self) -> bool:
        """Whether guessing pays at the moment, or is worth a try."""
        return self._payoff.is_on

    def begin(self, sequence: int) -> None:
        """Another choice uses the sequence."""
        self._reach[sequence] = Reach(self._most)

    def limit(self, sequence: int, room: int) -> int:
        """How many tokens to guess for a stream that has room for `room`."""
        most = min(self._reach[sequence].length(), room)
        return most if most >= self._least else 0

    def guess(self, asked: Sequence[Asked]) -> list[list[int]]:
        """What may follow in each stream."""
        drafts = self._drafter.draft(asked)
        return [draft if len(draft) >= self._least else [] for draft in drafts]

    def judge(self, sequence: int, guessed: int, right: int) -> None:
        """What became of one stream's guesses."""
        if guessed:
            self._reach[sequence].observe(guessed, right)

    def observe(
        self, seconds: float, drafting: float, streams: int, tokens: int, guesses: int
    ) -> None:
        """What one decode without prompt rows and the guesses for it took, and yielded."""
        if not drafting or not self._drafter.was_behind:
            self._payoff.observe(seconds, drafting, streams, tokens, guesses)
