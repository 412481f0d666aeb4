"""The thread that looks for a collector and sends it what there is.

Most servers have none. Until something answers at the address, no span is made and nothing of
OpenTelemetry is imported; the thread sleeps, and looks again at growing intervals. An outage is
said once: it begins with the first export that fails, and ends with one that does not.
"""

from __future__ import annotations

import socket
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Literal, Protocol

import structlog

from .spans import Span

_FIRST_WAIT, _LONGEST_WAIT = 1.0, 60.0
_CONNECT_SECONDS = 2.0
# How long spans lie here at most.
_SEND_SECONDS = 1.0
# How many requests' of them wake the thread before that, and are sent at once: what they take to
# write down (0.4 ms each) is time in which no token moves.
_SEND_REQUESTS = 16
# Of requests, about 10 kB each.
_MOST_WAITING = 1024
# What is still to be sent when the server stops has so long.
_CLOSE_SECONDS = 2.0

log = structlog.get_logger()


class Exporter(Protocol):
    """Sends spans."""

    def send(self, spans: Sequence[Span]) -> str | None:
        """Why the collector did not take them; None if it did."""

    def close(self) -> None:
        """Idempotent; ends what another thread is at."""


class Collector:
    """One address. `add` is called by any thread, and never waits."""

    def __init__(
        self,
        host: str,
        port: int,
        make_exporter: Callable[[], Exporter],
        on_change: Callable[[bool], None],
    ) -> None:
        """`on_change` is told, in the thread, whether spans are wanted from now on."""
        self._host, self._port = host, port
        self._make_exporter = make_exporter
        self._on_change = on_change
        self._waiting: deque[Sequence[Span]] = deque()
        self._wake = threading.Event()
        self._over = False
        self._exporter: Exporter | None = None
        # Spans that were taken.
        self.sent = 0
        # Counted by who adds and by the thread: neither loses a count of the other.
        self._overflown = 0
        self._lost = 0
        self._pause = _FIRST_WAIT
        # What was said last of the collector.
        self._said: Literal["nothing", "missing", "sending", "out"] = "nothing"
        self._thread = threading.Thread(target=self._run, name="traces", daemon=True)

    @property
    def dropped(self) -> int:
        """Spans that nobody could be given."""
        return self._overflown + self._lost

    def start(self) -> None:
        """Begin to look for it."""
        self._thread.start()

    def add(self, spans: Sequence[Span]) -> None:
        """Have the spans of one request sent; drops them where too many wait."""
        if len(self._waiting) >= _MOST_WAITING:
            self._overflown += len(spans)
            return
        self._waiting.append(spans)
        if len(self._waiting) == _SEND_REQUESTS:
            self._wake.set()

    def close(self) -> None:
        """Send what is there, for a short time, and end."""
        self._over = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(_CLOSE_SECONDS)
        exporter = self._exporter
        if self._thread.is_alive() and exporter is not None:
            exporter.close()

    # The thread.

    def _run(self) -> None:
        try:
            while not self._over:
                if self._answers():
                    self._serve()
                self._sleep()
        except Exception:
            # Such as for a variable of OpenTelemetry's that makes no sense. Requests go on.
            self._on_change(False)
            log.exception("no traces are sent any more")

    def _answers(self) -> bool:
        try:
            socket.create_connection((self._host, self._port), _CONNECT_SECONDS).close()
        except OSError as error:
            if self._said == "nothing":
                self._said = "missing"
                log.info("nobody collects traces", address=self._address, reason=str(error))
            return False
        return True

    def _serve(self) -> None:
        """Send until the collector does not take it any more, or all is over."""
        self._exporter = self._make_exporter()
        self._on_change(True)
        try:
            while self._send_all() and not self._over:
                self._wake.wait(_SEND_SECONDS)
                self._wake.clear()
            if self._over:
                self._send_all()
        finally:
            self._on_change(False)
            self._exporter.close()
            self._exporter = None
            self._drop_all()

    def _send_all(self) -> bool:
        assert self._exporter is not None
        while batch := self._batch():
            reason = self._exporter.send(batch)
            if reason is not None:
                self._lost += len(batch)
                self._say_lost(reason)
                return False
            self.sent += len(batch)
            self._say_found()
        return True

    def _batch(self) -> list[Span]:
        spans: list[Span] = []
        for _ in range(min(len(self._waiting), _SEND_REQUESTS)):
            spans += self._waiting.popleft()
        return spans

    def _drop_all(self) -> None:
        with suppress(IndexError):
            while True:
                self._lost += len(self._waiting.popleft())

    def _sleep(self) -> None:
        if self._over:
            return
        self._wake.wait(self._pause)
        # Cleared before `_over` is looked at, which is set before this is.
        self._wake.clear()
        self._pause = min(2 * self._pause, _LONGEST_WAIT)

    # What is said.

    @property
    def _address(self) -> str:
        return f"{self._host}:{self._port}"

    def _say_lost(self, reason: str) -> None:
        if self._said != "out" and not self._over:
            self._said = "out"
            log.warning("the collector takes no traces", address=self._address, reason=reason)

    def _say_found(self) -> None:
        self._pause = _FIRST_WAIT
        if self._said != "sending":
            self._said = "sending"
            log.info("traces are sent", address=self._address, dropped=self.dropped)
