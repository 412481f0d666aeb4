"""Fetching a model into the models folder of this machine, with its progress on the terminal."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from kronk.shared.errors import InvalidArgument
from kronk.shared.models import planning
from kronk.shared.models.fetching import Progress as Report
from kronk.shared.models.pull import pull
from kronk.shared.settings import Settings
from kronk.shared.units import format_bytes

# Between two lines of progress where there is no terminal to draw on.
_SECONDS_PER_LINE = 3.0


def pull_here(settings: Settings, wanted: str, *, local: bool) -> Path:
    """Fetch it and return the first file's path; progress goes to stderr."""
    if not local:
        raise InvalidArgument(
            "pulling through the server is not in this version yet; "
            "add --local to fetch into the models folder of this machine"
        )
    console = Console(stderr=True, highlight=False)
    with _bar(console) if console.is_terminal else _lines(console) as report:
        return pull(settings.base, planning.plan(settings, wanted), report, settings.hf_token)


@contextmanager
def _bar(console: Console) -> Iterator[Report]:
    """One bar per phase, with rate and time left."""
    columns = (
        TextColumn("{task.description:<8}"),
        BarColumn(),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        tasks: dict[str, TaskID] = {}

        def report(phase: str, done: int, total: int | None) -> None:
            if phase not in tasks:
                tasks[phase] = progress.add_task(phase, total=total)
            progress.update(tasks[phase], completed=done, total=total)

        yield report


@contextmanager
def _lines(console: Console) -> Iterator[Report]:
    """A plain line when a phase starts and ends, and every few seconds between."""
    last_phase, last_time = "", 0.0

    def report(phase: str, done: int, total: int | None) -> None:
        nonlocal last_phase, last_time
        now = time.monotonic()
        ended = total is not None and done == total
        if phase == last_phase and not ended and now - last_time < _SECONDS_PER_LINE:
            return
        last_phase, last_time = phase, now
        console.print(progress_line(phase, done, total), markup=False, soft_wrap=True)

    yield report


def progress_line(phase: str, done: int, total: int | None) -> str:
    """`download 42% of 94 MiB`, or the bytes alone where nobody knows how many there will be."""
    if not total:
        return f"{phase} {format_bytes(done)}"
    return f"{phase} {100 * done // total}% of {format_bytes(total)}"
