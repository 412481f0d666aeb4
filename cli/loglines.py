"""A line of the log in a form for people."""

from __future__ import annotations

from rich.text import Text

from kronk.shared.log import harmless
from kronk.shared.logbook.query import record

_FIRST = ("timestamp", "level", "process", "model", "event", "exception")
_COLOURS = {"debug": "dim", "info": "green", "warning": "yellow", "error": "red"}


def readable(line: str) -> Text:
    """A JSON line as `time level process event key=value`, with a traceback below it; any other
    line as it is."""
    entry = record(line)
    if entry is None:
        return Text(harmless(line))
    level = str(entry.get("level", "info"))
    text = Text()
    text.append(_clock(str(entry.get("timestamp", ""))), "dim")
    text.append(f"{level:<8}", _COLOURS.get(level, "red"))
    text.append(f"{entry.get('process', ''):<11}", "cyan")
    text.append(harmless(str(entry.get("event", ""))))
    for key in ("model", *(key for key in entry if key not in _FIRST)):
        if key in entry:
            text.append(f" {key}=", "dim")
            text.append(harmless(str(entry[key])))
    if "exception" in entry:
        text.append(harmless(f"\n{entry['exception']}"), "dim")
    return text


def _clock(timestamp: str) -> str:
    """The time of an ISO timestamp to the millisecond; the day is in the file."""
    _, found, time_of_day = timestamp.partition("T")
    return f"{time_of_day[:12].rstrip('Z')} " if found else ""
