"""What a model is expected to take: predicted from its header, corrected by what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from kronk.shared.errors import InvalidArgument
from kronk.shared.gguf import Header
from kronk.shared.sizing.identity import load_of
from kronk.shared.sizing.learned import Learned, Load
from kronk.shared.sizing.placing import HOST
from kronk.shared.sizing.predict import Machine, Prediction, predict
from kronk.shared.sizing.promise import promise
from kronk.shared.sizing.shape import Host
from kronk.shared.wire.loading import LoadSpec, Taken

from .sizes import Sized, Sizes

# How much more is set aside for a load that ran out of memory.
AFTER_FAILURE = 1.25


@dataclass(frozen=True, slots=True)
class Need:
    """What a model is to be promised, in bytes by device."""

    bytes: Mapping[str, int]
    # Of it, for cached prefixes: what the worker is told instead of what was configured.
    cache_bytes: int
    prediction: Prediction
    load: Load
    # Without caches: as predicted, and as learned.
    predicted: Mapping[str, int]
    expected: Mapping[str, int]


class Needs:
    """`budgets` are bytes by device; a device that is not in it has no limit."""

    def __init__(
        self, sizes: Sizes, learned: Learned, machine: Machine, budgets: Mapping[str, int]
    ) -> None:
        self._sizes = sizes
        self._learned = learned
        self._machine = machine
        self._budgets = budgets
        # By model, with what they were made of.
        self._needs: dict[str, tuple[LoadSpec, Sized, int, Need]] = {}
        # Bytes of main memory that turned out to be too few for a load.
        self._failed: dict[str, int] = {}
        self._failures = 0

    @classmethod
    def of_nothing(cls) -> Needs:
        """Where no sizes are known, everything fits."""
        return cls(Sizes(_unreadable), Learned(), Machine(Host(1, 0)), {})

    def need(self, spec: LoadSpec) -> Need | None:
        """None where nothing is known of its size."""
        sized = self._sizes.of(spec)
        if sized is None:
            return None
        version = self._learned.version + self._failures
        known = self._needs.get(spec.model)
        if known is not None and known[0] is spec and known[1] is sized and known[2] == version:
            return known[3]
        need = self._need(spec, sized)
        self._needs[spec.model] = (spec, sized, version, need)
        return need

    def what_if(self, spec: LoadSpec) -> Need | None:
        """The need of a model with another configuration than its own."""
        sized = self._sizes.of(spec)
        return self._need(spec, sized) if sized is not None else None

    def trimmed(self, spec: LoadSpec) -> LoadSpec:
        """What the worker is told: its cache grows up to what was set aside for it."""
        need = self.need(spec)
        if need is None or need.cache_bytes >= spec.cache.ram_bytes:
            return spec
        return replace(spec, cache=replace(spec.cache, ram_bytes=need.cache_bytes))

    def measured(self, spec: LoadSpec, taken: Taken) -> None:
        """A load has worked and took this much."""
        need = self.need(spec)
        if need is not None:
            mapped = max(taken.mapped_bytes - need.prediction.stale_bytes, 0)
            host = taken.private_bytes + mapped + taken.untouched_bytes
            self._forget(need.load)
            self._learned.measured(need.load, {**taken.devices, HOST: host}, need.predicted)

    def grew(self, spec: LoadSpec, resident_bytes: int) -> None:
        """Its process was seen to have this much of main memory."""
        need = self.need(spec)
        if need is not None:
            growth = need.bytes.get(HOST, 0) - need.expected.get(HOST, 0)
            stale = need.prediction.stale_bytes
            self._learned.grew(need.load, HOST, resident_bytes - growth - stale)

    def failed(self, spec: LoadSpec) -> None:
        """A load ran out of memory: it gets more the next time, all there is in the end."""
        need = self.need(spec)
        if need is not None:
            more = int(need.bytes.get(HOST, 0) * AFTER_FAILURE)
            self._failed[need.load.whole] = min(more, self._budgets.get(HOST, more))
            self._failures += 1

    def _forget(self, load: Load) -> None:
        if self._failed.pop(load.whole, None) is not None:
            self._failures += 1

    def _need(self, spec: LoadSpec, sized: Sized) -> Need:
        prediction = predict(spec, sized.files, self._machine)
        predicted = prediction.by_device
        load = load_of(sized.identity, spec)
        promised = promise(prediction, self._learned.expect(load, predicted), self._budgets)
        host = max(promised.bytes.get(HOST, 0), self._failed.get(load.whole, 0))
        return Need(
            {**promised.bytes, HOST: host},
            promised.cache_bytes,
            prediction,
            load,
            predicted,
            promised.expected,
        )


def _unreadable(path: Path) -> Header:
    raise InvalidArgument(f"{path.name}: is not read")
