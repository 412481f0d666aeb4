"""What the supervisor knows of memory: budgets, sizes of models, and what they were found to take.

The fleet decides by it; this is where it is read, measured and kept.
"""

from __future__ import annotations

import psutil
import structlog

from kronk.shared.models.headers import headers_of
from kronk.shared.paths import BasePath
from kronk.shared.settings import Settings
from kronk.shared.sizing import budget
from kronk.shared.sizing.learned import Learned
from kronk.shared.sizing.machine import machine, uses_gpus
from kronk.shared.wire.status import Budget

from . import keeper
from .fleet import Fleet
from .keeper import Keeper
from .needs import Needs
from .processes import Processes
from .sizes import Sizes

log = structlog.get_logger()

# Seconds between looks at what processes have.
LOOK_EVERY = 10.0


class Memory:
    """One for the life of the supervisor."""

    def __init__(self, settings: Settings, base: BasePath) -> None:
        self._devices = budget.devices(settings.memory_budget, uses_gpus=uses_gpus())
        self._file = base.model_sizes
        self._keeper = Keeper(self._file)
        self._learned = Learned()
        self.budgets = {device.name: device.budget_bytes for device in self._devices}
        # Filled by the thread that looks names up.
        self.sizes = Sizes(headers_of(base).read)
        self.needs = Needs(self.sizes, self._learned, machine(self._devices), self.budgets)
        self._look_at = 0.0

    def start(self) -> None:
        """Read what earlier servers have learned."""
        known = keeper.read(self._file)
        if known and not self._learned.read(known):
            log.warning("measured sizes of models: parts were damaged", path=str(self._file))
        log.info("memory budget", **self.budgets)

    def tick(self, now: float, fleet: Fleet, processes: Processes) -> None:
        """Once a second."""
        if now >= self._look_at:
            self._look_at = now + LOOK_EVERY
            sizes = {child.generation: resident_bytes(child.pid) for child in processes}
            fleet.resident({key: size for key, size in sizes.items() if size is not None})
        if self._learned.saved != self._learned.version:
            self._learned.saved = self._learned.version
            self._keeper.keep(self._learned.to_json())

    def status(self, fleet: Fleet) -> tuple[Budget, ...]:
        """The budgets, and what is promised of them now."""
        reserved = fleet.view.reserved
        return tuple(
            Budget(one.name, one.total_bytes, one.budget_bytes, reserved.get(one.name, 0))
            for one in self._devices
        )

    def close(self) -> None:
        """What was learned last is written, if the disk is willing."""
        self._keeper.close()


def resident_bytes(pid: int) -> int | None:
    """Main memory that a process has; None when it is gone."""
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return None
