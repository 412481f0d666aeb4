"""How much memory a model takes, in parts, and what fits: the estimator as a library. Pure.

from kronk.shared.sizing import ask, estimate
found = estimate.estimate(spec, files, ground)      # of what is known already
answer = ask.ask(settings, configs, Question("SmolLM2-135M"))   # looks up all of it, as JSON
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kronk.shared.wire.loading import LoadSpec

from .advice import advise
from .facts import ModelFiles
from .placing import HOST, homes
from .predict import Prediction, kind_of
from .promise import Promise
from .room import Ground
from .shape import LEAST_WINDOW
from .trial import Expect, Trial, Verdict, as_predicted, with_cache, with_window

# Cache types that are compared, the best first, and contexts.
GRID_TYPES = ("f16", "q8_0", "q4_0")
GRID_WINDOWS = tuple(2**power for power in range(11, 24))
# Columns of a grid that people can read.
_MOST_WINDOWS = 6


@dataclass(frozen=True, slots=True)
class Part:
    """One row of the table: bytes by device. `kind` is what the KV cache is of."""

    part: str
    kind: str | None
    devices: Mapping[str, int]

    @property
    def total_bytes(self) -> int:
        """On all devices."""
        return sum(self.devices.values())


@dataclass(frozen=True, slots=True)
class Cell:
    """One load of the grid: everything in bytes, on all devices, without caches."""

    context_window: int
    cache_type: str
    total_bytes: int
    fits: bool


@dataclass(frozen=True, slots=True)
class Experts:
    """What of a mixture of experts works on one token."""

    count: int
    used: int
    parameters: int
    active_parameters: int
    bytes: int
    active_bytes: int
    # Layers whose experts stay in main memory though the layer is on a GPU, and their bytes.
    kept_layers: int
    kept_bytes: int


@dataclass(frozen=True, slots=True)
class Estimate:
    """The answer."""

    spec: LoadSpec
    files: ModelFiles
    ground: Ground
    prediction: Prediction
    # What the server would set aside, by what was measured where it was.
    promise: Promise
    parts: tuple[Part, ...]
    verdict: Verdict
    # With the slots asked for, and slots with the context asked for; 0 where none fit.
    largest_window: int
    most_slots: int
    grid: tuple[Cell, ...]
    experts: Experts | None
    # Layers on GPUs, and layers by what they keep.
    gpu_layers: int
    layer_kinds: Mapping[str, int]
    # Changes of configuration that would make it fit, each alone.
    advice: tuple[str, ...]

    @property
    def total(self) -> dict[str, int]:
        """Bytes by device of all parts: what was predicted, without caches."""
        return self.prediction.by_device


def estimate(
    spec: LoadSpec, files: ModelFiles, ground: Ground, expect: Expect = as_predicted
) -> Estimate:
    """What this load takes on that machine. `files` come from headers (`look.look`), `spec` from a
    configuration (`load_spec.load_spec`, or `models.resolve.resolve`)."""
    trial = Trial(files, ground, expect)
    prediction = trial.predict(spec)
    verdict = trial.verdict(spec)
    places = homes(spec.placement, files.model, ground.machine.gpus)
    advice: list[str] = []
    if verdict == "does_not_fit":
        advice = advise(spec, prediction, trial.fits, has_gpu=bool(ground.machine.gpus))
    return Estimate(
        spec=spec,
        files=files,
        ground=ground,
        prediction=prediction,
        promise=trial.need(spec),
        parts=tuple(_parts(prediction)),
        verdict=verdict,
        largest_window=trial.largest_window(spec),
        most_slots=trial.most_slots(spec),
        grid=tuple(_grid(trial, spec, prediction)),
        experts=_experts(spec, files, places.layers),
        gpu_layers=sum(place != HOST for place in places.layers),
        layer_kinds=_kinds(files),
        advice=tuple(advice),
    )


def _parts(prediction: Prediction) -> Iterator[Part]:
    for name, devices in prediction.parts.items():
        if name != "kv":
            yield Part(name, None, devices)
            continue
        for kind, of_kind in prediction.kv.items():
            yield Part(name, kind, of_kind)


def _grid(trial: Trial, spec: LoadSpec, prediction: Prediction) -> Iterator[Cell]:
    types: tuple[str, ...] = GRID_TYPES
    if not prediction.shape.flash_attention:
        # The others need flash attention.
        types = ("f16",)
    if trial.files.model.pools or not any(layer.keys for layer in trial.files.model.layers):
        return
    for kind in types:
        for window in _windows(trial.files.model.trained, prediction.shape.window):
            other = with_window(with_cache(spec, kind), window)
            size = sum(trial.need(other).expected.values())
            yield Cell(window, kind, size, trial.fits(other))


def _windows(trained: int, asked: int) -> list[int]:
    """The contexts that are compared: powers of two up to what the model was trained for, and the
    one that was asked for."""
    most = max(trained, asked, LEAST_WINDOW)
    powers = [window for window in GRID_WINDOWS if window <= most][-_MOST_WINDOWS:]
    return sorted({*powers, asked, most if trained else asked})


def _experts(spec: LoadSpec, files: ModelFiles, places: tuple[str, ...]) -> Experts | None:
    model = files.model
    total = sum(layer.expert_bytes for layer in model.layers)
    if not total or not model.experts:
        return None
    kept = [
        layer.expert_bytes
        for index, layer in enumerate(model.layers[: spec.placement.n_cpu_moe])
        if places and places[index] != HOST and layer.expert_bytes
    ]
    used = min(model.experts_used, model.experts)
    idle = model.experts - used
    return Experts(
        count=model.experts,
        used=used,
        parameters=model.parameters,
        active_parameters=model.parameters - model.expert_parameters * idle // model.experts,
        bytes=total,
        active_bytes=total * used // model.experts,
        kept_layers=len(kept),
        kept_bytes=sum(kept),
    )


def _kinds(files: ModelFiles) -> dict[str, int]:
    """How many layers keep what: a layer may do both."""
    found: dict[str, int] = {}
    for layer in files.model.layers:
        if layer.keys or layer.values:
            found[kind_of(layer)] = found.get(kind_of(layer), 0) + 1
        if layer.states:
            found["recurrent"] = found.get("recurrent", 0) + 1
    return found
