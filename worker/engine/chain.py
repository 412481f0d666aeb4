"""llama.cpp's samplers in a chain, run on the few tokens of a row that could be chosen.

The order is llama-server's: top-n-sigma, top-k, typical-p, top-p, min-p, XTC, temperature (plain or
dynamic), draw. Mirostat takes the place of all that truncates: temperature, mirostat. What changes
single logits comes before (`sampler.py`).

Two things are done here in numpy, on the same rules as llama.cpp's. Top-n-sigma is part of the
prefilter, as it needs the whole row. Dynamic temperature relates the entropy to the number of
tokens left, which without truncation is the vocabulary and not what the prefilter has kept.
"""

from __future__ import annotations

import ctypes
import math

import llama_cpp.llama_cpp as lib
import numpy as np
import numpy.typing as npt

from . import prefilter
from .sampling import COLDEST, Logits, Resolved

TOKEN_DATA = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])

Rows = npt.NDArray[np.void]


class TokenArray:
    """The array llama.cpp's samplers work on; one serves all slots, as they sample in turn."""

    def __init__(self, n_vocab: int) -> None:
        self._rows = np.zeros(n_vocab, TOKEN_DATA)
        self._pointer = self._rows.ctypes.data_as(lib.llama_token_data_p)
        self._array = lib.llama_token_data_array()

    def fill(self, ids: npt.NDArray[np.intp], logits: Logits) -> None:
        """Start anew with these tokens, which must not be none."""
        rows = self._rows[: ids.size]
        rows["id"] = ids
        rows["logit"] = logits
        rows["p"] = 0.0
        # Samplers move `data` and sort: a field left over from the last row corrupts memory.
        self._array.data = self._pointer
        self._array.size = ids.size
        self._array.selected = -1
        self._array.sorted = False

    def apply(self, chain: int) -> None:
        """Run a chain of samplers on the tokens as they now are."""
        lib.llama_sampler_apply(chain, ctypes.byref(self._array))

    def remaining(self) -> Rows:
        """The tokens that are left, to be changed in place."""
        moved = ctypes.addressof(self._array.data.contents) - self._rows.ctypes.data
        first = moved // TOKEN_DATA.itemsize
        return self._rows[first : first + self._array.size]

    def selected(self) -> tuple[int, float]:
        """The token that the chain drew, and its probability among what was left."""
        assert 0 <= self._array.selected < self._array.size, "the chain ends in a selecting sampler"
        drawn = self._array.data[self._array.selected]
        return int(drawn.id), float(drawn.p)


class Chain:
    """One request's samplers. Close it: they live in C memory."""

    def __init__(self, params: Resolved, n_vocab: int) -> None:
        self._params = params
        self._is_dynamic = params.dynatemp_range > 0.0 and not params.mirostat
        # Mirostat's state; llama.cpp's starts at the same and we follow it.
        self._mu = 2.0 * params.mirostat_tau
        truncation = [] if params.mirostat else _truncation(params)
        self._handles: list[int] = []
        if self._is_dynamic:
            self._handles.append(_link(truncation))
            self._handles.append(_link([lib.llama_sampler_init_dist(params.seed)]))
        else:
            self._handles.append(_link([*truncation, *_selection(params, n_vocab)]))

    def choose(self, row: Logits, array: TokenArray) -> int:
        """The token that the samplers select from the row, by way of `array`."""
        ids = prefilter.candidates(row, self._params, self._mu)
        if not ids.size:
            # Not numbers, or infinitely likely: no distribution to draw from.
            return int(row.argmax())
        array.fill(ids, row[ids])
        array.apply(self._handles[0])
        if self._is_dynamic:
            self._scale(row, int(ids.size), array.remaining())
            array.apply(self._handles[1])
        token, probability = array.selected()
        if self._params.mirostat:
            surprise = -math.log2(max(probability, 1e-38))
            self._mu -= self._params.mirostat_eta * (surprise - self._params.mirostat_tau)
        return token

    def close(self) -> None:
        """Free the samplers. Idempotent."""
        while self._handles:
            lib.llama_sampler_free(self._handles.pop())

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
    stages = []
    if params.top_k > 0:
        stages.append(lib.llama_sampler_init_top_k(params.top_k))
    if params.typical_p < 1.0:
        stages.append(lib.llama_sampler_init_typical(params.typical_p, 1))
    if params.top_p < 1.0:
        stages.append(lib.llama_sampler_init_top_p(params.top_p, 1))
    if params.min_p > 0.0:
        stages.append(lib.llama_sampler_init_min_p(params.min_p, 1))
    if params.xtc_probability > 0.0 and params.xtc_threshold <= 0.5:
        stages.append(
            lib.llama_sampler_init_xtc(params.xtc_probability, params.xtc_threshold, 1, params.seed)
        )
    return stages


def _selection(params: Resolved, n_vocab: int) -> list[int]:
    stages = [lib.llama_sampler_init_temp(params.temperature)]
    tau, eta = params.mirostat_tau, params.mirostat_eta
    match params.mirostat:
        case 0:
            stages.append(lib.llama_sampler_init_dist(params.seed))
        case 1:
            stages.append(
                lib.llama_sampler_init_mirostat(
                    n_vocab, params.seed, tau, eta, prefilter.MIROSTAT_M
                )
            )
        case _:
            stages.append(lib.llama_sampler_init_mirostat_v2(params.seed, tau, eta))
    return stages


def _link(stages: list[int]) -> int:
    chain = lib.llama_sampler_chain_init(lib.llama_sampler_chain_default_params())
    for stage in stages:
        assert stage, "llama.cpp out of memory for a sampler"
        lib.llama_sampler_chain_add(chain, stage)
    handle: int = chain
    return handle
