"""When the gateway is started, started again, and given up on. Nothing else depends on its life."""

from __future__ import annotations

from .restart import FIRST_DELAY, LONGEST_DELAY, STABLE
from .workers import HELLO_WITHIN

# A gateway that never once came up will not the fourth time either: a broken installation.
HOPELESS_AFTER = 3


class Front:
    """The gateway's times. It runs from `started` to `exited`."""

    def __init__(self, now: float) -> None:
        # The generation of the process that runs.
        self.generation: int | None = None
        self.is_up = False
        self._start_at = now
        self._hello_by: float | None = None
        self._up_since: float | None = None
        # Deaths without a stable time between them.
        self._streak = 0
        self._was_ever_up = False

    def is_due(self, now: float) -> bool:
        """It does not run, and it is time that it did."""
        return self.generation is None and now >= self._start_at

    def is_late(self, now: float) -> bool:
        """It runs, but has not reported."""
        return self._hello_by is not None and now >= self._hello_by

    @property
    def is_hopeless(self) -> bool:
        return not self._was_ever_up and self._streak >= HOPELESS_AFTER

    def deadline(self) -> float | None:
        """When the next of these changes by time alone."""
        return self._start_at if self.generation is None else self._hello_by

    def started(self, generation: int, now: float) -> None:
        self.generation = generation
        self._hello_by = now + HELLO_WITHIN

    def said_hello(self, now: float) -> None:
        self.is_up = self._was_ever_up = True
        self._hello_by = None
        self._up_since = now

    def postpone(self, gap: float) -> None:
        """Nothing ran for `gap` seconds."""
        if self._hello_by is not None:
            self._hello_by += gap

    def exited(self, now: float) -> float:
        """It is gone; returns the delay until its next start, none after a stable time."""
        if self._up_since is not None and now - self._up_since >= STABLE:
            self._streak = 0
        self._streak += 1
        delay = 0.0
        if self._streak > 1:
            delay = min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** (self._streak - 2))
        self.generation = self._hello_by = self._up_since = None
        self.is_up = False
        self._start_at = now + delay
        return delay
