"""The gateway's HTTP protocol class between a transport and a clock that a test holds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from kronk.gateway.edge.connections import Connections
from kronk.gateway.protocol import HttpProtocol, Patience

App = Callable[..., Any]


class Clock:
    """Calls nothing later by itself; tasks, and what is soon, are the running loop's."""

    def __init__(self) -> None:
        self.pending: list[_Later] = []

    def call_later(self, seconds: float, act: Callable[[], None]) -> _Later:
        later = _Later(self, seconds, act)
        self.pending.append(later)
        return later

    def call_soon(self, act: Callable[[], None]) -> asyncio.Handle:
        return asyncio.get_running_loop().call_soon(act)

    def create_task(self, work: Any) -> asyncio.Task[Any]:
        return asyncio.get_running_loop().create_task(work)

    def waits(self) -> list[float]:
        """How long each thing that is due waits."""
        return [later.seconds for later in self.pending]

    def pass_by(self) -> None:
        """Everything that is due happens."""
        for later in list(self.pending):
            later.cancel()
            later.act()


class _Later:
    def __init__(self, clock: Clock, seconds: float, act: Callable[[], None]) -> None:
        self.seconds, self.act = seconds, act
        self._clock = clock

    def cancel(self) -> None:
        if self in self._clock.pending:
            self._clock.pending.remove(self)


class Pipe(asyncio.Transport):
    """The near end of a connection; `unread` is what the client has not taken."""

    def __init__(self, peer: str = "192.0.2.7") -> None:
        super().__init__({"peername": (peer, 4711), "sockname": ("127.0.0.1", 8080)})
        self.sent = b""
        self.unread = 0
        self.is_paused = False
        self.end: str | None = None
        # What it was handed over to.
        self.protocol: asyncio.BaseProtocol | None = None

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    def write(self, data: Any) -> None:
        if self.end is None:
            self.sent += data

    def get_write_buffer_size(self) -> int:
        return self.unread

    def is_closing(self) -> bool:
        return self.end is not None

    def close(self) -> None:
        self.end = self.end or "closed"

    def abort(self) -> None:
        self.end = "aborted"

    def pause_reading(self) -> None:
        self.is_paused = True

    def resume_reading(self) -> None:
        self.is_paused = False


class Wire:
    """One connection to `app`."""

    def __init__(
        self,
        app: App,
        patience: Patience | None = None,
        connections: Connections | None = None,
        peer: str = "192.0.2.7",
    ) -> None:
        self.clock = Clock()
        self.pipe = Pipe(peer)
        config = uvicorn.Config(app, lifespan="off", log_config=None, timeout_keep_alive=60)
        clock: Any = self.clock
        self.protocol = HttpProtocol(
            config,
            ServerState(),
            {},
            clock,
            patience=patience or Patience(),
            connections=connections or Connections(100),
        )
        self.protocol.connection_made(self.pipe)

    async def send(self, data: bytes, size: int | None = None) -> bytes:
        """Send it, in pieces of that size; what was answered so far once nothing moves any more."""
        step = size or max(len(data), 1)
        for start in range(0, len(data), step):
            if self.pipe.is_closing():
                break
            self.protocol.data_received(data[start : start + step])
        # As many turns as an answer takes.
        for _ in range(20):
            await asyncio.sleep(0)
        return self.pipe.sent

    def lose(self) -> None:
        self.protocol.connection_lost(None)
