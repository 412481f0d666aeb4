"""When a try that failed is repeated: pauses that grow, and what the server asks for."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from .fetching import FetchFailed

_LONGEST_PAUSE = 60.0
# What a server may ask for; the hub counts requests over five minutes.
_LONGEST_ASKED = 330.0


class Again(Exception):
    """This try failed and the next may not. `wait` is what the server asked for, in seconds."""

    def __init__(self, why: str, wait: float | None = None) -> None:
        super().__init__(why)
        self.wait = wait


@dataclass(frozen=True, slots=True)
class Patience:
    """How to wait; tests have their own."""

    pause: Callable[[float], None] = time.sleep
    # In [0, 1).
    chance: Callable[[], float] = random.random
    # Failures in a row that are borne, and how many once something has come: a way that has worked
    # deserves more.
    most: tuple[int, int] = (4, 9)

    def tries(self, name: str, reached: int = 0) -> Tries:
        """For one file, of which so many bytes are there."""
        return Tries(name, self, reached)


@dataclass(slots=True)
class Tries:
    """Counts the failures of one download."""

    name: str
    patience: Patience
    _furthest: int
    _failures: int = 0
    _worked: bool = False

    def failed(self, error: Exception, reached: int = 0) -> None:
        """Wait before the next try, or raise `FetchFailed`. `reached`: bytes in hand; what was
        reached before is no progress, or a server that always breaks off would be asked for ever.
        """
        if reached > self._furthest:
            self._furthest, self._failures, self._worked = reached, 0, True
        self._failures += 1
        why = f"{self.name}: {words(error)}"
        if self._failures > self.patience.most[self._worked]:
            raise FetchFailed(f"{why}; gave up after {self._failures} tries") from error
        asked = error.wait if isinstance(error, Again) else None
        if asked is not None and asked > _LONGEST_ASKED:
            raise FetchFailed(f"{why}; it asks to wait {asked:.0f} s", retry_after=asked) from error
        self.patience.pause(asked if asked is not None else self._own_pause())

    def _own_pause(self) -> float:
        # Many clients of a server that went away must not come back at the same moment.
        full = min(2.0 ** (self._failures - 1), _LONGEST_PAUSE)
        return full * (0.5 + self.patience.chance() / 2)


def asked_wait(retry_after: str | None, now: datetime | None = None) -> float | None:
    """Seconds of a Retry-After header, which has a number or a date; None where it has neither."""
    text = (retry_after or "").strip()
    if text.isdecimal():
        return float(text)
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return None
    when = when if when.tzinfo is not None else when.replace(tzinfo=UTC)
    return max((when - (now or datetime.now(UTC))).total_seconds(), 0.0)


def words(error: Exception) -> str:
    """What an exception says, in one line; some say nothing."""
    said = str(error).strip() or type(error).__name__
    return said.splitlines()[0]
