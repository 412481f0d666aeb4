"""On which device each layer of a model is. Pure; follows llama.cpp's rules.

Where single tensors go by their names (`tensor_buffer_overrides`) is not followed: what such a load
takes is known once it was measured.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate

from kronk.shared.wire.loading import PlacementSpec

from .facts import ModelFacts

# Main memory, as budgets call it.
HOST = "host"


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU by its name in budgets."""

    name: str
    total_bytes: int


@dataclass(frozen=True, slots=True)
class Homes:
    """Where a model is."""

    # The GPU that what cannot be split is on; `host` without one.
    main: str
    # Of each layer; empty where all are in main memory.
    layers: tuple[str, ...]
    # Weights in bytes.
    weights: Mapping[str, int]
    # Devices that compute, each with scratch memory of its own.
    computing: tuple[str, ...]


def homes(asked: PlacementSpec, facts: ModelFacts, gpus: tuple[Gpu, ...]) -> Homes:
    """Where the weights and what is computed from them will be."""
    total: Counter[str] = Counter({HOST: facts.input_bytes})
    count = len(facts.layers)
    wanted = count + 1 if asked.n_gpu_layers is None else min(asked.n_gpu_layers, count + 1)
    if not gpus or not wanted:
        for layer in facts.layers:
            total[HOST] += layer.dense_bytes + layer.expert_bytes
        total[HOST] += facts.output_bytes
        return Homes(HOST, (), dict(total), (HOST,))
    main = gpus[min(asked.main_gpu, len(gpus) - 1)].name
    first = count + 1 - wanted
    places = [
        HOST if index < first else _gpu_of(asked, gpus, main, (index - first) / wanted)
        for index in range(count + 1)
    ]
    for index, layer in enumerate(facts.layers):
        total[places[index]] += layer.dense_bytes
        total[HOST if index < asked.n_cpu_moe else places[index]] += layer.expert_bytes
    total[places[count]] += facts.output_bytes
    used = {place for place in places if place != HOST}
    return Homes(main, tuple(places[:count]), dict(total), (HOST, *sorted(used)))


def _gpu_of(asked: PlacementSpec, gpus: tuple[Gpu, ...], main: str, place: float) -> str:
    """Of a layer that is so far, 0 to 1, among those on GPUs."""
    if asked.split_mode == "none" or len(gpus) == 1:
        return main
    shares = list(asked.tensor_split) or [float(gpu.total_bytes) for gpu in gpus]
    shares += [0.0] * (len(gpus) - len(shares))
    whole = sum(shares) or 1.0
    ends = [end / whole for end in accumulate(shares)]
    return gpus[min(bisect_right(ends, place), len(gpus) - 1)].name
