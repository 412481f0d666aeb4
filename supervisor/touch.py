"""Whether a worker host hears its server, and what it does while it does not; pure."""

from __future__ import annotations

from enum import Enum, auto

# How long a server may not answer before the log says so, in seconds.
PATIENCE = 10.0


class Step(Enum):
    """What silence calls for."""

    # The server has counted our workers as lost.
    END_WORKERS = auto()
    # The connection stands, and nobody is at its other end: a second host with our token has taken
    # our place there, or the network lost it without a word.
    DIAL = auto()
    # People should know.
    COMPLAIN = auto()


class Touch:
    """Times are seconds of one clock."""

    def __init__(self, now: float) -> None:
        self.is_in_touch = False
        self._last_heard = now
        self._dialled = now
        # What the server said; before that there is nothing that could be lost.
        self._lost_after = float("inf")
        self._has_complained = False

    def heard(self, now: float) -> None:
        """Something came from the server."""
        self._last_heard = now

    def welcome(self, lost_after: float) -> None:
        """It knows us, and counts us as lost after so many seconds."""
        self.is_in_touch = True
        self._lost_after = lost_after
        self._has_complained = False

    def lost(self) -> None:
        """The connection broke."""
        self.is_in_touch = False

    def silent(self, now: float) -> float:
        """Seconds since the last word."""
        return now - self._last_heard

    def steps(self, now: float) -> list[Step]:
        """What is due now; each is taken when it is told."""
        found = []
        if self.silent(now) > self._lost_after:
            found.append(Step.END_WORKERS)
        if now - max(self._last_heard, self._dialled) > self._lost_after:
            self._dialled = now
            self.is_in_touch = False
            found.append(Step.DIAL)
        if not (self.is_in_touch or self._has_complained) and self.silent(now) > PATIENCE:
            self._has_complained = True
            found.append(Step.COMPLAIN)
        return found
