"""Sampling parameters, resolved: the nearest source that says one decides it."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from kronk.shared.errors import InvalidArgument
from kronk.shared.sampling_params import PARAMETERS, is_within
from kronk.shared.wire.values import Sampling

Logits = npt.NDArray[np.float32]
Ids = npt.NDArray[np.intp]

# For what neither the request, the model's configuration nor its GGUF says.
BASELINE = Sampling(**{name: parameter.default for name, parameter in PARAMETERS.items()})

# What a GGUF may recommend, by the names llama.cpp gives the keys.
GGUF_KEYS = {
    "temperature": "general.sampling.temp",
    "top_k": "general.sampling.top_k",
    "top_p": "general.sampling.top_p",
    "min_p": "general.sampling.min_p",
    "repeat_penalty": "general.sampling.penalty_repeat",
    "repeat_last_n": "general.sampling.penalty_last_n",
    "xtc_probability": "general.sampling.xtc_probability",
    "xtc_threshold": "general.sampling.xtc_threshold",
    "mirostat": "general.sampling.mirostat",
    "mirostat_tau": "general.sampling.mirostat_tau",
    "mirostat_eta": "general.sampling.mirostat_eta",
}

_SEEDS = 2**64
# At this temperature, logits that differ at all leave the better one certain; below, dividing by
# it overflows.
COLDEST = 1e-5


@dataclass(frozen=True, slots=True)
class Resolved:
    """Parameters with nothing left open; what each means stands in `PARAMETERS`."""

    temperature: float
    # 0 is off.
    top_k: int
    top_p: float
    min_p: float
    typical_p: float
    top_n_sigma: float
    repeat_penalty: float
    # 0 is off, -1 the whole context.
    repeat_last_n: int
    frequency_penalty: float
    presence_penalty: float
    dry_multiplier: float
    dry_base: float
    dry_allowed_length: int
    # 0 is off, -1 the whole context.
    dry_penalty_last_n: int
    dry_sequence_breakers: tuple[str, ...]
    xtc_probability: float
    xtc_threshold: float
    mirostat: int
    mirostat_tau: float
    mirostat_eta: float
    dynatemp_range: float
    dynatemp_exponent: float
    logit_bias: dict[int, float]
    # 0 to 2**64 - 1; what makes a run repeatable.
    seed: int
    ignore_eos: bool
    min_tokens: int

    @property
    def is_greedy(self) -> bool:
        """Whether the best token is taken, once penalties and biases have had their say."""
        return self.temperature <= COLDEST or (self.top_k == 1 and not self.mirostat)

    @property
    def penalizes(self) -> bool:
        """Whether recent tokens lose (or, below zero, gain) odds."""
        is_neutral = (self.repeat_penalty, self.frequency_penalty, self.presence_penalty) == (
            1.0,
            0.0,
            0.0,
        )
        return self.repeat_last_n != 0 and not is_neutral

    @property
    def is_dry(self) -> bool:
        """Whether repeated sequences lose odds."""
        return self.dry_multiplier > 0.0 and self.dry_penalty_last_n != 0

    def for_choice(self, index: int) -> Resolved:
        """The parameters of one of several answers: the first keeps the seed, no two share it."""
        return dataclasses.replace(self, seed=(self.seed + index) % _SEEDS)


def resolve(*sources: Sampling, draw: int | None = None) -> Resolved:
    """The first source that says a parameter wins; `BASELINE` speaks last.

    Sources are the request, the model's configuration and its GGUF, in that order. `draw` is the
    seed where none of them has one; None draws it here.
    """
    values: dict[str, Any] = {}
    for name in PARAMETERS:
        said = (getattr(source, name) for source in (*sources, BASELINE))
        values[name] = next((value for value in said if value is not None), None)
    biases = values["logit_bias"] or {}
    values["logit_bias"] = {int(token): bias for token, bias in biases.items()}
    values["seed"] = _seed(values["seed"], draw)
    return Resolved(**values)


def _seed(said: int | None, draw: int | None) -> int:
    if said is None or said == -1:
        said = int.from_bytes(os.urandom(8), "little") if draw is None else draw
    return said % _SEEDS


def require_known_tokens(params: Resolved, n_vocab: int) -> None:
    """Raise `InvalidArgument` for a bias on a token that the vocabulary does not have."""
    for token in params.logit_bias:
        if not 0 <= token < n_vocab:
            raise InvalidArgument(
                f"'logit_bias' names token {token}, but this model's tokens are 0 to {n_vocab - 1}",
                param="logit_bias",
            )


def recommended(metadata: Callable[[str], str | None]) -> Sampling:
    """What the GGUF recommends; what is no number or out of range is as good as absent."""
    values: dict[str, Any] = {}
    for name, key in GGUF_KEYS.items():
        text = metadata(key)
        kind = int if PARAMETERS[name].kind == "int" else float
        try:
            number = kind(text) if text is not None else None
        except ValueError:
            continue
        if number is not None and is_within(name, number):
            values[name] = number
    return Sampling(**values)
