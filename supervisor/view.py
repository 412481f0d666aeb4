"""What can be seen of the fleet: for `kronk ps`, for a reload, for the service manager."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from kronk.shared.wire.status import LeaseCounts, ModelCounters, ModelStatus

from .admission import Admission
from .counters import Counters
from .leases import Leases
from .lifecycle import State
from .model import Model
from .pool import Pool
from .rows import is_worth_a_row, row


class View:
    """Changes nothing. `load_left` says how many seconds a load has left, where that is known."""

    def __init__(
        self,
        models: Mapping[str, Model],
        pool: Pool,
        leases: Leases,
        admission: Admission,
        counters: Counters,
        load_left: Callable[[Model, float], float | None],
    ) -> None:
        self._models = models
        self._pool = pool
        self._leases = leases
        self._admission = admission
        self._counters = counters
        self._load_left = load_left

    @property
    def known(self) -> frozenset[str]:
        """The ids of all models that a request ever meant."""
        return frozenset(self._models)

    @property
    def loaded(self) -> frozenset[str]:
        """The ids of those that have a process."""
        return frozenset(model.id for model in self._models.values() if model.is_resident)

    @property
    def outdated(self) -> frozenset[str]:
        """The ids of those that go on with an old configuration."""
        models = self._models.values()
        return frozenset(m.id for m in models if m.change is not None and m.state is State.READY)

    @property
    def census(self) -> tuple[int, int]:
        """How many models are loaded, and how many requests they have."""
        models = self._models.values()
        loaded = sum(1 for model in models if model.state is State.READY)
        return loaded, sum(len(model.leases) for model in models)

    def status(
        self, now: float, processes: Mapping[int, tuple[int, int | None]]
    ) -> list[ModelStatus]:
        """The lines of `kronk ps`; `processes` is pid and resident bytes by generation."""
        rows = []
        for model in sorted(self._models.values(), key=lambda model: model.id):
            if is_worth_a_row(model):
                process = processes.get(model.worker.generation) if model.worker else None
                pid, rss = process or (None, None)
                rows.append(row(model, now, pid, rss, self._load_left(model, now)))
        return rows

    @property
    def reserved(self) -> dict[str, int]:
        """Bytes by device that are promised to models on this machine."""
        return self._admission.reserved(self._models.values())

    @property
    def leases(self) -> LeaseCounts:
        """What became of all leases."""
        return self._leases.counts

    @property
    def counters(self) -> tuple[ModelCounters, ...]:
        """What became of each model that was ever wanted."""
        models = sorted(self._models.values(), key=lambda model: model.id)
        return tuple(self._counters.told(model.id, model.restarts) for model in models)

    @property
    def refusals(self) -> dict[str, int]:
        """How many leases were refused, by the code of the error."""
        return dict(self._leases.refusals)

    @property
    def spare(self) -> int | None:
        """The generation of the spare."""
        return self._pool.spare.generation if self._pool.spare else None
