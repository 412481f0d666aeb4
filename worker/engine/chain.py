"""llama.cpp's samplers in a chain, run on the few tokens of a row that could be chosen.

The order is llama-server's: top-n-sigma, top-k, typical-p, top-p, min-p, XTC, temperature (plain or
dynamic), draw. Mirostat takes the place of all that truncates: temperature, mirostat. What changes
single logits comes before (`sampler.py`).

Two things are done here in numpy, on the same rules as llama.cpp's. Top-n-sigma is part of the
prefilter, as it needs the whole row. Dynamic temperature relates the entropy to the number of
tokens left, which without truncation is the vocabulary and not what the prefilter has kept.

The samplers that draw have generators of their own, whose numbers depend on how many they have
drawn. What they draw is not used: they only leave the odds, and `Draw` decides.
"""

from __future__ import annotations

import ctypes
import itertools
import math
from bisect import bisect_right

import llama_cpp.llama_cpp as lib
import numpy as np
import numpy.typing as npt

from . import prefilter
from .draw import Draw
from .sampling import COLDEST, Logits, Resolved

TOKEN_DATA = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])

Rows = npt.NDArray[np.void]

# Odds that Python adds up sooner than numpy, and that numpy adds up as one sum.
_FEW = 64
_BLOCK = 512


class TokenArray:
    """The array llama.cpp's samplers work on; one serves all slots, as they sample in turn."""

    def __init__(self, n_vocab: int) -> None:
        self._rows = np.zeros(n_vocab, TOKEN_DATA)
        self._ids, self._logits, self._odds = (self._rows[name] for name in TOKEN_DATA.names or ())
        self._address = self._rows.ctypes.data
        self._array = lib.llama_token_data_array()
        self._reference = ctypes.byref(self._array)
        # Its pointer as a number, which is the cheaper way to read and to write it.
        self._data = ctypes.c_size_t.from_buffer(self._array)

    def fill(self, ids: npt.NDArray[np.intp], logits: Logits) -> None:
        """Start anew with these tokens, which must not be none."""
        size = ids.size
        self._ids[:size] = ids
        self._logits[:size] = logits
        # Samplers move `data` and sort: a field left over from the last row corrupts memory.
        self._data.value = self._address
        self._array.size = size
        self._array.selected = -1
        self._array.sorted = False

    def apply(self, chain: int) -> None:
        """Run a chain of samplers on the tokens as they now are."""
        lib.llama_sampler_apply(chain, self._reference)

    def remaining(self) -> Rows:
        """The tokens that are left, to be changed in place."""
        first = self._first()
        return self._rows[first : first + self._array.size]

    def pick(self, number: float) -> tuple[int, float]:
        """The token whose share of the odds `number`, from 0 to below 1, falls into; and its
        probability among what is left."""
        first, size = self._first(), self._array.size
        odds = self._odds[first : first + size]
        if size <= _FEW:
            reached = list(itertools.accumulate(odds.tolist()))
            at = min(bisect_right(reached, number * reached[-1]), size - 1)
        else:
            at = _place(odds, number)
        return self._ids.item(first + at), odds.item(at)

    def _first(self) -> int:
        return (self._data.value - self._address) // TOKEN_DATA.itemsize


def _place(odds: npt.NDArray[np.float32], number: float) -> int:
    """The same for many: first which block of them it falls into, then where in the block."""
    blocks = np.add.reduceat(odds, np.arange(0, odds.size, _BLOCK), dtype=np.float64).cumsum()
    aim = number * float(blocks[-1])
    block = min(int(blocks.searchsorted(aim, "right")), blocks.size - 1)
    start = block * _BLOCK
    before = float(blocks[block - 1]) if block else 0.0
    reached = odds[start : start + _BLOCK].cumsum(dtype=np.float64)
    return start + min(int(reached.searchsorted(aim - before, "right")), reached.size - 1)


