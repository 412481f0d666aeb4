"""Sampling parameters, resolved, and the prefilter that makes sampling cheap.

llama.cpp's samplers copy and sort the whole vocabulary: 0.3 ms a row at 262,144 tokens. Most
tokens cannot be chosen, so numpy first keeps those that can, and the C samplers see only them.
The prefilter keeps a superset of what the chain could choose: it changes cost, never the result.
"""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kronk.shared.wire.values import Sampling

Logits = npt.NDArray[np.float32]
Ids = npt.NDArray[np.intp]

# The manual's defaults (3.2), for what neither the request, the model's configuration nor its
# GGUF says.
BASELINE = Sampling(temperature=0.8, top_k=40, top_p=0.9, min_p=0.0)

# What a GGUF may recommend, by the names llama.cpp gives the keys.
GGUF_KEYS = {
    "temperature": ("general.sampling.temp", float),
    "top_k": ("general.sampling.top_k", int),
    "top_p": ("general.sampling.top_p", float),
    "min_p": ("general.sampling.min_p", float),
}

# exp(-30) is 1e-13: a token that far below the best has no float32 probability beside it, even
# a million of them.
_NEGLIGIBLE = 30.0
# Logit distances tried, nearest first, until top_k tokens are inside.
_REACHES = (4.0, 8.0, 16.0)


@dataclass(frozen=True, slots=True)
class Resolved:
    """Parameters with nothing left open. `seed` is what makes a run repeatable."""

    temperature: float
    # 0 is off.
    top_k: int
    top_p: float
    min_p: float
    seed: int

    @property
    def is_greedy(self) -> bool:
        return self.temperature == 0.0 or self.top_k == 1


def resolve(*sources: Sampling) -> Resolved:
    """The first source that says a parameter wins; `BASELINE` speaks last.

    Sources are the request, the model's configuration and its GGUF, in that order.
    """
    values = {}
    for field in dataclasses.fields(Resolved):
        said = (getattr(source, field.name) for source in (*sources, BASELINE))
        values[field.name] = next((value for value in said if value is not None), None)
    seed = values["seed"]
    if seed is None:
        seed = int.from_bytes(os.urandom(4), "little")
    # llama.cpp's generator takes 32 bits.
    return Resolved(**(values | {"seed": seed & 0xFFFFFFFF}))


def recommended(metadata: Callable[[str], str | None]) -> Sampling:
    """What the GGUF recommends; values that are no numbers are as good as absent."""
    values: dict[str, float | int] = {}
    for name, (key, kind) in GGUF_KEYS.items():
        text = metadata(key)
        try:
            number = kind(text) if text is not None else None
        except ValueError:
            continue
        if number is not None and math.isfinite(number) and number >= 0:
            values[name] = number
    return Sampling(**values)  # type: ignore[arg-type]  # the table pairs names with their types


def candidates(logits: Logits, params: Resolved) -> Ids:
    """Ids that top_k -> top_p -> min_p -> temperature could choose, in no particular order."""
    best = float(logits.max())
    if params.top_k <= 0 or params.top_k >= logits.size:
        return np.flatnonzero(logits >= best - _NEGLIGIBLE * max(1.0, params.temperature))
    for reach in _REACHES:
        inside = np.flatnonzero(logits >= best - reach)
        if inside.size >= params.top_k:
            return inside
    return np.argpartition(logits, -params.top_k)[-params.top_k :]
