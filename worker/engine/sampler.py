"""Choosing a token from one row of logits: argmax, or llama.cpp's samplers on a few candidates."""

from __future__ import annotations

import ctypes

import llama_cpp.llama_cpp as lib
import numpy as np

from .sampling import Logits, Resolved, candidates

_TOKEN_DATA = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])


class Candidates:
    """The array llama.cpp's samplers work on; one serves all slots, as they sample in turn."""

    def __init__(self, n_vocab: int) -> None:
        self._rows = np.zeros(n_vocab, _TOKEN_DATA)
        self._pointer = self._rows.ctypes.data_as(lib.llama_token_data_p)
        self._array = lib.llama_token_data_array()

    def choose(self, chain: int, logits: Logits, params: Resolved) -> int:
        """Run `chain` on the likely tokens of a row; the token it selects."""
        ids = candidates(logits, params)
        rows = self._rows[: ids.size]
        rows["id"] = ids
        rows["logit"] = logits[ids]
        rows["p"] = 0.0
        # Samplers move `data` and sort; every field is set anew each time.
        self._array.data = self._pointer
        self._array.size = ids.size
        self._array.selected = -1
        self._array.sorted = False
        lib.llama_sampler_apply(chain, ctypes.byref(self._array))
        assert 0 <= self._array.selected < self._array.size, "the chain ends in a selecting sampler"
        return int(self._array.data[self._array.selected].id)


class Sampler:
    """One request's sampler. Close it: its chain lives in C memory."""

    def __init__(self, params, shared, prompt, ends, mask=None) -> None:
        self.mask = mask
        self.is_plain = params.is_greedy
        self._params = params
        self._shared = shared
        self._chain = None if params.is_greedy else _chain(params)

    def accept(self, token, *, by_mask=True):
        if self.mask and by_mask:
            self.mask.accept(token)

    def sample(self, logits: Logits) -> int:
        """The next token for this row."""
        if self.mask:
            self.mask.apply(logits)
        if self._chain is None:
            return int(logits.argmax())
        return self._shared.choose(self._chain, logits, self._params)

    def close(self) -> None:
        """Free the chain. Idempotent."""
        if self._chain is not None:
            lib.llama_sampler_free(self._chain)
            self._chain = None


def _chain(params: Resolved) -> int:
    """top_k -> top_p -> min_p -> temperature -> draw: llama.cpp's own order."""
    chain = lib.llama_sampler_chain_init(lib.llama_sampler_chain_default_params())
    stages = []
    if params.top_k > 0:
        stages.append(lib.llama_sampler_init_top_k(params.top_k))
    if params.top_p < 1.0:
        stages.append(lib.llama_sampler_init_top_p(params.top_p, 1))
    if params.min_p > 0.0:
        stages.append(lib.llama_sampler_init_min_p(params.min_p, 1))
    stages.append(lib.llama_sampler_init_temp(params.temperature))
    stages.append(lib.llama_sampler_init_dist(params.seed))
    for stage in stages:
        assert stage, "llama.cpp out of memory for a sampler"
        lib.llama_sampler_chain_add(chain, stage)
    handle: int = chain
    return handle


from typing import Protocol


class Mask(Protocol):
    def apply(self, logits: Logits) -> None: ...
    def accept(self, token: int) -> None: ...
