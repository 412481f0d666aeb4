"""What a model's settings come to, of all who say something of them, and who said each.

From weakest to strongest: the built-in default, what the catalog recommends for the model, the
model-config file. A request's own parameters come later and stand above all.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kronk.shared import sampling_presets
from kronk.shared.wire.values import Sampling

from .conflicts import conflicts
from .model import ModelConfig
from .said import Said

DEFAULT = "default"
CATALOG = "catalog"
SAMPLING = "sampling_parameters"
PRESET = sampling_presets.FIELD


@dataclass(frozen=True, slots=True)
class Layer:
    """What one source says of a model. `source` is its name: `catalog`, or `file models.yaml`."""

    source: str
    said: Said

    def origin(self, key: str) -> str:
        """The source, and the line where it has some."""
        place = self.said.places.get(key)
        return self.source if place is None else f"{self.source}:{place.line}"


@dataclass(frozen=True, slots=True)
class Effective:
    """A model's settings, and the origin of each: `default`, `catalog`, `preset coding`,
    `file models.yaml:12`.

    Sampling parameters have theirs as `sampling_parameters.temperature`; those that nobody set have
    none, and what they are then is the model's own affair.
    """

    config: ModelConfig
    origins: Mapping[str, str]
    # What the catalog alone says, for a request that wants what is recommended.
    recommended: Sampling = Sampling()  # noqa: RUF009  # frozen


def effective(layers: Sequence[Layer]) -> Effective:
    """Of `layers` from weakest to strongest.

    What a stronger layer says may exclude what a weaker one does, such as one kind of cache the
    other: then the weaker one has not said it.
    """
    left = list(layers)
    while True:
        found = _merged(left)
        excluded = [frozenset(conflict.keys) for conflict in conflicts(found.config)]
        at = _weakest(left, frozenset().union(*excluded))
        if at is None:
            return found
        keys = frozenset().union(*(keys for keys in excluded if keys & left[at].said.values.keys()))
        left[at] = Layer(left[at].source, left[at].said.without(keys))


def _weakest(layers: Sequence[Layer], keys: frozenset[str]) -> int | None:
    """The weakest layer that says one of these; the strongest is never wrong."""
    for at, layer in enumerate(layers[:-1]):
        if keys & layer.said.values.keys():
            return at
    return None


def _merged(layers: Sequence[Layer]) -> Effective:
    values: dict[str, Any] = {}
    origins = dict.fromkeys((field.name for field in dataclasses.fields(ModelConfig)), DEFAULT)
    parameters: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.said.values.items():
            origins[key] = layer.origin(key)
            if key != SAMPLING:
                values[key] = value
        preset = layer.said.values.get(PRESET)
        if preset is not None:
            said = sampling_presets.values(preset)
            parameters |= said
            origins |= {f"{SAMPLING}.{name}": f"preset {preset}" for name in said}
        said = _said(layer.said.values.get(SAMPLING, Sampling()))
        parameters |= said
        origins |= {f"{SAMPLING}.{name}": layer.origin(f"{SAMPLING}.{name}") for name in said}
    return Effective(ModelConfig(**values, sampling_parameters=Sampling(**parameters)), origins)


def _said(sampling: Sampling) -> dict[str, Any]:
    values = {field.name: getattr(sampling, field.name) for field in dataclasses.fields(sampling)}
    return {name: value for name, value in values.items() if value is not None}
