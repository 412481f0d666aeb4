"""The stages of a server's life, and how long each may last; decided without I/O."""

from __future__ import annotations

from enum import Enum, auto

# What a gateway gets beyond its own limit, and from SIGTERM to SIGKILL; in seconds.
GATEWAY_GRACE = 3.0


class Stage(Enum):
    RUNNING = auto()
    # The gateway finishes what it has.
    DRAINING = auto()
    # Everything is told to exit.
    STOPPING = auto()


class Life:
    """Goes on to the next stage, and never back."""

    def __init__(self) -> None:
        self.stage = Stage.RUNNING
        # When the present stage is over at the latest; None for no limit.
        self.deadline: float | None = None

    @property
    def is_running(self) -> bool:
        return self.stage is Stage.RUNNING

    @property
    def is_stopping(self) -> bool:
        return self.stage is Stage.STOPPING

    def drain(self, now: float, timeout: float) -> None:
        """Running requests may end, within `timeout` seconds; 0 for no limit.

        The gateway keeps the same limit, and can tell its callers why: ours comes after it.
        """
        self.stage = Stage.DRAINING
        self.deadline = now + timeout + GATEWAY_GRACE if timeout else None

    def stop(self, now: float) -> bool:
        """Everything is to exit; False when it has been told so before."""
        if self.is_stopping:
            return False
        self.stage = Stage.STOPPING
        self.deadline = now + GATEWAY_GRACE
        return True

    def overdue(self, now: float) -> Stage | None:
        """The stage whose time is up; told once."""
        if self.deadline is None or now < self.deadline:
            return None
        self.deadline = None
        return self.stage
