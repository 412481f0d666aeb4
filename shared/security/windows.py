"""Calendar windows of UTC, in which limits count. Knows no clock.

A window is known by its key, such as "2026-11-22", "2026-11" or "2026". Counts belong to a key, so
a clock that is set back finds what was counted in the earlier window, and grants nothing anew.
Unix time has no leap seconds: a day has 86,400.
"""

from __future__ import annotations

import calendar
import time
from dataclasses import dataclass
from typing import Literal

WindowName = Literal["day", "month", "year"]

DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class Window:
    """From `starts` on and before `resets`, both in seconds since the epoch."""

    key: str
    starts: int
    resets: int


@dataclass(frozen=True, slots=True)
class Windows:
    """The windows that one moment lies in."""

    day: Window
    month: Window
    year: Window

    def holds(self, now: float) -> bool:
        """Whether that moment lies in the same ones."""
        return self.day.starts <= now < self.day.resets

    def of(self, name: WindowName) -> Window:
        """The one that a limit names."""
        if name == "day":
            return self.day
        return self.month if name == "month" else self.year


def windows_at(now: float) -> Windows:
    """All windows that `now` lies in, in seconds since the epoch."""
    moment = time.gmtime(now)
    year, month = moment.tm_year, moment.tm_mon
    today = int(now // DAY_SECONDS) * DAY_SECONDS
    # Counted back from today: no library's calendar, which may end sooner, is asked for a date.
    first = today - (moment.tm_mday - 1) * DAY_SECONDS
    new_year = today - (moment.tm_yday - 1) * DAY_SECONDS
    _, days = calendar.monthrange(year, month)
    days_of_year = 366 if calendar.isleap(year) else 365
    return Windows(
        Window(f"{year:04}-{month:02}-{moment.tm_mday:02}", today, today + DAY_SECONDS),
        Window(f"{year:04}-{month:02}", first, first + days * DAY_SECONDS),
        Window(f"{year:04}", new_year, new_year + days_of_year * DAY_SECONDS),
    )


def window_of(now: float, name: WindowName) -> Window:
    """The window of that name that `now` lies in."""
    return windows_at(now).of(name)


def is_before(key: str, windows: Windows) -> bool:
    """Whether a window was over before those began. Keys of one length sort by time."""
    for window in (windows.day, windows.month, windows.year):
        if len(key) == len(window.key):
            return key < window.key
    return False
