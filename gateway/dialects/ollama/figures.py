"""When an answer was made and how long it took, as Ollama says it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from kronk.shared.wire.to_gateway import Done

# Unix time in nanoseconds.
Clock = Callable[[], int]
_SECOND = 10**9


def rfc3339(moment: int) -> str:
    """`2026-11-21T18:30:00.123456789Z` of Unix time in nanoseconds."""
    seconds, rest = divmod(moment, _SECOND)
    return f"{_to_the_second(seconds)}.{rest:09d}Z"


# Asked for every token of all streams, and then for the same second.
@functools.lru_cache(8)
def _to_the_second(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"


class Stopwatch:
    """Measures one answer from the moment it is made."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began = clock()
        self._taken: int | None = None

    def now(self) -> str:
        """For `created_at`."""
        return rfc3339(self._clock())

    def started(self) -> None:
        """The model has begun with it."""
        self._taken = self._clock()

    def load(self, done: Done) -> dict[str, int]:
        """All the time so far, and the part of it that the request waited for its model."""
        now = self._clock()
        timings = done.timings
        if self._taken is None:
            spent = timings.queued + timings.prefill + timings.decode
            waited = now - self._began - _nanoseconds(spent)
        else:
            waited = self._taken - self._began - _nanoseconds(timings.queued)
        return {"total_duration": max(now - self._began, 0), "load_duration": max(waited, 0)}

    def figures(self, done: Done) -> dict[str, Any]:
        """All that the last object of a generated answer says; durations are nanoseconds."""
        return {
            **self.load(done),
            "prompt_eval_count": done.usage.prompt_tokens,
            "prompt_eval_duration": _nanoseconds(done.timings.prefill),
            "eval_count": done.usage.completion_tokens,
            "eval_duration": _nanoseconds(done.timings.decode),
        }


def _nanoseconds(seconds: float) -> int:
    return round(seconds * _SECOND)
