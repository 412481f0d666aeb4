"""The samplers choose what llama.cpp's own leave of the whole row, for the same random number."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Iterator, Sequence
from typing import Any

import llama_cpp.llama_cpp as lib
import numpy as np
import pytest

from kronk.shared.wire.values import Sampling
from kronk.worker.engine.chain import TOKEN_DATA
from kronk.worker.engine.draw import Draw
from kronk.worker.engine.sampler import Candidates, Sampler
from kronk.worker.engine.sampling import Logits, Resolved, resolve

OFF: dict[str, Any] = {"top_k": 0, "top_p": 1.0, "min_p": 0.0, "temperature": 1.0}


def params(**said: Any) -> Resolved:
    """Everything off but what is said."""
    return resolve(Sampling(**(OFF | {"seed": 1} | said)))


def make_row(seed: int, n_vocab: int, spread: float) -> Logits:
    """A row without ties, of which order among equals would decide."""
    generator = np.random.default_rng(seed)
    row = generator.normal(0, spread, n_vocab).astype(np.float32)
    return np.unique(row)[generator.permutation(np.unique(row).size)]


class WholeRow:
    """llama.cpp's samplers on all tokens of the row, up to the odds; what is drawn from those is
    drawn here.

    Its dynamic temperature sorts what it is given, which ours does not: other tokens for a seed,
    the same odds. Here the tokens stay in place and only the temperature is taken from it.
    """

    def __init__(self, p: Resolved, n_vocab: int) -> None:
        self._rows = np.zeros(n_vocab, TOKEN_DATA)
        self._p = p
        self._draw = Draw(p.seed)
        self._position = 0
        self._mu = 2 * p.mirostat_tau

    def _stages(self) -> Iterator[Any]:
        p = self._p
        if p.mirostat:
            yield lib.llama_sampler_init_temp(p.temperature)
            if p.mirostat == 1:
                yield lib.llama_sampler_init_mirostat(self._rows.size, 1, self._mu / 2, 0.1, 100)
            else:
                yield lib.llama_sampler_init_mirostat_v2(1, self._mu / 2, 0.1)
            return
        yield lib.llama_sampler_init_top_n_sigma(p.top_n_sigma)
        yield lib.llama_sampler_init_top_k(p.top_k)
        yield lib.llama_sampler_init_typical(p.typical_p, 1)
        yield lib.llama_sampler_init_top_p(p.top_p, 1)
        yield lib.llama_sampler_init_min_p(p.min_p, 1)
        if self._draw.for_xtc(self._position) < p.xtc_probability:
            yield lib.llama_sampler_init_xtc(1.0, p.xtc_threshold, 1, 1)
        yield lib.llama_sampler_init_temp(p.temperature) if p.dynatemp_range == 0.0 else None
        yield lib.llama_sampler_init_dist(1)

    def sample(self, row: Logits) -> int:
        self._rows["id"] = np.arange(row.size)
        self._rows["logit"] = row
        array = lib.llama_token_data_array()
        array.data = self._rows.ctypes.data_as(lib.llama_token_data_p)
        array.size, array.selected, array.sorted = row.size, -1, False
        for stage in self._stages():
            if stage is not None:
                lib.llama_sampler_apply(stage, ctypes.byref(array))
                lib.llama_sampler_free(stage)
            elif array.size > 1:
                scale_dynamically(array, self._p)
        left = np.ctypeslib.as_array(array.data, (array.size,))
        reached = left["p"].cumsum(dtype=np.float64)
        number = self._draw.for_token(self._position) * reached[-1]
        at = min(int((reached <= number).sum()), array.size - 1)
        surprise = -math.log2(left["p"][at])
        self._mu -= self._p.mirostat_eta * (surprise - self._p.mirostat_tau)
        return int(left["id"][at])

    def accept(self, _: int) -> None:
        self._position += 1

    def close(self) -> None:
        """Nothing is left open."""


def scale_dynamically(array: Any, p: Resolved) -> None:
    """Divide the logits by the temperature that llama.cpp's `temp_ext` divides them by."""
    copy = (lib.llama_token_data * array.size)(*array.data[: array.size])
    other = lib.llama_token_data_array()
    other.data = ctypes.cast(copy, lib.llama_token_data_p)
    other.size, other.selected, other.sorted = array.size, -1, False
    stage = lib.llama_sampler_init_temp_ext(p.temperature, p.dynatemp_range, p.dynatemp_exponent)
    lib.llama_sampler_apply(stage, ctypes.byref(other))
    lib.llama_sampler_free(stage)
    scaled = {other.data[i].id: other.data[i].logit for i in range(other.size)}
    for i in range(array.size):
        array.data[i].logit = scaled[array.data[i].id]


