"""The debug server's thread: an event loop of its own, which turns while the gateway's hangs."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from dataclasses import dataclass

import structlog

from kronk.gateway.server import Server, make_server
from kronk.shared.child import Birth
from kronk.shared.database import Database
from kronk.shared.setting_values import is_loopback
from kronk.shared.settings import Settings
from kronk.shared.telemetry.runtime import Meter

from .app import make_app
from .board import Board, Traffic
from .door import Door
from .link import DebugLink
from .routes import Exposition, Routes
from .stacks import Inspector
from .targets import Targets

_END_SECONDS = 3.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class House:
    """What it works with of the gateway; nothing of it needs the gateway's loop to turn."""

    birth: Birth
    settings: Settings
    database: Database
    meter: Meter
    traffic: Traffic
    exposition: Exposition


class DebugServer:
    """Made on the gateway's loop; `start` returns at once.

    What holds Python's GIL for ever holds this thread up as well: then the supervisor ends the
    gateway, and the stacks are in the log.
    """

    def __init__(self, listeners: list[socket.socket], house: House) -> None:
        self._listeners = listeners
        self._house = house
        self._main = asyncio.get_running_loop()
        # Opens its tables now, while nobody else writes.
        self._door = Door(house.settings, house.database)
        self._thread = threading.Thread(target=self._run, name="debug", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._server: Server | None = None
        self._ending: asyncio.Event | None = None
        self._is_up = threading.Event()

    def start(self) -> None:
        """Listen."""
        self._thread.start()

    async def close(self) -> None:
        """End, and what is at work with it."""
        await asyncio.to_thread(self._is_up.wait, _END_SECONDS)
        if self._loop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._end)
            await asyncio.to_thread(self._thread.join, _END_SECONDS)

    def _end(self) -> None:
        if self._ending is not None and self._server is not None:
            self._ending.set()
            self._server.stop()

    def _run(self) -> None:
        try:
            # Not uvloop, whose processes belong to the main thread.
            with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
                runner.run(self._serve())
        except Exception:
            # The gateway goes on without it.
            log.exception("the debug server failed")
        finally:
            self._is_up.set()

    async def _serve(self) -> None:
        house = self._house
        self._loop, self._ending = asyncio.get_running_loop(), asyncio.Event()
        link = DebugLink(house.birth)
        base = house.settings.base
        targets = Targets(house.birth, os.getpid(), base.run, link)
        routes = Routes(
            targets,
            Inspector(base.run, link, self._main),
            link,
            Board(targets, house.meter, house.traffic),
            house.exposition,
            self._ending,
        )
        app = make_app(routes, self._door, house.settings, is_near=self._is_near())
        self._server = make_server(app, house.settings)
        self._is_up.set()
        try:
            await self._server.serve(sockets=self._listeners)
        finally:
            await self._door.close()
            link.close()

    def _is_near(self) -> bool:
        """Whether only this machine can connect."""
        names = [one.getsockname() for one in self._listeners]
        return all(not isinstance(name, tuple) or is_loopback(name[0]) for name in names)
