"""What of the requests goes into the audit log, and the thread that writes it.

A line says what a request came to, so it is written when that is over, and never by the loop: a
disk that hangs holds up no stream.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, replace

import structlog
from starlette.types import Scope

from kronk.gateway.record import Record
from kronk.shared.log import timestamp
from kronk.shared.paths import BasePath
from kronk.shared.security.audit import DONE, FAILED, REFUSED, Entry, note

from .rules import Gate

log = structlog.get_logger()

# Public routes that are actions of an administrator all the same.
LOGIN, LOGOUT = "/v1/kronk/login", "/v1/kronk/logout"
_REFUSALS = (401, 403, 429)
# Entries that wait to be written.
_MOST_WAITING = 1000
_CLOSE_SECONDS = 2.0


def entry_of(scope: Scope, record: Record) -> Entry | None:
    """What the log is to say of a request that is over; None for what is not its business."""
    gate = record.gate
    if gate is None:
        return None
    result = _result(record)
    is_change = gate.access.kind == "administration" and _changes(gate)
    is_refused = gate.access.kind == "administration" and result == REFUSED
    if not (is_change or is_refused or gate.path in (LOGIN, LOGOUT)):
        return None
    who, client = record.identity, scope.get("client")
    return Entry(
        action=gate.name or gate.path,
        route=f"{gate.method} {gate.path}",
        target=record.target,
        subject=None if who is None else who.subject,
        name=None if who is None else who.name,
        via=None if who is None else who.via,
        client=client[0] if client else None,
        result=result,
        status=record.status,
        code=record.error,
        request_id=record.request_id,
    )


def _changes(gate: Gate) -> bool:
    return gate.method != "GET" and gate.access.changes


def _result(record: Record) -> str:
    if record.status in _REFUSALS:
        return REFUSED
    went_well = record.status is not None and record.status < 400 and record.error is None
    return DONE if went_well else FAILED


class Refusals:
    """How many refusals get a line: whoever is refused may come again as often as he likes."""

    def __init__(self, burst: int = 20, each: float = 3.0) -> None:
        """`burst` at once, and one more in so many seconds."""
        self._burst, self._each = burst, each
        self._left, self._since = float(burst), 0.0
        self._suppressed = 0

    def admit(self, now: float) -> int | None:
        """How many had none since the last one; None for one that has none itself."""
        earned = max(now - self._since, 0.0) / self._each
        self._left, self._since = min(self._left + earned, self._burst), now
        if self._left < 1.0:
            self._suppressed += 1
            return None
        self._left -= 1.0
        suppressed, self._suppressed = self._suppressed, 0
        return suppressed


class AuditLog:
    """One per gateway."""

    def __init__(self, base: BasePath, clock: Callable[[], float] = time.monotonic) -> None:
        self._base = base
        self._clock = clock
        self._refusals = Refusals()
        self._waiting: queue.Queue[Entry | threading.Event] = queue.Queue(_MOST_WAITING)
        # Begun by the first entry: most gateways of tests have none.
        self._thread: threading.Thread | None = None

    def request_over(self, scope: Scope, record: Record) -> None:
        """Write what is to be written of a request. Does not block; for the loop's thread."""
        entry = entry_of(scope, record)
        if entry is None:
            return
        if entry.result == REFUSED:
            suppressed = self._refusals.admit(self._clock())
            if suppressed is None:
                return
            entry = replace(entry, suppressed=suppressed)
        self._put(replace(entry, time=timestamp()))

    def flush(self) -> None:
        """Wait, for a bounded time, until what was put so far is written. Not for the loop."""
        if self._thread is None:
            return
        written = threading.Event()
        try:
            self._waiting.put(written, timeout=_CLOSE_SECONDS)
        except queue.Full:
            return
        written.wait(_CLOSE_SECONDS)

    def _put(self, entry: Entry) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="audit", daemon=True)
            self._thread.start()
        try:
            self._waiting.put_nowait(entry)
        except queue.Full:
            log.error("an action is not in the audit log: too many wait", **asdict(entry))

    def _run(self) -> None:
        while True:
            entry = self._waiting.get()
            if isinstance(entry, threading.Event):
                entry.set()
            else:
                note(self._base, entry)
