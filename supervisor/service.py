"""The server as a service: its manager is told how it does, and the watchdog is fed."""

from __future__ import annotations

from collections.abc import Callable

from .announce import Situation, Watchdog, extension, lines
from .notify import Notifier, monotonic_usec

# A question that finds no way is asked again: a full queue passes by itself.
ASK_AGAIN = 1.0


class Service:
    """`ask` sends a number to the gateway, which sends it back."""

    def __init__(self, notifier: Notifier, watchdog: Watchdog, ask: Callable[[int], None]) -> None:
        # Some gateway answered: from then on there is a server.
        self.was_answered = False
        self._notifier = notifier
        self._watchdog = watchdog
        self._ask = ask
        self._told: Situation | None = None
        # The last number asked with, when that was, and the first that this gateway was asked.
        self._number = self._first = 0
        self._asked_at = float("-inf")

    def tick(self, now: float, situation: Situation) -> None:
        """Once a second, and at `deadline`."""
        self.tell(situation)
        if again := extension(situation):
            self._notifier.say(*again)
        if self._watchdog.is_due(now):
            if situation.is_served:
                self._question(now)
            else:
                self._feed(now)

    def tell(self, situation: Situation) -> None:
        """Say what has changed."""
        if said := lines(self._told, situation, monotonic_usec()):
            self._notifier.say(*said)
        self._told = situation

    def deadline(self) -> float | None:
        """When `tick` has something to do that should not wait for the second."""
        due = self._watchdog.deadline()
        return None if due is None else max(due, self._asked_at + ASK_AGAIN)

    def gateway_is_up(self, now: float) -> None:
        """A new one has reported: is it there for requests too?"""
        self._first = self._number + 1
        self._asked_at = float("-inf")
        self._question(now)

    def answered(self, now: float, number: int) -> None:
        """The gateway sent a number back."""
        if number >= self._first:
            self.was_answered = True
            self._feed(now)

    def close(self) -> None:
        self._notifier.close()

    def _question(self, now: float) -> None:
        if now >= self._asked_at + ASK_AGAIN:
            self._number += 1
            self._asked_at = now
            self._ask(self._number)

    def _feed(self, now: float) -> None:
        if self._watchdog.deadline() is not None:
            self._notifier.say("WATCHDOG=1")
            self._watchdog.fed(now)
