"""When a request of a batch is tried again, and when it is given up."""

from __future__ import annotations

import math

from kronk.shared.errors import (
    CallerError,
    KronkError,
    ModelCrashed,
    ModelFailed,
    Overloaded,
    Timeout,
)

_FIRST_WAIT, _LONGEST_WAIT = 1.0, 60.0
# How often it is tried at most, by what went wrong; other errors of ours are met twice.
_ATTEMPTS: tuple[tuple[type[KronkError], int], ...] = (
    (CallerError, 1),
    # The first time in company, which may have been what the worker died of.
    (ModelCrashed, 3),
    # The supervisor tries again by itself; this is long enough to see several of its attempts.
    (ModelFailed, 8),
    (Timeout, 2),
)
_ATTEMPTS_ELSE = 2


def wait_before_retry(error: KronkError, attempts: int, chance: float) -> float | None:
    """Seconds until the next attempt after so many; None is to give up.

    Being busy is no failure: such requests wait until the batch's window ends. `chance`, from 0 to
    1, keeps requests that failed together from coming back together.
    """
    if not isinstance(error, Overloaded) and attempts >= _most_attempts(error):
        return None
    wait = min(math.ldexp(_FIRST_WAIT, min(attempts - 1, 10)), _LONGEST_WAIT)
    return max(wait, error.retry_after or 0.0) * (1.0 + 0.5 * chance)


def _most_attempts(error: KronkError) -> int:
    return next((most for kind, most in _ATTEMPTS if isinstance(error, kind)), _ATTEMPTS_ELSE)
