"""Logging, set up once per process: a pipeline that ends in one JSON object per line.

A process that the supervisor spawned writes to its stderr, which the supervisor relays; the
supervisor hands its own lines to the same sink. Nobody else opens the log file.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import structlog
from structlog.typing import EventDict, Processor

LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}


def configure(process: str, level: str, write: Callable[[str], None] | None = None) -> None:
    """Set up structlog for this process.

    `process` names it in each line. `write` takes one line without its end; the default writes it
    to stderr. Python's own logging (of libraries) comes out the same way, from `warning` up.
    """
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


def timestamp() -> str:
    """Now, as every line says it."""
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


def _said_by(process: str, pid: int) -> Processor:
    def add(logger: Any, method: str, event: EventDict) -> EventDict:
        return {
            "timestamp": timestamp(),
            "level": event.pop("level", None),
            "event": event.pop("event", None),
            "process": process,
            "pid": pid,
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
        log = structlog.get_logger()
        log.log(
            LEVELS[level], record.getMessage(), logger=record.name, exc_info=record.exc_info or None
        )
