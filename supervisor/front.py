"""When the gateway is started, started again, and given up on. Nothing else depends on its life."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .health import FROZEN_AFTER
from .pool import ABORT_GRACE, KILL_AGAIN
from .restart import FIRST_DELAY, LONGEST_DELAY, STABLE
from .workers import HELLO_WITHIN

# A gateway that never once came up will not the fourth time either: a broken installation.
HOPELESS_AFTER = 3


@dataclass(frozen=True, slots=True)
class Cure:
    """What to do to a gateway that does not do its part, and why."""

    by: Literal["abort", "kill"]
    words: str


class Front:
    """The gateway's times. It runs from `started` to `exited`.

    Its event loop beats once a second. What keeps the loop from that keeps it from every request.
    """

    def __init__(self, now: float, silent_after: float = FROZEN_AFTER) -> None:
        # The generation of the process that runs.
        self.generation: int | None = None
        self.is_up = False
        self._start_at = now
        self._hello_by: float | None = None
        self._up_since: float | None = None
        self._silent_after = silent_after
        # None before Hello.
        self._last_beat: float | None = None
        # What it is being ended for, and when it is sent SIGKILL after SIGABRT.
        self.ending: str | None = None
        self._kill_at: float | None = None
        # Deaths without a stable time between them.
        self._streak = 0
        self._was_ever_up = False

    def is_due(self, now: float) -> bool:
        """It does not run, and it is time that it did."""
        return self.generation is None and now >= self._start_at

    def watch(self, now: float) -> Cure | None:
        """Whether it did not report, or its loop stands still. Each cure is named once, and a kill
        again if it does not help."""
        if self._kill_at is not None:
            if now < self._kill_at:
                return None
            self._kill_at = now + KILL_AGAIN
            return Cure("kill", "it did not end at SIGABRT")
        if self._hello_by is not None and now >= self._hello_by:
            words = "it did not report after its start"
        elif self._last_beat is not None and now - self._last_beat > self._silent_after:
            words = f"hung: its event loop did nothing for {self._silent_after:g} s"
        else:
            return None
        self._kill_at = now + ABORT_GRACE
        self.ending = words
        return Cure("abort", words)

    def beat(self, now: float) -> None:
        """Its event loop lives."""
        self._last_beat = now

    @property
    def is_hopeless(self) -> bool:
        return not self._was_ever_up and self._streak >= HOPELESS_AFTER

    def deadline(self) -> float | None:
        """When the next of these changes by time alone."""
        if self.generation is None:
            return self._start_at
        return self._hello_by if self._kill_at is None else self._kill_at

    def started(self, generation: int, now: float) -> None:
        self.generation = generation
        self._hello_by = now + HELLO_WITHIN

    def said_hello(self, now: float) -> None:
        self.is_up = self._was_ever_up = True
        self._hello_by = None
        self._up_since = self._last_beat = now

    def postpone(self, gap: float) -> None:
        """Nothing ran for `gap` seconds."""
        if self._hello_by is not None:
            self._hello_by += gap
        if self._kill_at is not None:
            self._kill_at += gap
        if self._last_beat is not None:
            self._last_beat += gap

    def exited(self, now: float) -> float:
        """It is gone; returns the delay until its next start, none after a stable time."""
        if self._up_since is not None and now - self._up_since >= STABLE:
            self._streak = 0
        self._streak += 1
        delay = 0.0
        if self._streak > 1:
            delay = min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** (self._streak - 2))
        self.generation = self._hello_by = self._up_since = None
        self._last_beat = self._kill_at = self.ending = None
        self.is_up = False
        self._start_at = now + delay
        return delay
