"""On which device each layer of a model is. Pure; follows llama.cpp's rules."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate

from kronk.shared.wire.loading import PlacementSpec

from .facts import ModelFacts, Weight
from .tensor_places import TensorPlaces

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
    count = len(facts.layers)
    wanted = count + 1 if asked.n_gpu_layers is None else min(asked.n_gpu_layers, count + 1)
    on_gpus = bool(gpus) and wanted > 0
    main = gpus[min(asked.main_gpu, len(gpus) - 1)].name if on_gpus else HOST
    first = count + 1 - wanted if on_gpus else count + 1
    places = [
        HOST if index < first else _gpu_of(asked, gpus, main, (index - first) / wanted)
        for index in range(count + 1)
    ]
    total: Counter[str] = Counter({HOST: facts.input_bytes})
    for index, layer in enumerate(facts.layers):
        total[places[index]] += layer.dense_bytes
        total[HOST if index < asked.n_cpu_moe else places[index]] += layer.expert_bytes
    total[places[count]] += facts.output_bytes
    total.update(_moved(asked, facts, gpus, places))
    used = {place for place in (*places, *total) if place != HOST}
    layers = tuple(places[:count]) if on_gpus else ()
    return Homes(main, layers, dict(total), (HOST, *sorted(used)))


def _moved(
    asked: PlacementSpec, facts: ModelFacts, gpus: tuple[Gpu, ...], places: list[str]
) -> Counter[str]:
    """What tensors that go by their names add to devices, and take from others; `places` are of
    each layer and of what is behind them."""
    change: Counter[str] = Counter()
    named = TensorPlaces(asked.tensor_places, [gpu.name for gpu in gpus], HOST)
    for weight in facts.tensors:
        device = named.of(weight.name)
        if device is not None:
            change[device] += weight.size_bytes
            change[_unnamed(weight, asked, places)] -= weight.size_bytes
    return change


def _unnamed(weight: Weight, asked: PlacementSpec, places: list[str]) -> str:
    """Where a tensor would be if nothing named it."""
    if weight.layer is None or (weight.is_expert and weight.layer < asked.n_cpu_moe):
        return HOST
    return places[weight.layer]


def _gpu_of(asked: PlacementSpec, gpus: tuple[Gpu, ...], main: str, place: float) -> str:
    """Of a layer that is so far, 0 to 1, among those on GPUs."""
    if asked.split_mode == "none" or len(gpus) == 1:
        return main
    shares = list(asked.tensor_split) or [float(gpu.total_bytes) for gpu in gpus]
    shares += [0.0] * (len(gpus) - len(shares))
    whole = sum(shares) or 1.0
    ends = [end / whole for end in accumulate(shares)]
    return gpus[min(bisect_right(ends, place), len(gpus) - 1)].name
