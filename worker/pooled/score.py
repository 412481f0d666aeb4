"""A classifier's outputs as one relevance between 0 and 1. Pure.

llama-server reports the first output as it is: some models give log-odds there and others a
probability. Ours is always a probability, as in the manual's example (8.5), and sorts the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

Relevance = Callable[[Any], float]

# llama.cpp ends the graphs of these with a softmax over "yes" and "no".
_ARE_PROBABILITIES = frozenset({"qwen3", "qwen3vl"})


def relevance_of(architecture: str) -> Relevance:
    """How this architecture's outputs are read."""
    return _first if architecture in _ARE_PROBABILITIES else relevance


def relevance(outputs: Sequence[float]) -> float:
    """Log-odds through the logistic function; several classes through softmax, of which the first
    is "relevant", as converters write them."""
    if len(outputs) == 1:
        return _logistic(float(outputs[0]))
    best = max(float(output) for output in outputs)
    weights = [math.exp(float(output) - best) for output in outputs]
    return weights[0] / sum(weights)


def _first(outputs: Sequence[float]) -> float:
    return float(outputs[0])


def _logistic(x: float) -> float:
    # Both forms are exact where the other overflows.
    if x >= 0.0:
        return 1.0 / (1.0 + math.exp(-x))
    return math.exp(x) / (1.0 + math.exp(x))
