"""`python -P -m kronk.shared.jobs.child`: the process of one job.

The order is a line of JSON on stdin, which stays open for the parent's life. The answer is lines of
JSON on stdout: any number with `progress`, then one with `result`, `error` or `cancelled`.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import psutil
import structlog

from kronk.shared import child, exits, log, settings, stacks
from kronk.shared.errors import Internal, KronkError
from kronk.shared.settings_table import SETTINGS

from .kinds import Cancelled, Work, imported

# The first to go when memory runs out: it is begun again, and nobody's answer is lost.
OOM_SCORE = 800
_NICE = 10
# Between two reports of one phase.
_SECONDS_PER_REPORT = 0.1
_SECONDS_PER_FLUSH = 0.5
# As `NoRoom` has it, which not every writer knows.
DISK_FULL = "disk_full"
_QUERY = re.compile(r"(https?://[^\s?#'\"]+)[?#][^\s'\"]*")

logger = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Order:
    """What to do, and for whom."""

    # `module:function`, so that the kind need not be known here.
    work: str
    params: Mapping[str, Any]
    # Further ones that nothing may be told of.
    secrets: Mapping[str, Any]
    parent: int

    def line(self) -> bytes:
        """What the parent writes."""
        return json.dumps(asdict(self)).encode() + b"\n"


def main() -> None:
    """Do what the order says."""
    order = _read_order()
    send = _sender()
    child.die_with_parent(order.parent, signal.SIGTERM)
    # With all that it has started, should it not hear the signal.
    child.on_parent_gone(lambda: os.killpg(0, signal.SIGKILL))
    _be_modest()
    config = settings.from_environment()
    log.configure(process="job", level=config.log_level)
    stacks.offer(config.base.run, order.parent)
    stacks.answer()
    signal.signal(signal.SIGTERM, _cancel)
    report = Reporter(send, time.monotonic)
    threading.Thread(target=_flush_for_ever, args=(report,), name="flush", daemon=True).start()
    hidden = [*_secrets(config), *(str(value) for value in order.secrets.values())]
    params = {**order.params, **order.secrets}
    send(outcome(lambda: imported(order.work), config, params, report, hidden))


def outcome(
    function: Callable[[], Work],
    config: settings.Settings,
    params: Mapping[str, Any],
    report: Reporter,
    hidden: Sequence[str] = (),
) -> dict[str, Any]:
    """The last line: what became of the job, without what is `hidden`."""
    try:
        return _result(function()(config, params, report))
    except Cancelled:
        return {"cancelled": True}
    except KronkError as error:
        return _failed(hidden, error.code, error.message, error.retry_after)
    except OSError as error:
        words = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        return _failed(hidden, DISK_FULL if full else Internal.code, words)
    except Exception as error:
        logger.error("a job failed", exception=without_secrets(hidden, traceback.format_exc()))
        words = f"a bug in Kronk: {type(error).__name__}: {error}"
        return _failed(hidden, Internal.code, words)
    finally:
        # How far it came is what the next attempt is compared with.
        report.flush()


def _result(value: dict[str, Any]) -> dict[str, Any]:
    json.dumps(value)
    return {"result": value}


def _failed(
    hidden: Sequence[str], code: str, message: str, retry_after: float | None = None
) -> dict[str, Any]:
    words = without_secrets(hidden, message)
    return {"error": {"code": code, "message": words, "retry_after": retry_after}}


def _secrets(config: settings.Settings) -> list[str]:
    found = (getattr(config, one.name) for one in SETTINGS if one.secret)
    return [str(value) for value in found if value]


def without_secrets(hidden: Sequence[str], text: str) -> str:
    """What a library says of a failure, fit to be kept and shown."""
    for value in hidden:
        text = text.replace(value, "***")
    # Signed addresses have their key there.
    return _QUERY.sub(r"\1", text)


class Reporter:
    """The job's `Progress`: passes on what is new, several times a second at most. Somebody calls
    `flush` now and then, as nothing more may come after what was held back."""

    def __init__(self, send: Callable[[dict[str, Any]], None], clock: Callable[[], float]) -> None:
        self._telling = threading.Lock()
        self._send = send
        self._clock = clock
        self._sent: tuple[str, int, int | None] | None = None
        self._last: tuple[str, int, int | None] | None = None
        self._at = 0.0

    def __call__(self, phase: str, done: int, total: int | None) -> None:
        """Bytes done of a phase."""
        self._last = (phase, done, total)
        if self._is_news() or self._clock() - self._at >= _SECONDS_PER_REPORT:
            self.flush()

    def flush(self) -> None:
        """Tell what is known, unless it was told."""
        with self._telling:
            if self._last is not None and self._last != self._sent:
                phase, done, total = self._sent = self._last
                self._at = self._clock()
                self._send({"progress": {"phase": phase, "done": done, "total": total}})

    def _is_news(self) -> bool:
        assert self._last is not None
        phase, done, total = self._last
        return self._sent is None or (phase, total) != self._sent[::2] or done == total


def _flush_for_ever(report: Reporter) -> None:
    while True:
        time.sleep(_SECONDS_PER_FLUSH)
        report.flush()


def _cancel(number: int, _frame: object) -> None:
    # Once: what cleans up must not be interrupted in turn.
    signal.signal(number, signal.SIG_IGN)
    raise Cancelled


def _read_order() -> Order:
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            print("this process is started by Kronk's server, not by hand", file=sys.stderr)
            raise SystemExit(exits.USAGE)
        line += byte
    return Order(**json.loads(line))


def _sender() -> Callable[[dict[str, Any]], None]:
    """Writes lines to what was stdout. Whatever a library prints there goes to stderr."""
    ours = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)

    def send(value: dict[str, Any]) -> None:
        # Nobody is there any more: we are about to be ended.
        with contextlib.suppress(BrokenPipeError):
            ours.write(json.dumps(value).encode() + b"\n")

    return send


def _be_modest() -> None:
    """Models and their clients come first."""
    child.raise_oom_score(OOM_SCORE)
    # Where the system does not allow it, it is only a job like others.
    with contextlib.suppress(OSError, psutil.Error):
        os.nice(_NICE)
        psutil.Process().ionice(psutil.IOPRIO_CLASS_IDLE)


if __name__ == "__main__":
    main()