def run(sampler: Any, rows: Sequence[Logits]) -> list[int]:
    chosen = []
    for row in rows:
        chosen.append(sampler.sample(row.copy()))
        sampler.accept(chosen[-1])
    sampler.close()
    return chosen


def places_apart(row: Logits, one: int, other: int) -> int:
    """Tokens between two in the order of likelihood.

    llama.cpp adds up float32 numbers: among tens of thousands of tokens of equal weight its
    rounding moves a draw to a neighbour.
    """
    return abs(int((row > row[one]).sum()) - int((row > row[other]).sum()))


CHAINS: dict[str, dict[str, Any]] = {
    "defaults": {"temperature": 0.8, "top_k": 40, "top_p": 0.9},
    "draw": {},
    "hot": {"temperature": 2.0},
    "cold": {"temperature": 0.05},
    "top_k": {"top_k": 20},
    "large top_k": {"top_k": 1000},
    "top_k beyond the vocabulary": {"top_k": 1_000_000},
    "top_p": {"top_p": 0.9},
    "narrow top_p": {"top_p": 0.0},
    "min_p": {"min_p": 0.02, "temperature": 1.5},
    "all of min_p": {"min_p": 1.0},
    "typical": {"typical_p": 0.7},
    "typical after top_k": {"typical_p": 0.7, "top_k": 200},
    "xtc": {"xtc_probability": 0.5, "xtc_threshold": 0.02},
    "xtc at once": {"xtc_probability": 1.0, "xtc_threshold": 0.0001, "temperature": 1.3},
    "xtc down to nothing": {"xtc_probability": 1.0, "xtc_threshold": 0.0},
    # By itself llama.cpp's sorts and ours does not; what follows here sorts in both.
    "top_n_sigma before top_k": {"top_n_sigma": 1.0, "top_k": 500},
    "top_n_sigma before top_p": {"top_n_sigma": 2.5, "top_p": 0.95},
    "dynatemp": {"dynatemp_range": 0.8, "dynatemp_exponent": 1.5},
    "dynatemp after top_k": {"dynatemp_range": 1.5, "top_k": 30},
    "dynatemp after min_p": {"dynatemp_range": 0.5, "min_p": 0.05},
    "dynatemp after xtc": {
        "dynatemp_range": 0.5,
        "xtc_probability": 1.0,
        "xtc_threshold": 0.05,
    },
    "mirostat 1": {"mirostat": 1},
    "mirostat 1, eager": {"mirostat": 1, "mirostat_tau": 1.0, "mirostat_eta": 0.8},
    "mirostat 2": {"mirostat": 2},
    "mirostat 2, eager": {"mirostat": 2, "mirostat_tau": 1.0, "mirostat_eta": 0.8},
    "mirostat 2, hot": {"mirostat": 2, "temperature": 2.0, "mirostat_tau": 9.0},
    "all": {
        "temperature": 0.9,
        "top_k": 60,
        "typical_p": 0.95,
        "top_p": 0.97,
        "min_p": 0.01,
        "xtc_probability": 0.5,
        "xtc_threshold": 0.05,
        "dynatemp_range": 0.4,
    },
}


@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.parametrize("n_vocab", [100, 3000, 50_000])
@pytest.mark.parametrize("spread", [0.5, 3.0, 12.0])
def test_the_choice_is_that_of_llama_cpp_on_the_whole_row(
    chain: str, n_vocab: int, spread: float
) -> None:
    for seed in range(3 if n_vocab < 50_000 else 1):
        p = params(**(CHAINS[chain] | {"seed": seed}))
        rows = [make_row(10 * seed + step, n_vocab, spread) for step in range(4)]
        n = min(row.size for row in rows)
        rows = [row[:n] for row in rows]
        expected = run(WholeRow(p, n), rows)
        chosen = run(Sampler(p, Candidates(n), (), ()), rows)
        for row, ours, theirs in zip(rows, chosen, expected, strict=True):
            assert places_apart(row, ours, theirs) <= n // 10_000
