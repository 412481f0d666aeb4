"""One model on one machine, under any configuration: what it needs there, and what fits. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

from kronk.shared.wire.loading import LoadSpec

from .facts import ModelFiles
from .predict import Prediction, predict
from .promise import Bytes, Promise, promise
from .room import Ground
from .search import largest
from .shape import CELL_STEP

# What a load is expected to take, given what is predicted: `Learned` knows better.
Expect = Callable[[LoadSpec, Bytes], Bytes]
# "fits" now; "fits_without_idle" when idle models have gone; "has_to_wait" for busy or pinned ones;
# "does_not_fit" into the empty machine.
Verdict = Literal["fits", "fits_without_idle", "has_to_wait", "does_not_fit"]

# Slots that a configuration may say.
MOST_SLOTS = 256


def as_predicted(spec: LoadSpec, predicted: Bytes) -> Bytes:
    """What is expected where nothing was measured."""
    return predicted


class Trial:
    """Asks nobody: everything it says follows from what it was made of."""

    def __init__(self, files: ModelFiles, ground: Ground, expect: Expect = as_predicted) -> None:
        self.files = files
        self.ground = ground
        self._expect = expect

    def predict(self, spec: LoadSpec) -> Prediction:
        """Its parts."""
        return predict(spec, self.files, self.ground.machine)

    def need(self, spec: LoadSpec) -> Promise:
        """What the server would set aside for it."""
        prediction = self.predict(spec)
        expected = self._expect(spec, prediction.by_device)
        return promise(prediction, expected, self.ground.budgets)

    def fits(self, spec: LoadSpec) -> bool:
        """Whether it fits into the empty machine."""
        need = self.need(spec).bytes
        return all(need.get(room.device, 0) <= room.budget_bytes for room in self.ground.rooms)

    def verdict(self, spec: LoadSpec) -> Verdict:
        """The same, and whether others have to make room."""
        if not self.fits(spec):
            return "does_not_fit"
        need = self.need(spec).bytes
        left = {room.device: room.budget_bytes - room.held_bytes for room in self.ground.rooms}
        if all(need.get(device, 0) <= size for device, size in left.items()):
            return "fits"
        idle = {room.device: room.idle_bytes for room in self.ground.rooms}
        if all(need.get(device, 0) <= size + idle[device] for device, size in left.items()):
            return "fits_without_idle"
        return "has_to_wait"

    def largest_window(self, spec: LoadSpec) -> int:
        """Tokens of the largest context that fits with the slots asked for, up to what the model
        was trained for, or more if more was asked for; 0 where none does."""
        most = max(self.files.model.trained, self.predict(spec).shape.window)
        if self.fits(with_window(spec, most)):
            return most
        steps = largest(
            most // CELL_STEP, lambda count: self.fits(with_window(spec, count * CELL_STEP))
        )
        return steps * CELL_STEP

    def most_slots(self, spec: LoadSpec) -> int:
        """Slots that fit with the context asked for; 0 where not even one does."""
        return largest(MOST_SLOTS, lambda count: self.fits(with_slots(spec, count)))


def with_window(spec: LoadSpec, window: int) -> LoadSpec:
    """The same load with so many tokens for each slot."""
    return replace(spec, context=replace(spec.context, window=window))


def with_slots(spec: LoadSpec, slots: int) -> LoadSpec:
    """The same load with so many slots."""
    return replace(spec, context=replace(spec.context, slots=slots))


def with_cache(spec: LoadSpec, kind: str) -> LoadSpec:
    """The same load with keys and values of that type."""
    return replace(spec, context=replace(spec.context, cache_type_k=kind, cache_type_v=kind))
