"""The gateway's two sockets and what is said on them."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable
from typing import Any

import structlog
import zmq

from kronk import __version__
from kronk.shared.child import Birth
from kronk.shared.errors import Timeout, WireError, from_code
from kronk.shared.paths import BasePath
from kronk.shared.wire import to_gateway
from kronk.shared.wire.codec import Message
from kronk.shared.wire.curve import Doorman
from kronk.shared.wire.sockets import (
    GATEWAY_IDENTITY,
    Channel,
    PeerGone,
    bind_router,
    connect_dealer,
    is_readable,
    worker_identity,
    worker_of,
)
from kronk.shared.wire.to_gateway import (
    Attach,
    Drain,
    History,
    Managed,
    Reloaded,
    Reread,
    Status,
    WorkerLost,
)
from kronk.shared.wire.to_supervisor import (
    Heartbeat,
    Hello,
    HistoryRequest,
    Manage,
    ManageAction,
    Reload,
    StatusRequest,
)
from kronk.shared.wire.values import PROTOCOL
from kronk.shared.worker_hosts import KnownHosts

from .exchange import Exchange
from .recovery import Policy
from .telemetry.telemetry import Telemetry

# The supervisor binds before it spawns us; this is for a machine that is very busy.
_HELLO_SECONDS = 10.0
_BEAT_SECONDS = 1.0

log = structlog.get_logger()


class NoSupervisor(Timeout):
    """The supervisor that started this process cannot be reached."""


class DataChannel(Channel):
    """Where tokens come: a frame has those of one step, and is handed over as one."""

    def __init__(
        self,
        socket: zmq.Socket[bytes],
        generation: int,
        exchange: Exchange,
        on_bad_frame: Callable[[bytes, WireError], None],
    ) -> None:
        super().__init__(socket, generation, to_gateway.DATA, exchange.on_data, on_bad_frame)
        self._exchange = exchange

    def drain(self) -> None:
        """As that of others; whoever reads what has arrived is served behind it."""
        self._exchange.turn.begin()
        try:
            super().drain()
        finally:
            self._exchange.turn.end()

    def _hand_over(self, peer: bytes, generation: int, messages: list[Message]) -> None:
        self._exchange.on_frame(peer, generation, messages)


class Link:
    """Owns the sockets. Made on the running loop; `close` when done."""

    def __init__(
        self,
        birth: Birth,
        base: BasePath,
        policy: Policy,
        on_drain: Callable[[], None],
        on_reread: Callable[[], None],
        telemetry: Telemetry,
    ) -> None:
        assert birth.data is not None, "the supervisor gives the gateway a data address"
        self._birth = birth
        self._on_drain = on_drain
        self._on_reread = on_reread
        self._asks: dict[int, asyncio.Future[Message]] = {}
        self._next_ask = 0
        self._context: zmq.Context[Any] = zmq.Context()
        loop = asyncio.get_running_loop()
        self.exchange = Exchange(
            birth.generation,
            to_supervisor=self._to_supervisor,
            to_worker=self._to_worker,
            drain_data=self._drain_data,
            call_later=loop.call_later,
            policy=policy,
            now=loop.time,
            telemetry=telemetry,
        )
        self._data_socket = bind_router(self._context, birth.data)
        self._data = DataChannel(
            self._data_socket, birth.generation, self.exchange, self._on_bad_frame
        )
        # Workers of other hosts have a door of their own.
        self._far_socket: zmq.Socket[bytes] | None = None
        self._far: Channel | None = None
        self._doorman: Doorman | None = None
        self._far_workers: set[int] = set()
        if birth.far_data is not None and birth.far_secret is not None:
            self._listen_far(birth.far_data, birth.far_secret, base)
        self._control = Channel(
            connect_dealer(self._context, birth.control, GATEWAY_IDENTITY),
            birth.generation,
            to_gateway.CONTROL,
            self._on_control,
            self._on_bad_frame,
        )

    async def say_hello(self) -> None:
        """Introduce this process to the supervisor; `NoSupervisor` when it cannot be reached."""
        hello = Hello("gateway", self._birth.secret, os.getpid(), PROTOCOL, __version__)
        try:
            async with asyncio.timeout(_HELLO_SECONDS):
                await self._control.send_when_connected(hello)
        except TimeoutError as error:
            raise NoSupervisor(
                f"the supervisor at {self._birth.control} does not answer"
            ) from error

    async def keep_beating(self) -> None:
        """Tell the supervisor once a second that this loop turns, for ever."""
        beats = 0
        while True:
            beats += 1
            # Not connected: the supervisor is gone, and so are we soon.
            with contextlib.suppress(PeerGone):
                self._control.send(Heartbeat(beats, False, None))
            await asyncio.sleep(_BEAT_SECONDS)

    async def status(self, seconds: float) -> Status:
        """What the supervisor knows of models and processes; `Timeout` when it does not answer."""
        answer = await self._answer(StatusRequest, seconds)
        assert isinstance(answer, Status)
        return answer

    async def reload(self, seconds: float) -> Reloaded:
        """Have the configuration read again; `Timeout` when the disk does not answer."""
        answer = await self._answer(Reload, seconds)
        assert isinstance(answer, Reloaded)
        return answer

    async def history(self, model: str | None, seconds: float) -> History:
        """How processes of this model ended, or of all; `Timeout` as above."""
        answer = await self._answer(lambda ask: HistoryRequest(ask, model), seconds)
        assert isinstance(answer, History)
        return answer

    async def manage(
        self,
        action: ManageAction,
        model: str,
        *,
        force: bool = False,
        ttl: float | None = None,
        seconds: float | None = None,
    ) -> Managed:
        """What an operator wants of a model, which may take as long as its requests; raises why it
        cannot be had."""
        answer = await self._answer(lambda ask: Manage(ask, action, model, force, ttl), seconds)
        assert isinstance(answer, Managed)
        if answer.code is not None:
            raise from_code(answer.code, answer.message, answer.param, answer.retry_after)
        if action == "reset":
            self.exchange.recoveries.quarantine.clear(model)
        return answer

    async def _answer(self, question: Callable[[int], Message], seconds: float | None) -> Message:
        self._next_ask += 1
        ask = self._next_ask
        answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._asks[ask] = answer
        try:
            async with asyncio.timeout(seconds):
                self._control.send(question(ask))
                return await answer
        except (TimeoutError, PeerGone) as error:
            within = "" if seconds is None else f" within {seconds:g} s"
            raise Timeout(f"the supervisor did not answer{within}") from error
        finally:
            del self._asks[ask]

    def traffic(self) -> dict[str, int]:
        """Frames since the start, and runs now. May be asked from any thread."""
        channels = [self._control, self._data, *([self._far] if self._far is not None else [])]
        return {
            "frames_in": sum(one.received for one in channels),
            "frames_out": sum(one.sent for one in channels),
            "running": len(self.exchange),
        }

    def close(self) -> None:
        """Frames already sent leave within the linger time."""
        self._control.close()
        self._data.close()
        if self._far is not None:
            self._far.close()
        if self._doorman is not None:
            self._doorman.close()
        self._context.term()

    def _to_supervisor(self, message: Any) -> None:
        self._control.send(message)

    def _to_worker(self, worker: int, message: Any) -> None:
        if self._far is not None and worker in self._far_workers:
            self._far.send(message, to=worker_identity(worker))
        else:
            self._data.send(message, to=worker_identity(worker))

    def _drain_data(self) -> None:
        while is_readable(self._data_socket):
            self._data.drain()
        while (
            self._far is not None and self._far_socket is not None and is_readable(self._far_socket)
        ):
            self._far.drain()

    def _listen_far(self, address: str, secret: str, base: BasePath) -> None:
        known = KnownHosts(base)

        def is_known(key: str) -> bool:
            return known.now().name_of(key) is not None

        self._doorman = Doorman(self._context, is_known)
        try:
            self._far_socket = bind_router(self._context, address, secret=secret)
        except zmq.ZMQError as error:
            # Everybody but those workers is served; the supervisor loads elsewhere what it can.
            log.error(
                "cannot listen for workers of other hosts", address=address, reason=str(error)
            )
            return
        self._far = Channel(
            self._far_socket,
            self._birth.generation,
            to_gateway.DATA,
            self._on_far_data,
            self._on_bad_frame,
            lambda _, key: is_known(key),
        )

    def _on_far_data(self, peer: bytes, generation: int, message: Any) -> None:
        if isinstance(message, Attach) and worker_of(peer) == generation:
            self._far_workers.add(generation)
        if generation in self._far_workers:
            self.exchange.on_frame(peer, generation, [message])

    def _on_control(self, _peer: bytes, _generation: int, message: Any) -> None:
        match message:
            case Status() | Reloaded() | History() | Managed():
                answer = self._asks.get(message.ask)
                if answer is not None and not answer.done():
                    answer.set_result(message)
            case WorkerLost(worker):
                self._far_workers.discard(worker)
                self._hand_over(message)
            case Drain():
                self._on_drain()
            case Reread():
                self._on_reread()
            case _:
                self._hand_over(message)

    def _hand_over(self, message: Any) -> None:
        try:
            self.exchange.on_control(message)
        except Exception:
            # As in `on_frame`: and here the message may be what a client's odd request came to.
            log.exception("cannot handle the supervisor's message", message=type(message).__name__)

    def _on_bad_frame(self, peer: bytes, error: WireError) -> None:
        log.error("unreadable frame", peer=peer.decode(errors="replace"), error=error.message)
        self.exchange.on_bad_frame(peer)
