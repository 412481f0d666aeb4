"""One answer's place in its grammar."""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from llguidance import LLMatcher

from kronk.shared.errors import InvalidArgument

from .search import Place, Search
from .vocabulary import Vocabulary

# Steps of a search while an answer runs, some 3 µs each.
_EFFORT = 3_000


class Masks:
    """The buffers masks are computed in; one serves all matchers of a model, as they take turns."""

    def __init__(self, n_vocab: int) -> None:
        self._n_vocab = n_vocab
        self.words: npt.NDArray[np.uint32] = np.zeros((n_vocab + 31) // 32, np.uint32)
        self._bytes = self.words.view(np.uint8)
        bits = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little")
        # Eight ceilings for each byte of a mask: looking them up costs the same whatever is
        # allowed, where a boolean index gets ten times slower in between.
        self._ceilings = np.where(bits == 1, np.inf, -np.inf).astype(np.float32)
        self._rows = np.empty((self._bytes.size, 8), np.float32)

    def apply(self, logits: npt.NDArray[np.float32]) -> None:
        """Put -inf in place of what the mask in `words` forbids."""
        np.take(self._ceilings, self._bytes, axis=0, out=self._rows, mode="clip")
        np.minimum(logits, self._rows.reshape(-1)[: self._n_vocab], out=logits)


class Matcher:
    """Follows one answer token by token.

    All methods raise `InvalidArgument` when the grammar turns out too complex to go on with; the
    answer cannot be continued then. Not for two threads at once.
    """

    def __init__(
        self,
        state: LLMatcher,
        vocabulary: Vocabulary,
        search: Search,
        masks: Masks,
        param: str,
        place: Place,
    ) -> None:
        self._state = state
        self._vocabulary = vocabulary
        self._search = search
        self._masks = masks
        self._param = param
        self._place = place
        # An ending that was found for this very place.
        self._found: list[int] | None = None

    def apply(self, logits: npt.NDArray[np.float32]) -> None:
        """Put -inf in place of every token that may not come next.

        End-of-generation tokens may exactly when the grammar accepts.
        """
        self._fill(self._masks.words)
        self._masks.apply(logits)

    def rehearse(self, tokens: list[int], slowest: float, together: float) -> bool:
        """Take `tokens`, with a mask before each of them, and say whether none took more than
        `slowest` seconds of the processor and all no more than `together`."""
        # Not the shared buffer: an answer may be under way in another thread.
        words = np.zeros_like(self._masks.words)
        left = together
        for token in tokens:
            again = self.fork()
            took = self._seconds(words)
            if took > slowest:
                # It may have been the machine that stood still.
                took = min(took, again._seconds(words))
            left -= took
            if took > slowest or left < 0:
                return False
            self.accept(token)
        return True

    def _seconds(self, words: npt.NDArray[np.uint32]) -> float:
        """What a mask takes of the processor."""
        begun = time.thread_time()
        self._fill(words)
        return time.thread_time() - begun

    def _fill(self, words: npt.NDArray[np.uint32]) -> None:
        self._state.unsafe_compute_mask_ptr(words.ctypes.data, words.nbytes)
        self._check()

    def allows(self, token: int) -> bool:
        """Whether `token` may come next, as `apply` has it, for a small part of its price.

        Checking an argmax first and masking only when it is refused gives the same token as masking
        first. For a drawn token it does not: what is masked away changes what truncation keeps.
        """
        if token in self._vocabulary.ends:
            return self.may_end
        if self._state.validate_tokens([token]) != 1:
            return False
        # Where a text is forced, only the tokens it usually has are.
        forced = self.forced()
        return not forced or forced[0] == token

    def takes(self, token: int) -> bool:
        """Whether `accept` may be told of `token`."""
        return self._state.validate_tokens([token]) == 1

    def accept(self, token: int) -> None:
        """Take `token`; the next call is about what follows it."""
        if not self._state.consume_token(token):
            self._check()
            raise AssertionError(f"token {token} is not allowed here")
        self._found = None
        piece = self._vocabulary.table[token]
        if piece and token not in self._vocabulary.ends:
            self._place = self._place.after(piece)

    @property
    def may_end(self) -> bool:
        """The grammar accepts what was written so far."""
        return self._state.is_accepting()

    @property
    def is_complete(self) -> bool:
        """Nothing but an end may follow."""
        return self._state.is_stopped()

    def forced(self) -> list[int]:
        """Tokens that are the only way on now; often none."""
        return self._state.compute_ff_tokens()

    def fork(self) -> Matcher:
        """An independent matcher at the same place."""
        fork = copy.copy(self)
        fork._state = self._state.deep_copy()
        return fork

    def is_end(self, token: int) -> bool:
        """Whether `token` ends generation."""
        return token in self._vocabulary.ends

    @property
    def end(self) -> int:
        """A token that ends generation."""
        return self._vocabulary.end

    def size(self, token: int) -> int:
        """Bytes of a token's text."""
        return len(self._vocabulary.table[token])

    def ends_with(self, tokens: list[int]) -> bool:
        """Whether the grammar accepts once `tokens` are written."""
        if not tokens:
            return self.may_end
        return self._state.validate_tokens([*tokens, self.end]) == len(tokens) + 1

    def ending(self, effort: int = _EFFORT) -> list[int] | None:
        """A short ending spelled byte by byte, so that it can be cut anywhere; None when none was
        found with `effort`, in steps of some 3 µs."""
        if self.may_end:
            return []
        if self._found is None:
            self._found = self._search.ending(self._state, self._place, effort)
        return self._found

    def closing(self, limit: int) -> list[int] | None:
        """At most `limit` tokens after which the grammar accepts, few of them; [] if it does now.

        None when none were found; that is no proof that there are none.
        """
        ending = self.ending()
        spelled = None if ending is None else self.spelled(ending)
        return spelled if spelled is not None and len(spelled) <= limit else None

    def spelled(self, ending: list[int]) -> list[int]:
        """An ending in as few tokens as its text usually has."""
        return self._vocabulary.respell(ending)

    def is_spelling(self, tokens: Sequence[int], ending: list[int]) -> bool:
        """Whether an ending's text begins with that of the tokens."""
        text = self._vocabulary.text(tokens)
        return self._vocabulary.text(ending[: len(text)]).startswith(text)

    def fits(self, ending: list[int], limit: int) -> bool:
        """Whether an ending, spelled, has at most `limit` tokens."""
        return len(ending) <= limit or len(self.spelled(ending)) <= limit

    def _check(self) -> None:
        if self._state.is_error():
            raise InvalidArgument(
                "the answer cannot go on: its grammar became too complex"
                f" ({self._state.stop_reason()})",
                param=self._param,
            )
