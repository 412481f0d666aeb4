"""Clients of the live state: server-sent events by httpx, and the `websockets` library."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import httpx
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from .waiting import PATIENCE

EVENTS = "/v1/kronk/events"
Told = dict[str, Any]


class Watcher:
    """What one who watches was told. Reads in a thread; tests wait for what they want to see."""

    def __init__(self) -> None:
        self.told: list[Told] = []
        # Why the connection ended: the code of a WebSocket's close, or None.
        self.code: int | None = None
        self._changed = threading.Condition()
        self._is_over = False
        self._unseen: deque[Told] = deque()

    def take(self, message: Told) -> None:
        with self._changed:
            self.told.append(message)
            self._unseen.append(message)
            self._changed.notify_all()

    def over(self, code: int | None = None) -> None:
        with self._changed:
            self._is_over, self.code = True, code
            self._changed.notify_all()

    def wait_for(self, wanted: Callable[[Told], bool]) -> Told:
        """The next message like that; those before it are passed over."""
        with self._changed:
            while True:
                while self._unseen:
                    message = self._unseen.popleft()
                    if wanted(message):
                        return message
                assert not self._is_over, f"it ended before; last: {self.told[-1:]}"
                assert self._changed.wait(PATIENCE), f"told nothing any more: {self.told[-1:]}"

    def state(self) -> Told:
        """The next state."""
        return self.wait_for(lambda one: one["type"] == "state")

    def event(self, kind: str) -> Told:
        """The next event of that kind."""
        return self.wait_for(lambda one: one["type"] == "event" and one["kind"] == kind)

    def end(self) -> Told:
        """The last message, once the connection has ended."""
        found = self.wait_for(lambda one: one["type"] == "end")
        with self._changed:
            assert self._changed.wait_for(lambda: self._is_over, PATIENCE), "it stays open"
        return found


@contextmanager
def sse(url: str, headers: dict[str, str] | None = None) -> Iterator[Watcher]:
    """Somebody who reads server-sent events."""
    watcher = Watcher()
    with (
        httpx.Client(base_url=url, timeout=PATIENCE, headers=headers) as client,
        client.stream("GET", EVENTS) as answer,
    ):
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")

        def read() -> None:
            name = ""
            try:
                for line in answer.iter_lines():
                    name = line.removeprefix("event: ") if line.startswith("event: ") else name
                    if line.startswith("data: "):
                        message = json.loads(line.removeprefix("data: "))
                        assert message["type"] == name
                        watcher.take(message)
            except (httpx.HTTPError, httpx.StreamError, OSError):
                # We have left, or the server has.
                pass
            finally:
                watcher.over()

        thread = threading.Thread(target=read, name="sse", daemon=True)
        thread.start()
        yield watcher
        # It may have ended by itself.
        with suppress(OSError):
            answer.extensions["network_stream"].get_extra_info("socket").shutdown(2)
        thread.join(PATIENCE)


@contextmanager
def socket(url: str, headers: dict[str, str] | None = None, **more: Any) -> Iterator[Watcher]:
    """Somebody who watches on a WebSocket."""
    watcher = Watcher()
    with opened(url, headers, **more) as connection:
        thread = threading.Thread(target=_hear, args=(connection, watcher), daemon=True)
        thread.start()
        yield watcher
        connection.close()
        thread.join(PATIENCE)


def opened(url: str, headers: dict[str, str] | None = None, **more: Any) -> ClientConnection:
    """The connection itself; raises `InvalidStatus` where it is refused."""
    address = url.replace("http://", "ws://") + EVENTS
    return connect(address, additional_headers=headers, open_timeout=PATIENCE, **more)


def _hear(connection: ClientConnection, watcher: Watcher) -> None:
    try:
        for text in connection:
            watcher.take(json.loads(text))
    except ConnectionClosed:
        pass
    finally:
        watcher.over(connection.close_code)
