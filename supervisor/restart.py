"""When a process that died may be started again."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

FIRST_DELAY = 1.0
LONGEST_DELAY = 60.0
# This many failures within the window, and the model is failed.
MOST_FAILURES = 5
WINDOW = 600.0
# A process that was up for so long did not fail by starting. jupyter_client says 10 s, systemd's
# users 60; a model that crashes once a minute should still be slowed down.
STABLE = 60.0
FIRST_HOLD = 60.0
LONGEST_HOLD = 600.0


@dataclass(frozen=True, slots=True)
class Retry:
    """Try again at this time."""

    at: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Refuse until this time, then let one attempt decide."""

    until: float


class Restarts:
    """The failures of one thing that is restarted, and what they mean for the next attempt."""

    def __init__(self) -> None:
        self._recent: deque[float] = deque(maxlen=MOST_FAILURES)
        # Failures since it was last up for long; sets the delay.
        self._streak = 0
        # Holds in a row without a stable time between them; more than zero is half-open.
        self._holds = 0

    def failed(self, now: float, up_since: float | None = None) -> Retry | GiveUp:
        """Count one failure. `up_since` is when the process became usable, None if it never did."""
        if up_since is not None and now - up_since >= STABLE:
            self._streak = self._holds = 0
        self._recent.append(now)
        self._streak += 1
        if self._holds or self._count(now) >= MOST_FAILURES:
            return self.give_up(now)
        return Retry(now + min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** (self._streak - 1)))

    def give_up(self, now: float) -> GiveUp:
        """Hold without more attempts: the failure is known to be one that comes back."""
        hold = min(LONGEST_HOLD, FIRST_HOLD * 2.0**self._holds)
        self._holds += 1
        return GiveUp(now + hold)

    def reset(self) -> None:
        """Forget everything: someone repaired the cause."""
        self._recent.clear()
        self._streak = self._holds = 0

    def _count(self, now: float) -> int:
        return sum(1 for time in self._recent if now - time < WINDOW)
