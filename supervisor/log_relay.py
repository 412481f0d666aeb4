"""What a child writes to its stderr, made into log lines and remembered for its obituary."""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Callable

from kronk.shared.log import QUIET, timestamp

from .model_logs import as_text, as_written

REMEMBERED_LINES = 20
# Of stacks: some ten threads, of which few are deep.
REMEMBERED_STACK_LINES = 120
LONGEST_STACK_LINE = 200
# A line without end is cut here; a chat template quoted in an error is some ten thousand.
LONGEST_LINE = 65_536
# Of what a process says before it has a model.
_KEPT_FOR_MODEL = 100

# What Python writes of its threads at a fatal signal, and of an exception: the lines that begin a
# stack are followed by indented ones.
_STACK_BEGINS = re.compile(r"Thread 0x|Current thread|Stack \(most recent|Traceback \(most recent")
_STACK_ENDS = re.compile(r"Extension modules:")
_FATAL = "Fatal Python error"

# In lines that were not written by our logging: C and C++ libraries, the interpreter.
_ALARMING = ("error", "fatal", "abort", "assert", "traceback", "terminate called", "exception")


# A model, and what a process of it said.
Keep = Callable[[str, str], None]


class Relay:
    """The stderr of one child. `keep` gets all that the process of a model says; what is only for
    that is not relayed."""

    def __init__(self, process: str, pid: int, generation: int, keep: Keep | None = None) -> None:
        self.model: str | None = None
        self._keep = keep if process == "worker" else None
        # From before it had a model.
        self._early: deque[str] = deque(maxlen=_KEPT_FOR_MODEL)
        self._early.append(as_written(generation, timestamp(), f"process {pid}"))
        self._process = process
        self._pid = pid
        self._generation = generation
        self._rest = b""
        self._last: deque[str] = deque(maxlen=REMEMBERED_LINES)
        self._stack: deque[str] = deque(maxlen=REMEMBERED_STACK_LINES)
        self._is_in_stack = False

    def feed(self, data: bytes) -> list[str]:
        """Bytes as they came; returns the lines of JSON that are complete now."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LONGEST_LINE:
            lines.append(self._rest)
            self._rest = b""
        records = [self._record(line) for line in lines if line.strip()]
        return [record for record in records if record is not None]

    def end(self) -> list[str]:
        """A last line without its end."""
        return self.feed(b"\n") if self._rest else []

    def note_end(self, words: str) -> None:
        """How the process ended, for its model's log."""
        self._note(as_written(self._generation, timestamp(), f"process {self._pid}: {words}"))

    @property
    def last_lines(self) -> tuple[str, ...]:
        """What it complained about last: raw lines, and records from `warning` up. No stacks."""
        return tuple(self._last)

    @property
    def stack(self) -> tuple[str, ...]:
        """The stacks it wrote at a fatal signal, or the last traceback."""
        return tuple(self._stack)

    def _record(self, line: bytes) -> str | None:
        text = line[:LONGEST_LINE].decode(errors="replace").rstrip()
        record = _parse(text)
        if record is None:
            self._remember(text)
            self._note(as_written(self._generation, timestamp(), text))
            return self._wrap(text)
        is_quiet = record.get(QUIET) is True
        if record.get("level") not in ("debug", "info") and not is_quiet:
            self._last.append(_say(record))
        if self._keep is not None:
            if self.model is None and record.get("model"):
                # On another host than the supervisor's nobody says so.
                self.model = str(record["model"])
            at = str(record.get("timestamp") or timestamp())
            self._note(as_text(self._generation, at, record))
        return None if is_quiet else text

    def _note(self, text: str) -> None:
        if self._keep is None:
            return
        self._early.append(text)
        if self.model is not None:
            for one in self._early:
                self._keep(self.model, one)
            self._early.clear()

    def _remember(self, text: str) -> None:
        """A line that says why goes to the last lines, one that says where to the stack."""
        if _STACK_BEGINS.match(text):
            self._is_in_stack = True
        elif not text[0].isspace():
            self._is_in_stack = False
        if self._is_in_stack:
            self._stack.append(text[:LONGEST_STACK_LINE])
        elif not text[0].isspace() and not _STACK_ENDS.match(text):
            self._last.append(text)
            if text.startswith(_FATAL):
                # All threads follow, which is more than any traceback before it.
                self._stack.clear()

    def _wrap(self, text: str) -> str:
        is_alarming = any(word in text.lower() for word in _ALARMING)
        record = {
            "timestamp": timestamp(),
            "level": "error" if is_alarming else "info",
            "event": text,
            "process": self._process,
            "pid": self._pid,
            "generation": self._generation,
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
