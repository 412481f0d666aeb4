"""A small model that writes ahead of the large one.

Its context has a sequence for each slot. Before it guesses, a sequence is brought to what the slot
really holds: what it guessed wrong is cut off, what it missed is decoded. A long prompt is decoded
in several steps, so that the running streams need not wait for it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kronk.worker.cache.match import common_prefix
from kronk.worker.cache.memory import Memory
from kronk.worker.context import Batch, Context, DecodeResult
from kronk.worker.model import Model

from .drafter import Asked
from .ngram import Tokens

_EMPTY: Tokens = np.zeros(0, np.int32)
# Tokens that a stream may have gone on by since the last guess.
_FEW = 4


class ModelDrafter:
    """Guesses greedily. `least_probability` ends a guess where the model is less sure than that.

    Guesses are right or wrong, whatever they are made by: that they are the draft model's argmax
    leaves the distribution of the answer as it is.
    """

    name = "draft"

    def __init__(
        self,
        model: Model,
        context: Context,
        memory: Memory,
        batch: Batch,
        least_probability: float,
    ) -> None:
        # The context lives on the model's weights.
        self._model = model
        self._context = context
        self._memory = memory
        self._batch = batch
        self._least_probability = least_probability
        # What each sequence holds.
        self._held: dict[int, Tokens] = {}
        self.was_behind = False

    def draft(self, asked: Sequence[Asked]) -> list[list[int]]:
        """Guesses for streams that it is up to date with; nothing for those it is catching up
        with, nor where llama.cpp fails."""
        guesses: list[list[int]] = [[] for _ in asked]
        ready = self._catch_up(asked)
        while ready:
            sure = self._read(ready, guesses)
            ready = [at for at in sure if len(guesses[at]) < asked[at].most]
            if not ready:
                break
            self._batch.clear()
            for at in ready:
                self._add(asked[at].sequence, guesses[at][-1:], output_last=True)
            if not self._decode([asked[at].sequence for at in ready]):
                break
        return guesses

    def _catch_up(self, asked: Sequence[Asked]) -> list[int]:
        """Decode what is missing, as far as one batch goes; the streams that it was all of, in the
        order of their rows of logits."""
        self._batch.clear()
        self.was_behind = False
        complete, touched = [], []
        for at, one in enumerate(asked):
            room = self._batch.capacity - self._batch.size
            if one.most <= 0 or room <= 0:
                continue
            missing = one.tokens[self._rewind(one) :]
            is_last = missing.size <= room
            self.was_behind |= missing.size > _FEW
            self._add(one.sequence, missing[:room].tolist(), output_last=is_last)
            touched.append(one.sequence)
            if is_last:
                complete.append(at)
        return complete if touched and self._decode(touched) else []

    def _read(self, ready: Sequence[int], guesses: list[list[int]]) -> list[int]:
        """Take the next guess of each from the last decode's logits; those it was sure of."""
        sure = []
        for at, row in zip(ready, self._context.outputs(len(ready)), strict=True):
            token = int(row.argmax())
            if self._least_probability > 0.0:
                probability = 1.0 / float(np.exp(row - row[token]).sum())
                if probability < self._least_probability:
                    continue
            guesses[at].append(token)
            sure.append(at)
        return sure

    def _add(self, sequence: int, tokens: list[int], *, output_last: bool) -> None:
        held = self._held.get(sequence, _EMPTY)
        self._batch.add(sequence, held.size, tokens, output_last=output_last)
        self._held[sequence] = np.append(held, np.array(tokens, np.int32))

    def _decode(self, sequences: Sequence[int]) -> bool:
        if self._context.decode(self._batch) is DecodeResult.OK:
            return True
        for sequence in sequences:
            self._memory.clear(sequence)
            self._held.pop(sequence, None)
        return False

    def _rewind(self, one: Asked) -> int:
        """Cut the sequence back to what is right; where to go on. The last token is always decoded
        anew: its logits are the first guess."""
        held = self._held.get(one.sequence, _EMPTY)
        right = min(common_prefix(held, one.tokens), one.tokens.size - 1)
        if right < held.size and not self._memory.trim(one.sequence, right):
            self._memory.clear(one.sequence)
            right = 0
        self._held[one.sequence] = held[:right]
        return right
