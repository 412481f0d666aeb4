"""Reading the server's log: its last lines, the lines to come, and a form for people."""

from __future__ import annotations

import json
import os
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from rich.text import Text

from kronk.shared.paths import BasePath

_POLL = 0.25
_FIRST = ("timestamp", "level", "process", "model", "event")
_COLOURS = {"debug": "dim", "info": "green", "warning": "yellow", "error": "red"}


def readable(line: str) -> Text:
    """A JSON line as `time level process event key=value`; any other line as it is."""
    try:
        entry = json.loads(line)
    except ValueError:
        return Text(line)
    if not isinstance(entry, dict):
        return Text(line)
    level = str(entry.get("level", "info"))
    text = Text()
    text.append(_clock(str(entry.get("timestamp", ""))), "dim")
    text.append(f"{level:<8}", _COLOURS.get(level, "red"))
    text.append(f"{entry.get('process', ''):<11}", "cyan")
    text.append(str(entry.get("event", "")))
    for key in ("model", *(key for key in entry if key not in _FIRST)):
        if key in entry:
            text.append(f" {key}=", "dim")
            text.append(str(entry[key]))
    return text


def _clock(timestamp: str) -> str:
    """The time of an ISO timestamp to the millisecond; the day is in the file."""
    _, found, time_of_day = timestamp.partition("T")
    return f"{time_of_day[:12].rstrip('Z')} " if found else ""


def last_lines(base: BasePath, count: int) -> tuple[list[str], int]:
    """The newest `count` lines, rotated files included, and where in the current file they end."""
    lines: deque[str] = deque(maxlen=count)
    end = 0
    for path in _oldest_first(base.log_file):
        with path.open("rb") as file:
            lines.extend(_whole_lines(file))
            end = file.tell() if path == base.log_file else 0
    return list(lines), end


def _oldest_first(current: Path) -> list[Path]:
    """`kronk.log.2`, `kronk.log.1`, `kronk.log`: as many as there are."""
    older = [
        path
        for path in current.parent.glob(f"{current.name}.*")
        if path.suffix.removeprefix(".").isdecimal()
    ]
    older.sort(key=lambda path: int(path.suffix[1:]), reverse=True)
    return [*older, current] if current.exists() else older


def follow(path: Path, start: int) -> Iterator[str]:
    """Lines after byte `start` and all that follow, across rotation; never ends by itself."""
    while True:
        try:
            file = path.open("rb")
        except FileNotFoundError:
            time.sleep(_POLL)
            continue
        with file:
            file.seek(start)
            yield from _until_replaced(path, file)
        start = 0


def _until_replaced(path: Path, file: BinaryIO) -> Iterator[str]:
    while True:
        yield from _whole_lines(file)
        if _replaced(path, file):
            # Written between the last look and the rotation.
            yield from _whole_lines(file)
            return
        time.sleep(_POLL)


def _whole_lines(file: BinaryIO) -> Iterator[str]:
    while line := file.readline():
        if not line.endswith(b"\n"):
            # Half written: read again when the rest is there.
            file.seek(-len(line), os.SEEK_CUR)
            return
        yield line.decode(errors="replace").rstrip("\n")


def _replaced(path: Path, file: BinaryIO) -> bool:
    here = os.fstat(file.fileno())
    try:
        there = path.stat()
    except FileNotFoundError:
        return True
    return (here.st_dev, here.st_ino) != (there.st_dev, there.st_ino) or there.st_size < file.tell()
