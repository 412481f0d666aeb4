"""What a child writes to its stderr, made into log lines and remembered for its obituary."""

from __future__ import annotations

import json
from collections import deque

from kronk.shared.log import timestamp

REMEMBERED_LINES = 20
# A line without end is cut here; a chat template quoted in an error is some ten thousand.
LONGEST_LINE = 65_536

# In lines that were not written by our logging: C and C++ libraries, the interpreter.
_ALARMING = ("error", "fatal", "abort", "assert", "traceback", "terminate called", "exception")


class Relay:
    """The stderr of one child."""

    def __init__(self, process: str, pid: int) -> None:
        self.model: str | None = None
        self._process = process
        self._pid = pid
        self._rest = b""
        self._last: deque[str] = deque(maxlen=REMEMBERED_LINES)

    def feed(self, data: bytes) -> list[str]:
        """Bytes as they came; returns the lines of JSON that are complete now."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LONGEST_LINE:
            lines.append(self._rest)
            self._rest = b""
        return [self._record(line) for line in lines if line.strip()]

    def end(self) -> list[str]:
        """A last line without its end."""
        return self.feed(b"\n") if self._rest else []

    @property
    def last_lines(self) -> tuple[str, ...]:
        """What it complained about last: raw lines, and records from `warning` up."""
        return tuple(self._last)

    def _record(self, line: bytes) -> str:
        text = line[:LONGEST_LINE].decode(errors="replace").rstrip()
        record = _parse(text)
        if record is None:
            self._last.append(text)
            return self._wrap(text)
        if record.get("level") not in ("debug", "info"):
            self._last.append(_say(record))
        return text

    def _wrap(self, text: str) -> str:
        is_alarming = any(word in text.lower() for word in _ALARMING)
        record = {
            "timestamp": timestamp(),
            "level": "error" if is_alarming else "info",
            "event": text,
            "process": self._process,
            "pid": self._pid,
        }
        if self.model is not None:
            record["model"] = self.model
        return json.dumps(record, ensure_ascii=False)


def _parse(text: str) -> dict[str, object] | None:
    if not text.startswith("{"):
        return None
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) and "event" in record else None


def _say(record: dict[str, object]) -> str:
    words = [str(record["event"])]
    words += [str(record[key]) for key in ("reason", "cause", "error") if record.get(key)]
    if exception := record.get("exception"):
        words.append(str(exception).strip().rpartition("\n")[2])
    return ": ".join(words)
