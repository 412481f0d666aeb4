"""A streamed answer, read by a thread of its own, with the time at which each event came.

Not the official client: these tests look at single bytes and times, and hang up in the middle.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
import time
from types import TracebackType
from typing import Any

from .waiting import PATIENCE

DONE = "[DONE]"


class Stream:
    """Begins with its construction; `close` it, or let it end."""

    def __init__(self, port: int, body: dict[str, Any]) -> None:
        self.status: int | None = None
        # In order: parsed JSON, or `DONE`.
        self.events: list[Any] = []
        # Monotonic seconds, one per event.
        self.times: list[float] = []
        # What clients skip: keep-alives.
        self.comments = 0
        # The answer's body when it was no stream.
        self.refusal: dict[str, Any] | None = None
        # Why the connection broke, when it did; None after an orderly end.
        self.broken: Exception | None = None
        self.ended_at: float | None = None
        self._news = threading.Condition()
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        self._connection.connect()
        assert self._connection.sock is not None
        # A copy: http.client gives its own away with the response.
        self._socket = self._connection.sock.dup()
        self._thread = threading.Thread(
            target=self._run, args=(json.dumps(body | {"stream": True}),), daemon=True
        )
        self._thread.start()

    def __enter__(self) -> Stream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self.close()

    def _run(self, body: str) -> None:
        try:
            self._read(body)
        except (OSError, http.client.HTTPException) as error:
            self.broken = error
        finally:
            with self._news:
                self.ended_at = time.monotonic()
                self._news.notify_all()

    def _read(self, body: str) -> None:
        headers = {"Content-Type": "application/json", "Connection": "close"}
        self._connection.request("POST", "/v1/chat/completions", body, headers)
        with self._connection.getresponse() as response:
            self.status = response.status
            if response.headers.get_content_type() == "application/json":
                self.refusal = json.loads(response.read())
                return
            while line := response.readline():
                if line.startswith(b"data: "):
                    self._take(line[6:].strip().decode())
                self.comments += line.startswith(b":")

    def _take(self, data: str) -> None:
        event = data if data == DONE else json.loads(data)
        with self._news:
            self.events.append(event)
            self.times.append(time.monotonic())
            self._news.notify_all()

    # What came so far.

    @property
    def pieces(self) -> list[str]:
        """The contents of the deltas that have any."""
        choices = [event["choices"][0] for event in self._chunks() if event["choices"]]
        return [c["delta"]["content"] for c in choices if c["delta"].get("content")]

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    @property
    def finish_reason(self) -> str | None:
        reasons = [c["finish_reason"] for event in self._chunks() for c in event["choices"]]
        return next((reason for reason in reasons if reason is not None), None)

    @property
    def error(self) -> dict[str, Any] | None:
        """The error of a refused request or of an error event."""
        if self.refusal is not None:
            return dict(self.refusal["error"])
        found = [event["error"] for event in list(self.events) if "error" in event]
        return dict(found[-1]) if found else None

    @property
    def is_done(self) -> bool:
        return DONE in self.events

    def _chunks(self) -> list[dict[str, Any]]:
        return [event for event in list(self.events) if event != DONE and "choices" in event]

    # Waiting, and leaving.

    def is_silent(self, seconds: float) -> bool:
        """Nothing has come for so long."""
        with self._news:
            return bool(self.times) and time.monotonic() - self.times[-1] >= seconds

    def wait_for_pieces(self, count: int) -> None:
        """Until that many deltas with text have come."""
        with self._news:
            assert self._news.wait_for(
                lambda: len(self.pieces) >= count or self.ended_at is not None, PATIENCE
            ), f"{len(self.pieces)} of {count} pieces within {PATIENCE:g} s"
        assert len(self.pieces) >= count, f"ended too soon: {self.error or self.broken}"

    def wait_for_end(self) -> None:
        """Until the answer is complete or broken off, however long it takes: it goes on."""
        came = -1
        while self._thread.is_alive():
            assert len(self.events) > came, f"nothing came for {PATIENCE:g} s, and no end"
            came = len(self.events)
            self._thread.join(PATIENCE)

    def close(self) -> None:
        """Hang up, in the middle if need be."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self.wait_for_end()
        self._connection.close()
