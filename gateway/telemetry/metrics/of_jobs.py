"""How jobs get on: told of each change, so that nothing has to be looked up for a scrape."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kronk.gateway.jobs.records import Job, State

if TYPE_CHECKING:
    from .sheet import Sheet

# Seconds without any progress after which a running job is worth a look.
STUCK_AFTER = 120.0
# Ids of jobs that are over, which may be told so twice.
_MOST_ENDED = 1000


@dataclass(slots=True)
class _Seen:
    job: Job
    # When it last was something else.
    changed: float


class JobTallies:
    """`note` on the event loop, `write` in any thread. `clock` is monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._live: dict[str, _Seen] = {}
        self._ended: deque[str] = deque(maxlen=_MOST_ENDED)
        self._outcomes: Counter[tuple[str, str]] = Counter()
        self._bytes: Counter[str] = Counter()

    def note(self, job: Job) -> None:
        """A job is so now."""
        with self._lock:
            if job.id in self._ended:
                return
            seen = self._live.get(job.id)
            before = job.done_bytes if seen is None else seen.job.done_bytes
            # One that begins anew has nothing taken back.
            self._bytes[job.kind] += max(job.done_bytes - before, 0)
            if job.is_over:
                self._live.pop(job.id, None)
                self._ended.append(job.id)
                self._outcomes[job.kind, job.state.value] += 1
            elif seen is None or _progress(seen.job) != _progress(job):
                self._live[job.id] = _Seen(job, self._clock())
            else:
                seen.job = job

    def write(self, sheet: Sheet) -> None:
        """Their samples."""
        with self._lock:
            live = Counter((seen.job.kind, seen.job.state.value) for seen in self._live.values())
            kinds = {kind for kind, _ in live} | {kind for kind, _ in self._outcomes}
            stuck = Counter(seen.job.kind for seen in self._live.values() if self._is_stuck(seen))
            for kind in sorted(kinds):
                for state in (State.QUEUED, State.RUNNING):
                    count = live[kind, state.value]
                    sheet.add("kronk_jobs", count, kind=kind, state=state.value)
                sheet.add("kronk_jobs_stuck", stuck[kind], kind=kind)
                sheet.add("kronk_job_bytes_total", self._bytes[kind], kind=kind)
            for (kind, outcome), count in self._outcomes.items():
                sheet.add("kronk_jobs_ended_total", count, kind=kind, outcome=outcome)

    def _is_stuck(self, seen: _Seen) -> bool:
        if seen.job.state is State.QUEUED:
            return seen.job.error is not None
        return self._clock() - seen.changed >= STUCK_AFTER


def _progress(job: Job) -> tuple[State, str | None, int]:
    return job.state, job.phase, job.done_bytes
