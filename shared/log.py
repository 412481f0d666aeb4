"""Logging, set up once per process: a pipeline that ends in one JSON object per line.

A process that the supervisor spawned writes to its stderr, which the supervisor relays; the
supervisor hands its own lines to the same sink. Nobody else opens the log file.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import structlog
from structlog.typing import EventDict, Processor

# A field of lines that are for the log of their model only, and not for the server's.
QUIET = "quiet"
# The logger that Python's warnings go to.
_WARNINGS = "py.warnings"

_CONTROLS = {
    code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"
}

LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}


# What each line of this process says besides; set once it is known.
_always: dict[str, Any] = {}


def configure(
    process: str, level: str, write: Callable[[str], None] | None = None, **facts: Any
) -> None:
    """Set up structlog for this process.

    `process` names it in each line, and `facts` stand in each. `write` takes one line without its
    end; the default writes it to stderr. Python's own logging (of libraries) comes out the same
    way, from `warning` up, and so do its warnings and what a thread or a destructor raised.
    """
    _always.clear()
    always(**facts)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            _said_by(process, os.getpid()),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=_Factory(write or _to_stderr),
    )
    root = logging.getLogger()
    root.handlers = [_Bridge(level=logging.WARNING)]
    logging.captureWarnings(True)
    threading.excepthook = _on_thread_exception
    sys.unraisablehook = _on_unraisable


def always(**facts: Any) -> None:
    """Have each line of this process from now on say these too, where it does not itself."""
    _always.update(facts)


def ids(name: str, trace: str = "") -> dict[str, str]:
    """What each line about one request says: the name it is known by, and the trace of its
    `traceparent` where it has one."""
    found = {"request_id": name} if name else {}
    return found | {"trace_id": trace.split("-")[1]} if trace.count("-") >= 3 else found


def harmless(text: str) -> str:
    """The text as a terminal may have it: clients choose paths and names, and must not move the
    cursor of whoever reads them. Line breaks and tabulators stay."""
    return text.translate(_CONTROLS)


def timestamp() -> str:
    """Now, as every line says it."""
    return in_iso(datetime.now(UTC))


def in_iso(moment: datetime) -> str:
    """A moment of UTC as lines have it: in the order of time they are in the order of letters."""
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _said_by(process: str, pid: int) -> Processor:
    def add(logger: Any, method: str, event: EventDict) -> EventDict:
        return {
            "timestamp": timestamp(),
            "level": event.pop("level", None),
            "event": event.pop("event", None),
            "process": process,
            "pid": pid,
            **_always,
            **event,
        }

    return add


def _to_stderr(line: str) -> None:
    # One write per line, so that lines of several threads do not mix.
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


class _Writer:
    """What structlog calls with the rendered line."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self.debug = self.info = self.warning = self.error = self.critical = write


class _Factory:
    def __init__(self, write: Callable[[str], None]) -> None:
        self._writer = _Writer(write)

    def __call__(self, *args: object) -> _Writer:
        return self._writer


class _Bridge(logging.Handler):
    """Hands records of Python's logging to structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        level = "error" if record.levelno >= logging.ERROR else "warning"
        words, source = record.getMessage(), record.name
        if source == _WARNINGS:
            # The line of code that follows says nothing that its number does not.
            words, source = words.strip().partition("\n")[0], "python"
        log = structlog.get_logger()
        log.log(LEVELS[level], words, logger=source, exc_info=record.exc_info or None)


def _on_thread_exception(raised: threading.ExceptHookArgs) -> None:
    name = raised.thread.name if raised.thread is not None else None
    if raised.exc_value is not None and not isinstance(raised.exc_value, SystemExit):
        structlog.get_logger().error("a thread failed", thread=name, exc_info=raised.exc_value)


def _on_unraisable(raised: sys.UnraisableHookArgs) -> None:
    words = raised.err_msg or "exception ignored"
    # Not the object itself: what it shows of itself may be somebody's prompt.
    place = getattr(raised.object, "__qualname__", type(raised.object).__name__)
    structlog.get_logger().error(words, where=place, exc_info=raised.exc_value)
