"""The progress of all files of a plan as one, as often as somebody can look at it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from .fetching import Progress

# Seconds between two reports of one phase.
INTERVAL = 0.1


class PlanProgress:
    """Adds up what the files report. Within a phase what is reported never goes back, also when
    a file has to be begun anew."""

    def __init__(
        self,
        progress: Progress,
        sizes: Sequence[int | None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._progress = progress
        self._clock = clock
        # By phase, by file: done, in all. Every file has to be downloaded; the other phases are
        # about those that it comes up for.
        self._states: dict[str, dict[int, tuple[int, int | None]]] = {
            "download": {at: (0, size) for at, size in enumerate(sizes)}
        }
        self._told: dict[str, tuple[int, int | None]] = {}
        self._phase = ""
        self._next = 0.0

    def of(self, file: int) -> Progress:
        """The progress of one file of the plan."""

        def report(phase: str, done: int, total: int | None) -> None:
            self._states.setdefault(phase, {})[file] = (done, total)
            ended = done == total
            if phase != self._phase or ended or self._clock() >= self._next:
                self._tell(phase)

        return report

    def have(self, file: int, size: int) -> None:
        """That file is there: it counts as downloaded, but nothing is reported for that alone."""
        self._states["download"][file] = (size, size)

    def _tell(self, phase: str) -> None:
        states = self._states[phase].values()
        sizes = [total for _, total in states if total is not None]
        total = sum(sizes) if len(sizes) == len(states) else None
        done = max(sum(done for done, _ in states), self._told.get(phase, (0, None))[0])
        if total is not None:
            done = min(done, total)
        self._phase, self._next = phase, self._clock() + INTERVAL
        if self._told.get(phase) != (done, total):
            self._told[phase] = (done, total)
            self._progress(phase, done, total)
