"""How far a job is: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from kronk.shared.jobs.kinds import Progress as Report
from kronk.shared.jobs.pace import Pace, observe
from kronk.shared.units import format_bytes, format_duration

# Between two lines of progress where there is no terminal to draw on.
_SECONDS_PER_LINE = 3.0


@dataclass(frozen=True, slots=True)
class Seen:
    """What there is to show of a job. `rate` is bytes a second, `eta` the seconds left."""

    words: str
    done: int = 0
    total: int | None = None
    rate: float | None = None
    eta: float | None = None
    # It waits, for another job or for its next attempt.
    is_waiting: bool = False


Show = Callable[[Seen], None]


def seen_of(job: dict[str, Any], now: float) -> Seen | None:
    """What the server says of a job, for the screen; None where there is nothing to show."""
    if job["state"] == "queued":
        return Seen(_waiting(job, now), is_waiting=True)
    if job["state"] not in ("running", "done") or job["phase"] is None:
        return None
    total, rate, eta = job["total_bytes"], job["rate"], job["eta"]
    return Seen(str(job["phase"]), int(job["done_bytes"]), total, rate, eta)


def _waiting(job: dict[str, Any], now: float) -> str:
    if job["error"] is None:
        return "waiting for other jobs"
    words = f"{job['error']['message']}; tried again"
    left = (job["retry_at"] or 0.0) - now
    return f"{words} in {math.ceil(left)} s" if left > 0 else words


@contextmanager
def screen(console: Console) -> Iterator[Show]:
    """Shows what is seen of one job, one after the other."""
    if console.is_terminal:
        with _bar(console) as show:
            yield show
    else:
        yield lines(console, time.monotonic)


def report_to(show: Show, clock: Callable[[], float] = time.monotonic) -> Report:
    """What a job that runs in this process tells how far it is."""
    pace: Pace | None = None

    def report(phase: str, done: int, total: int | None) -> None:
        nonlocal pace
        pace = observe(pace, clock(), phase, done, total)
        show(Seen(phase, done, total, pace.rate, pace.eta))

    return report


@contextmanager
def _bar(console: Console) -> Iterator[Show]:
    """A bar for each phase."""
    columns = (
        TextColumn("{task.description:<8}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[rest]}", markup=False),
    )
    with Progress(*columns, console=console) as progress:
        tasks: dict[str, TaskID] = {}
        said = ""

        def show(seen: Seen) -> None:
            nonlocal said
            if seen.is_waiting:
                if seen.words != said:
                    progress.print(seen.words, markup=False, soft_wrap=True)
                said = seen.words
                return
            said = ""
            if seen.words not in tasks:
                tasks[seen.words] = progress.add_task(seen.words, total=None, rest="")
            progress.update(
                tasks[seen.words], completed=seen.done, total=seen.total, rest=rest(seen)
            )

        yield show


def lines(console: Console, clock: Callable[[], float]) -> Show:
    """A plain line when a phase starts and ends, and every few seconds between."""
    last_words, last_time = "", -math.inf

    def show(seen: Seen) -> None:
        nonlocal last_words, last_time
        now = clock()
        ended = seen.total is not None and seen.done == seen.total
        same = seen.words == last_words
        if same and (seen.is_waiting or not ended) and now - last_time < _SECONDS_PER_LINE:
            return
        last_words, last_time = seen.words, now
        console.print(line(seen), markup=False, soft_wrap=True)

    return show


def line(seen: Seen) -> str:
    """`download 42% of 94 MiB, 3.1 MiB/s, 12s left`, as far as it is known."""
    return seen.words if seen.is_waiting else f"{seen.words} {rest(seen)}"


def rest(seen: Seen) -> str:
    """What stands behind the bar."""
    parts = [share(seen.done, seen.total)]
    if seen.rate is not None and seen.done != seen.total:
        parts.append(f"{format_bytes(round(seen.rate))}/s")
    if seen.eta is not None:
        parts.append(f"{format_duration(math.ceil(seen.eta))} left")
    return ", ".join(parts)


def share(done: int, total: int | None) -> str:
    """`42% of 94 MiB`, or the bytes alone where nobody knows how many there will be."""
    if not total:
        return format_bytes(done)
    return f"{100 * done // total}% of {format_bytes(total)}"
