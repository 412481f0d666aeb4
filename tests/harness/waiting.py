"""Waiting for other processes: bounded, and saying what did not come."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

# For anything that should happen at once. Far more than it takes on a busy machine: it bounds a
# broken run and is never a measure of speed.
PATIENCE = 60.0
_POLL = 0.02

T = TypeVar("T")


def wait_until(
    predicate: Callable[[], T | None], what: str | Callable[[], str], timeout: float = PATIENCE
) -> T:
    """The first true value of `predicate`; fails with `what` was waited for when it never is.

    A machine that stands still (a virtual one, a crowded one) wakes us late: nobody could have done
    anything in that time, and it does not count.
    """
    deadline = time.monotonic() + timeout
    while True:
        if value := predicate():
            return value
        if time.monotonic() > deadline:
            said = what if isinstance(what, str) else what()
            raise AssertionError(f"waited {timeout:g} s in vain: {said}")
        # A poll of a process outside, which has no other way to tell us, and bounded by the
        # deadline above.
        slept = time.monotonic()
        time.sleep(_POLL)
        deadline += time.monotonic() - slept - _POLL


def pause(seconds: float) -> None:
    """For faults that are a time in which nothing happens: a process that stands still."""
    time.sleep(seconds)
