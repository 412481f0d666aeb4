"""The history of models' processes: in memory for questions, in a file for the next start."""

from __future__ import annotations

import os
import time
from pathlib import Path

from kronk.shared import departures
from kronk.shared.files import write_atomically
from kronk.shared.wire.status import Departure

from .actions import Remember
from .cause import signal_name
from .log_sink import output

# The file is written anew with what is kept when it has so many lines.
MOST_LINES = 2 * departures.KEPT


class Chronicle:
    """`add` never blocks: the file has a thread of its own, and a full disk costs only the file."""

    def __init__(self, path: Path) -> None:
        # Ends since the server started.
        self.count = 0
        self._history = departures.read(path)
        self._output = output("history", HistoryFile(path).write)

    def add(self, end: Remember, pid: int | None) -> None:
        """A process has ended."""
        departure = departed(end, pid, time.time())
        self._history.add(departure)
        self.count += 1
        self._output.put(departures.to_line(departure))

    def latest(self, model: str | None) -> tuple[Departure, ...]:
        """The ends of a model's processes, or of all, the latest first."""
        return self._history.latest(model, departures.MOST_TOLD)

    def close(self) -> None:
        """Write what is not written yet, for a bounded time."""
        self._output.close()


def departed(end: Remember, pid: int | None, clock: float) -> Departure:
    """An end as it is told; `clock` is the Unix time at which it was."""
    shift = clock - end.ended
    exit = end.exit
    has_code = exit.returncode is not None and exit.returncode >= 0
    return Departure(
        model=end.model,
        generation=end.generation,
        pid=pid,
        started=end.started + shift,
        ready=None if end.ready is None else end.ready + shift,
        ended=clock,
        outcome=end.outcome,
        cause=end.cause,
        exit_code=exit.returncode if has_code else None,
        signal=None if exit.signal is None else signal_name(exit.signal),
        out_of_memory=exit.out_of_memory is not None,
        requests=end.requests,
        last_lines=exit.last_lines,
        stack=exit.stack,
    )


class HistoryFile:
    """Lines are added at its end; a line that a crash left half-written stays alone."""

    def __init__(self, path: Path, most_lines: int = MOST_LINES) -> None:
        self._path = path
        self._most_lines = most_lines
        # Unknown until the first line.
        self._lines: int | None = None

    def write(self, line: str) -> None:
        """Add a line. May block, and raise OSError: the next line begins anew then."""
        if self._lines is None:
            self._lines = self._count()
        if self._lines >= self._most_lines:
            self._shorten()
        data = line.encode(errors="replace") + b"\n"
        with self._path.open("ab", buffering=0) as file:
            if file.tell() and not self._ends_whole():
                data = b"\n" + data
            file.write(data)
        self._lines += 1

    def _count(self) -> int:
        if not self._path.exists():
            return 0
        with self._path.open("rb") as file:
            return sum(1 for _ in file)

    def _ends_whole(self) -> bool:
        with self._path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) == b"\n"

    def _shorten(self) -> None:
        kept = departures.read(self._path).all()
        lines = [departures.to_line(one) + "\n" for one in kept]
        write_atomically(self._path, "".join(lines).encode(errors="replace"))
        self._lines = len(lines)