class Chain:
    """One choice's samplers. Close it: they live in C memory."""

    def __init__(self, params: Resolved, n_vocab: int) -> None:
        self._params = params
        self._n_vocab = n_vocab
        self._draw = Draw(params.seed)
        self._is_dynamic = params.dynatemp_range > 0.0 and not params.mirostat
        # Mirostat's state.
        self._mu = 2.0 * params.mirostat_tau
        has_xtc = params.xtc_probability > 0.0 and params.xtc_threshold <= 0.5
        self._xtc_chance = params.xtc_probability if has_xtc and not params.mirostat else 0.0
        self._usual = _link([*_truncation(params), *_selection(params)])
        self._without_likely = (
            _link([*_truncation(params), _xtc(params), *_selection(params)])
            if self._xtc_chance
            else None
        )
        self._odds = _link([lib.llama_sampler_init_dist(0)]) if self._is_dynamic else None

    def choose(self, row: Logits, array: TokenArray, position: int) -> int:
        """The token that the samplers select from the row, by way of `array`; it is to stand at
        `position` in the answer."""
        ids = prefilter.candidates(row, self._params, self._mu)
        if not ids.size:
            # Not numbers, or infinitely likely: no distribution to draw from.
            return int(row.argmax())
        array.fill(ids, row[ids])
        array.apply(self._chain_for(position))
        if self._odds is not None:
            self._scale(row, int(ids.size), array.remaining())
            array.apply(self._odds)
        if not self._params.mirostat:
            return array.pick(self._draw.for_token(position))[0]
        self._keep_unsurprising(array)
        token, probability = array.pick(self._draw.for_token(position))
        surprise = -math.log2(max(probability, 1e-38))
        self._mu -= self._params.mirostat_eta * (surprise - self._params.mirostat_tau)
        return token

    def close(self) -> None:
        """Free the samplers. Idempotent."""
        for handle in (self._usual, self._without_likely, self._odds):
            if handle is not None:
                lib.llama_sampler_free(handle)
        self._usual = self._without_likely = self._odds = None

    def _chain_for(self, position: int) -> int:
        if self._without_likely is not None and self._draw.for_xtc(position) < self._xtc_chance:
            return self._without_likely
        assert self._usual is not None, "it is not closed"
        return self._usual

    def _keep_unsurprising(self, array: TokenArray) -> None:
        """Mirostat's truncation. Its sampler goes on by what it draws itself, which is not what is
        chosen; so each token has a new one, which begins where we are: at twice its target."""
        params, target = self._params, 0.5 * self._mu
        stage = (
            lib.llama_sampler_init_mirostat(
                self._n_vocab, 0, target, params.mirostat_eta, prefilter.MIROSTAT_M
            )
            if params.mirostat == 1
            else lib.llama_sampler_init_mirostat_v2(0, target, params.mirostat_eta)
        )
        array.apply(stage)
        lib.llama_sampler_free(stage)

    def _scale(self, row: Logits, kept: int, rows: Rows) -> None:
        """Dynamic temperature: the more even the odds, the hotter."""
        if rows.size < 2:
            return
        params = self._params
        left = int(rows.size)
        if not _truncates(params):
            # What only the prefilter dropped still counts; XTC may have taken the likely ones.
            left += int(np.count_nonzero(row > -math.inf)) - kept
        logits = rows["logit"].astype(np.float64)
        logits -= logits.max()
        temperature = dynamic_temperature(params, logits, left)
        if temperature > COLDEST:
            rows["logit"] = logits / temperature
        else:
            rows["logit"] = np.where(logits == 0.0, 0.0, -math.inf)


def dynamic_temperature(params: Resolved, logits: npt.NDArray[np.float64], possible: int) -> float:
    """The temperature for logits whose best is 0, among `possible` tokens (2 or more)."""
    weights = np.exp(logits)
    total = float(weights.sum())
    # -inf times no weight at all is no contribution.
    spread = float(np.dot(weights, np.maximum(logits, -1e4)))
    evenness = max(0.0, math.log(total) - spread / total) / math.log(possible)
    low = max(0.0, params.temperature - params.dynatemp_range)
    high = params.temperature + params.dynatemp_range
    return float(low + (high - low) * evenness**params.dynatemp_exponent)


def _truncates(params: Resolved) -> bool:
    return (
        params.top_k > 0
        or params.typical_p < 1.0
        or params.top_p < 1.0
        or params.min_p > 0.0
        or params.top_n_sigma > 0.0
    )


def _truncation(params: Resolved) -> list[int]:
    stages: list[int] = []
    if params.mirostat:
        return stages
    if params.top_k > 0:
        stages.append(lib.llama_sampler_init_top_k(params.top_k))
    if params.typical_p < 1.0:
        stages.append(lib.llama_sampler_init_typical(params.typical_p, 1))
    if params.top_p < 1.0:
        stages.append(lib.llama_sampler_init_top_p(params.top_p, 1))
    if params.min_p > 0.0:
        stages.append(lib.llama_sampler_init_min_p(params.min_p, 1))
    return stages


def _xtc(params: Resolved) -> int:
    """One that always does it: the chance is ours."""
    stage: int = lib.llama_sampler_init_xtc(1.0, params.xtc_threshold, 1, 0)
    return stage


def _selection(params: Resolved) -> list[int]:
    if params.dynatemp_range > 0.0 and not params.mirostat:
        return []
    temperature = lib.llama_sampler_init_temp(params.temperature)
    return [temperature] if params.mirostat else [temperature, lib.llama_sampler_init_dist(0)]


def _link(stages: list[int]) -> int | None:
    chain = lib.llama_sampler_chain_init(lib.llama_sampler_chain_default_params())
    for stage in stages:
        assert stage, "llama.cpp out of memory for a sampler"
        lib.llama_sampler_chain_add(chain, stage)
    handle: int = chain
    return handle
