"""Where log lines end: the log file and stdout, each behind a thread and a bounded buffer.

A terminal on hold, a pipe nobody reads or a full disk must not stop the process that owns all the
others. What does not fit is dropped, counted, and said once there is room again.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import queue
import threading
from collections.abc import Callable
from datetime import datetime
from io import FileIO
from pathlib import Path
from typing import Any, Generic, TypeVar

import structlog

from kronk.shared.log import harmless, timestamp

# Lines; at 200 bytes each, 2 MB.
BUFFERED_LINES = 10_000
FILE_BYTES = 10_000_000
FILES_KEPT = 5
# How long the last lines get at the end.
CLOSE_SECONDS = 1.0


Item = TypeVar("Item")


class Output(Generic[Item]):
    """One destination. `write` is called on a thread of its own and may block or raise OSError;
    `confess` there too, with a line that says how many were lost so far, and `rest` whenever all
    is written for now."""

    def __init__(
        self,
        name: str,
        write: Callable[[Item], None],
        confess: Callable[[str], None],
        rest: Callable[[], None] = lambda: None,
    ) -> None:
        self.dropped = 0
        self._name = name
        self._write = write
        self._say = confess
        self._rest = rest
        self._lines: queue.Queue[Item | None] = queue.Queue(BUFFERED_LINES)
        # Lines taken from the buffer that could not be written, and how many lost lines of either
        # kind were said; the thread's own.
        self._lost = self._said = 0
        self._thread = threading.Thread(target=self._run, name=f"log-{name}", daemon=True)
        self._thread.start()

    def put(self, line: Item) -> None:
        """Never blocks."""
        try:
            self._lines.put_nowait(line)
        except queue.Full:
            self.dropped += 1

    def close(self) -> None:
        """Write what is buffered, for a bounded time."""
        try:
            self._lines.put(None, timeout=CLOSE_SECONDS)
        except queue.Full:
            return
        self._thread.join(CLOSE_SECONDS)

    def _run(self) -> None:
        while (line := self._lines.get()) is not None:
            if not self._try(self._write, line):
                self._lost += 1
            if self._lines.empty():
                self._confess()
                self._rest()
        self._confess()
        self._rest()

    def _confess(self) -> None:
        missing = self.dropped + self._lost
        if missing > self._said and self._try(self._say, self._confession(missing)):
            self._said = missing

    def _try(self, write: Callable[[Any], None], what: object) -> bool:
        try:
            write(what)
        except OSError:
            return False
        return True

    def _confession(self, missing: int) -> str:
        return json.dumps(
            {
                "timestamp": timestamp(),
                "level": "warning",
                "event": "log lines dropped",
                "process": "supervisor",
                "output": self._name,
                "dropped_so_far": missing,
            }
        )


def output(name: str, write: Callable[[str], None]) -> Output[str]:
    """Where lines go, those too that say how many were lost."""
    return Output(name, write, write)


class RotatedFile:
    """`kronk.log`, moved to `kronk.log.1` when it is full, and so on."""

    def __init__(self, path: Path, most_bytes: int = FILE_BYTES, kept: int = FILES_KEPT) -> None:
        self._path = path
        self._most_bytes = most_bytes
        self._kept = kept
        self._file = _private(path)
        self._size = self._file.tell()

    def write(self, line: str) -> None:
        data = line.encode(errors="replace") + b"\n"
        if self._size and self._size + len(data) > self._most_bytes:
            self._rotate()
        written = self._file.write(data)
        if written != len(data):
            self._take_back(written or 0)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._size += written

    def _take_back(self, count: int) -> None:
        """Half a line, the last that the disk had room for, would spoil the next one too."""
        handle = self._file.fileno()
        with contextlib.suppress(OSError):
            os.ftruncate(handle, os.fstat(handle).st_size - count)

    def _rotate(self) -> None:
        names = [self._path, *(Path(f"{self._path}.{n}") for n in range(1, self._kept))]
        for older, newer in reversed(list(zip(names[1:], names[:-1], strict=True))):
            if newer.exists():
                newer.replace(older)
        # Where there is no new one the old one is written on.
        fresh = _private(self._path)
        self._file.close()
        self._file = fresh
        self._size = 0

    def close(self) -> None:
        self._file.close()


def _private(path: Path) -> FileIO:
    """The file to append to, for its owner alone: it says who asked for what, and with
    `--insecure-logging` all of it."""
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    # One of an earlier version was for all to read; not every file system or owner lets us.
    with contextlib.suppress(OSError):
        os.fchmod(handle, 0o600)
    return os.fdopen(handle, "ab", buffering=0)


class Stdout:
    """JSON lines, or text for people when stdout is a terminal."""

    def __init__(self, handle: int = 1) -> None:
        self._handle = handle
        self._render = _for_people() if os.isatty(handle) else None

    def write(self, line: str) -> None:
        text = self._render(line) if self._render else line
        data = text.encode(errors="replace") + b"\n"
        while data:
            data = data[os.write(self._handle, data) :]


def _for_people() -> Callable[[str], str]:
    console = structlog.dev.ConsoleRenderer(
        colors="NO_COLOR" not in os.environ,
        exception_formatter=structlog.dev.plain_traceback,
        pad_event_to=0,
        # Who says it first, and what it is about.
        sort_keys=False,
    )

    def render(line: str) -> str:
        said: dict[str, Any] = json.loads(line)
        record = {key: harmless(one) if isinstance(one, str) else one for key, one in said.items()}
        record["timestamp"] = _local_time(str(record.get("timestamp", "")))
        record.pop("pid", None)
        return str(console(None, "", record))

    return render


def _local_time(stamp: str) -> str:
    try:
        return datetime.fromisoformat(stamp).astimezone().strftime("%H:%M:%S")
    except ValueError:
        return stamp


class Sink:
    """All destinations at once."""

    def __init__(self, *outputs: Output[str]) -> None:
        self._outputs = outputs

    def write(self, line: str) -> None:
        """One line of JSON without its end. Never blocks."""
        for output in self._outputs:
            output.put(line)

    def close(self) -> None:
        for output in self._outputs:
            output.close()
