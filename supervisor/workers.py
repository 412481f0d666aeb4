"""One worker process, as the fleet knows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kronk.shared.wire.loading import Fitted
from kronk.shared.wire.status import WorkerStats

from .health import Vitals
from .load_times import Progress
from .placing import LOCAL
from .verdict import Ending

if TYPE_CHECKING:
    from .model import Model

# From the spawn to Hello: Python's start and the imports, on a machine that is busy.
HELLO_WITHIN = 60.0


@dataclass(slots=True, eq=False)
class Worker:
    """From the spawn to the reap."""

    generation: int
    vitals: Vitals
    # When it is given up on; None once it has said Hello.
    hello_by: float | None
    hello_at: float | None = None
    # `local`, or the worker host it runs on.
    place: str = LOCAL
    # The folder of the llama.cpp that it has loaded; None: the one that came with the binding.
    library: str | None = None
    # None: the spare, or a spare that is being stopped.
    model: Model | None = None
    # When it was given its model.
    taken_at: float | None = None
    # The last phase of its load that it reported.
    phase: str | None = None
    # Set once it has a model.
    progress: Progress | None = None
    # Both are set once it is ready.
    fitted: Fitted | None = None
    ready_at: float | None = None
    # What its process took of all devices, when it was new.
    taken_bytes: int | None = None
    stats: WorkerStats | None = None
    # Both are set once we want it to end; the time is that of the next SIGKILL.
    ending: Ending | None = None
    kill_at: float | None = None

    @property
    def name(self) -> str | None:
        """The id of its model."""
        return self.model.id if self.model else None

    @property
    def is_loading(self) -> bool:
        """It is at its load, and we still want it."""
        return self.model is not None and self.ending is None and self.fitted is None

    @property
    def load_seconds(self) -> float:
        """What its load took; 0 until it is ready."""
        if self.ready_at is None or self.taken_at is None:
            return 0.0
        return self.ready_at - self.taken_at

    @property
    def places(self) -> int:
        """Requests it may have at a time, running or waiting."""
        return self.fitted.slots + self.fitted.queue if self.fitted else 0

    def deadline(self) -> float | None:
        """When the fleet next has to look at it, apart from its health."""
        return self.kill_at if self.kill_at is not None else self.hello_by

    def postpone(self, gap: float, now: float) -> None:
        """Nothing ran for `gap` seconds: no deadline was missed."""
        self.vitals.forgive(now)
        if self.hello_by is not None:
            self.hello_by += gap
        if self.kill_at is not None:
            self.kill_at += gap


def newborn(generation: int, now: float, place: str = LOCAL, library: str | None = None) -> Worker:
    """A worker that is about to be spawned."""
    return Worker(generation, Vitals(None, now), now + HELLO_WITHIN, place=place, library=library)
