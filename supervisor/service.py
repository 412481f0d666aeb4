"""The server as a service: its manager is told how it does, and the watchdog is fed."""

from __future__ import annotations

from .announce import Situation, Watchdog, extension, lines
from .notify import Notifier, monotonic_usec


class Service:
    """What the manager was told already, and when the watchdog is to be fed again."""

    def __init__(self, notifier: Notifier, watchdog: Watchdog) -> None:
        # The loop of some gateway turned: from then on there is a server.
        self.was_served = False
        self._notifier = notifier
        self._watchdog = watchdog
        self._told: Situation | None = None

    def tick(self, now: float, situation: Situation) -> None:
        """Once a second."""
        self.tell(situation)
        if again := extension(situation):
            self._notifier.say(*again)
        if not situation.is_served:
            self._feed(now)

    def tell(self, situation: Situation) -> None:
        """Say what has changed. What could not be said is still to be said with the next tick."""
        said = lines(self._told, situation, monotonic_usec())
        if not said or self._notifier.say(*said):
            self._told = situation

    def gateway_beat(self, now: float) -> None:
        """The gateway's loop has said so itself, through the control plane and our own loop."""
        self.was_served = True
        self._feed(now)

    def close(self) -> None:
        self._notifier.close()

    def _feed(self, now: float) -> None:
        if self._watchdog.is_due(now) and self._notifier.say("WATCHDOG=1"):
            self._watchdog.fed(now)
