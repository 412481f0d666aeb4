"""What logs and histories say, without what requests said."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from kronk.shared import departures
from kronk.shared.wire.status import Departure

# Read at most, from the end.
_MOST_BYTES = 8 * 1024 * 1024
_MOST_EVENTS = 60
_LEVELS = ("warning", "error", "critical")
# Of an event: those of our own are short and have no data in them.
_LONGEST_EVENT = 100
# All that there is of a line that was written by somebody else than our logging.
_OF_STDERR = {"timestamp", "level", "event", "process", "pid", "generation", "model"}
_NUMBERS = re.compile(r"\d+")


def log_tail(path: Path) -> list[str]:
    """The last lines of a log and, where it is new, of the one before it."""
    lines: list[str] = []
    left = _MOST_BYTES
    for file in (path, path.with_name(f"{path.name}.1")):
        try:
            with file.open("rb") as opened:
                size = opened.seek(0, 2)
                opened.seek(max(size - left, 0))
                data = opened.read(left)
        except OSError:
            continue
        left -= len(data)
        lines = [*data.decode(errors="replace").splitlines(), *lines]
        if left <= 0:
            break
    return lines


def trouble(lines: Iterable[str]) -> list[dict[str, Any]]:
    """Warnings and errors counted by event, the latest first: level, event, process, model, how
    often, the first and the last time. Of a line nothing else is taken, and of what libraries
    say, only which one said something."""
    found: dict[tuple[str, str, str, str], dict[str, Any]] = {}
    for line in lines:
        entry = _entry(line)
        if entry is None or entry.get("level") not in _LEVELS:
            continue
        level, process, model = (str(entry.get(key) or "") for key in ("level", "process", "model"))
        key = (level, _event(entry), process, model)
        when = str(entry.get("timestamp") or "")
        row = found.setdefault(
            key,
            {
                "level": level,
                "event": key[1],
                "process": process,
                "model": model or None,
                "count": 0,
                "first": when,
                "last": when,
            },
        )
        row["count"] += 1
        row["first"], row["last"] = min(row["first"], when), max(row["last"], when)
    return sorted(found.values(), key=lambda row: str(row["last"]), reverse=True)[:_MOST_EVENTS]


def last_failures(path: Path, most: int = 20) -> list[dict[str, Any]]:
    """How processes of models ended other than by an unload, the latest first. What they said last
    and what they were doing is left out: nobody has looked through it for what requests said."""
    ends = departures.read(path).latest(None, departures.KEPT)
    return [_row(end) for end in ends if end.outcome != "unloaded"][:most]


def _row(end: Departure) -> dict[str, Any]:
    return {
        "ended": round(end.ended, 3),
        "model": end.model,
        "outcome": end.outcome,
        "cause": end.cause,
        "ran_seconds": round(end.ended - end.started, 1),
        "requests": end.requests,
        "was_ready": end.ready is not None,
        "out_of_memory": end.out_of_memory,
        "lines_of_stderr": len(end.last_lines),
    }


def _entry(line: str) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) else None


def _event(entry: dict[str, Any]) -> str:
    if said_by := entry.get("logger") or entry.get("source"):
        return f"(a line of {said_by})"
    if entry.get("process") != "supervisor" and entry.keys() <= _OF_STDERR:
        return "(a line of its stderr)"
    # Numbers would make each its own.
    return _NUMBERS.sub("N", str(entry.get("event")))[:_LONGEST_EVENT]
