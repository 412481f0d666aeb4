"""Choosing a token from one row of logits, in llama-server's order.

1. `logit_bias` is added.
2. The grammar's mask rules out what it forbids.
3. `ignore_eos` and `min_tokens` rule out the tokens that end the answer, unless nothing else is
   left: then the grammar is at its end, and the answer ends.
4. Repeat, frequency and presence penalties, then DRY; both know the prompt.
5. top_n_sigma, top_k, typical_p, top_p, min_p, XTC, temperature (dynamic with `dynatemp_range`),
   draw. With mirostat: temperature, mirostat.

At temperature 0 the best token after step 4 is taken: nothing after it has a say.
The mask comes this early because it costs the same anywhere, and what it forbids then has no part
in any stage's statistics.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Collection, Sequence
from typing import Any, Protocol

import llama_cpp.llama_cpp as lib
import numpy as np

from .chain import Chain, TokenArray
from .dry import Breakers, Dry
from .penalties import Penalties
from .sampling import Logits, Resolved

# Sets of sequence breakers kept between requests; most requests use the default one.
_BREAKER_SETS = 8


class Mask(Protocol):
    """What a grammar allows next."""

    def apply(self, logits: Logits) -> None:
        """Write -inf, in place, over what the grammar forbids."""

    def takes(self, token: int) -> bool:
        """Whether the answer may go on with this token."""

    def accept(self, token: int) -> None:
        """The answer goes on with this token."""


class Candidates:
    """What the samplers of all slots share, as they sample in turn.

    `vocab` is llama.cpp's handle, `Model.vocab`; without one DRY knows no sequence breakers.
    """

    def __init__(self, n_vocab: int, vocab: Any = None) -> None:
        self.n_vocab = n_vocab
        self.array = TokenArray(n_vocab)
        self._vocab = vocab
        self._breakers: dict[tuple[str, ...], Breakers] = {}

    def breakers(self, texts: tuple[str, ...]) -> Breakers | None:
        """The tokens that these sequence breakers mean; None when there are none."""
        if not self._vocab or not texts:
            return None
        known = self._breakers.get(texts)
        if known is None:
            if len(self._breakers) == _BREAKER_SETS:
                self._breakers.clear()
            known = self._breakers[texts] = Breakers(texts, self._piece, self._tokenize)
        return known

    def _piece(self, token: int) -> bytes:
        room = 64
        while True:
            buffer = ctypes.create_string_buffer(room)
            size: int = lib.llama_token_to_piece(self._vocab, token, buffer, room, 0, True)
            if size >= 0:
                return buffer.raw[:size]
            room = -size

    def _tokenize(self, text: bytes) -> list[int]:
        room = len(text) + 8
        tokens = (lib.llama_token * room)()
        count: int = lib.llama_tokenize(self._vocab, text, len(text), tokens, room, False, False)
        assert count >= 0, "a text has no more tokens than bytes, and a leading space"
        return list(tokens[:count])


class Sampler:
    """One request's sampler. Close it: its chain lives in C memory.

    `prompt` is what penalties and DRY have seen before the first token; `ends` are the
    vocabulary's tokens that end an answer. Same parameters, rows and seed: same tokens, whatever
    else is in the batch.
    """

    def __init__(
        self,
        params: Resolved,
        shared: Candidates,
        prompt: Sequence[int],
        ends: Collection[int],
        mask: Mask | None = None,
    ) -> None:
        # May be set or replaced between tokens: a grammar may begin after the thinking.
        self.mask = mask
        self._shared = shared
        self._chain = None if params.is_greedy else Chain(params, shared.n_vocab)
        self._biased = np.array(list(params.logit_bias), np.intp)
        self._biases = np.array(list(params.logit_bias.values()), np.float32)
        self._ends = np.array(sorted(ends), np.intp)
        # Tokens for which the answer may not end.
        self._unending = math.inf if params.ignore_eos else params.min_tokens
        self._penalties = Penalties(params, prompt) if params.penalizes else None
        self._params = params
        self._prompt = prompt
        self._dry = self._make_dry(()) if params.is_dry else None
        self._edits = bool(self._penalties or self._dry or self._biased.size)
        # Tokens accepted: what the next one is drawn by.
        self._position = 0

    @property
    def is_plain(self) -> bool:
        """Whether `sample` is a bare argmax, and `accept` has nothing to do."""
        return (
            self._chain is None
            and self.mask is None
            and not self._edits
            and not (self._unending and self._ends.size)
        )

    def sample(self, logits: Logits) -> int:
        """The next token for this row, which may be written into. Does not accept it."""
        if self._edits or self.mask is not None or self._unending:
            self._edit(logits)
        if self._chain is None:
            token = int(logits.argmax())
        else:
            token = self._chain.choose(logits, self._shared.array, self._position)
        if self.mask is not None and self._ends.size and logits[token] == -math.inf:
            # A grammar that allows nothing at all has nothing more to say.
            return int(self._ends[0])
        return token

    def accept(self, token: int, *, by_mask: bool = True) -> None:
        """The answer goes on with this token, sampled or forced.

        `by_mask` is False for a token that the grammar is not to know about.
        """
        self._position += 1
        if self._unending:
            self._unending -= 1
        if self._penalties is not None:
            self._penalties.accept(token)
        if self._dry is not None:
            self._dry.accept(token)
        if by_mask and self.mask is not None:
            self.mask.accept(token)

    def resume(self, tokens: Sequence[int]) -> None:
        """The answer has begun with these tokens, of which the mask knows. To be called before
        anything else."""
        self._position = len(tokens)
        self._unending = max(0, self._unending - len(tokens))
        if self._penalties is not None:
            for token in tokens:
                self._penalties.accept(token)
        if self._dry is not None:
            self._dry = self._make_dry(tokens)

    def close(self) -> None:
        """Free the chain. Idempotent."""
        if self._chain is not None:
            self._chain.close()

    def _make_dry(self, tokens: Sequence[int]) -> Dry:
        breakers = self._shared.breakers(self._params.dry_sequence_breakers)
        return Dry(self._params, breakers, [*self._prompt, *tokens])

    def _edit(self, row: Logits) -> None:
        if self._biased.size:
            row[self._biased] += self._biases
        if self.mask is not None:
            self.mask.apply(row)
        if self._unending and self._ends.size:
            self._forbid_ends(row)
        if self._penalties is not None:
            self._penalties.apply(row)
        if self._dry is not None:
            self._dry.apply(row)

    def _forbid_ends(self, row: Logits) -> None:
        ends = row[self._ends]
        row[self._ends] = -math.inf
        if float(row.max()) == -math.inf:
            row[self._ends] = ends
