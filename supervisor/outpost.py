"""`kronk worker --connect`: starts and ends worker processes for a server on another host.

It decides nothing. The workers it starts dial the server themselves; what goes through here is
their birth, their signals and their end. When the server has said nothing for the time it told us
of, its workers are ended: it has counted them as lost by then, and the memory is wanted.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from dataclasses import dataclass
from typing import Any

import structlog
import zmq

from kronk import __version__
from kronk.shared import child, exits, settings, stacks
from kronk.shared import log as logging
from kronk.shared.errors import InvalidArgument, KronkError, WireError
from kronk.shared.settings import Settings
from kronk.shared.wire import curve, to_host
from kronk.shared.wire.codec import Message
from kronk.shared.wire.debugging import StacksRequest, StacksTaken
from kronk.shared.wire.sockets import (
    Channel,
    PeerGone,
    connect_dealer,
    host_identity,
    watch_connection,
)
from kronk.shared.wire.to_host import HelloAgain, HostBeat, HostSignal, HostSpawn, Welcome
from kronk.shared.wire.to_supervisor import HostAlive, HostExited, HostHello, HostStarted
from kronk.shared.wire.values import PROTOCOL
from kronk.shared.worker_hosts import check_address

from .cause import Exit
from .commands import Commands, environment
from .log_sink import Sink, Stdout, output
from .model_logs import ModelLogs
from .processes import Child, Processes
from .touch import Step, Touch

log = structlog.get_logger()

CONNECT_VARIABLE = "KRONK_WORKER_CONNECT"
TOKEN_VARIABLE = "KRONK_WORKER_TOKEN"  # the variable's name
BEAT_SECONDS = 1.0
# What a dying worker told the server itself shall be there before the news of its death.
LAST_WORDS_SECONDS = 0.1
# From SIGTERM to SIGKILL.
GRACE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Orders:
    """Whom to dial, and as whom."""

    address: str
    token: curve.Token
    token_text: str


class Outpost:
    """From the first connection to the last worker's end."""

    def __init__(self, config: Settings, orders: Orders, sink: Sink, commands: Commands) -> None:
        self._settings = config
        self._base = config.base
        self._orders = orders
        self._commands = commands
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        self._alone = asyncio.Event()
        self._model_logs = ModelLogs(self._base, sink.write)
        self._processes = Processes(sink.write, self._on_exit, self._model_logs.put)
        self._context: zmq.Context[Any] = zmq.Context()
        self._their_base: str | None = None
        self._touch = Touch(self._loop.time())
        socket = connect_dealer(
            self._context,
            orders.address,
            host_identity(orders.token.name),
            connect=False,
            token=orders.token,
        )
        watch_connection(socket, self._connected, self._disconnected)
        self._channel = Channel(socket, 0, to_host.CONTROL, self._on_message, self._on_bad_frame)
        self._socket = socket
        socket.connect(orders.address)

    async def run(self) -> None:
        """Until SIGTERM or Ctrl-C."""
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._stopping.set)
        log.info("worker host started", host=self._orders.token.name, server=self._orders.address)
        beating = asyncio.create_task(self._beat(), name="beat")
        await self._stopping.wait()
        beating.cancel()
        await self._end_all()
        self._channel.close()
        self._context.destroy(linger=200)
        self._model_logs.close()
        log.info("worker host stopped")

    # The server.

    def _connected(self) -> None:
        self._say(HostHello(PROTOCOL, __version__, os.getpid(), self._running))

    def _disconnected(self) -> None:
        if self._touch.is_in_touch:
            log.warning("the connection to the server was lost", server=self._orders.address)
        self._touch.lost()

    def _on_message(self, _: bytes, __: int, message: Message) -> None:
        self._touch.heard(self._loop.time())
        match message:
            case Welcome(base_path, lost_after):
                self._their_base = base_path
                self._touch.welcome(lost_after)
                log.info("connected to the server", server=self._orders.address)
            case HostSpawn(generation, secret):
                self._spawn(generation, secret)
            case HostSignal(generation, number):
                self._signal(generation, signal.Signals(number))
            case StacksRequest(ask, generation):
                self._tell_stacks(ask, generation)
            case HelloAgain():
                self._connected()
            case HostBeat():
                pass

    def _on_bad_frame(self, _: bytes, error: WireError) -> None:
        log.error("unreadable frame from the server", reason=error.message)

    def _say(self, message: Message) -> None:
        try:
            self._channel.send(message)
        except PeerGone:
            log.debug("the server cannot be reached", message=type(message).__name__)

    async def _beat(self) -> None:
        while True:
            if self._touch.is_in_touch:
                self._say(HostAlive(self._running))
            for step in self._touch.steps(self._loop.time()):
                self._take(step)
            await asyncio.sleep(BEAT_SECONDS)

    def _take(self, step: Step) -> None:
        match step:
            case Step.END_WORKERS if self._processes:
                silent = round(self._touch.silent(self._loop.time()), 1)
                log.error("no word from the server: ending its workers", seconds=silent)
                self._signal_all(signal.SIGKILL)
            case Step.END_WORKERS:
                pass
            case Step.DIAL:
                log.warning("no word from the server: connecting anew")
                self._socket.disconnect(self._orders.address)
                self._socket.connect(self._orders.address)
            case Step.COMPLAIN:
                log.warning(
                    "the server does not answer",
                    server=self._orders.address,
                    hint="it is not running, is elsewhere, or does not know the token"
                    " (`kronk worker list` there)",
                )

    # The workers.

    @property
    def _running(self) -> tuple[int, ...]:
        return tuple(process.generation for process in self._processes)

    def _spawn(self, generation: int, secret: str) -> None:
        birth = child.Birth(
            generation,
            secret,
            os.getpid(),
            self._orders.address,
            token=self._orders.token_text,
            their_base=self._their_base,
            our_base=str(self._base.root),
            run=str(self._base.run),
        )
        variables = environment(self._settings, os.environ, "worker")
        variables.pop(TOKEN_VARIABLE, None)
        try:
            process = self._processes.spawn("worker", birth, self._commands.worker, variables)
        except OSError as error:
            log.error("cannot start a worker", reason=str(error))
            self._say(HostExited(generation, None, (str(error),)))
            return
        log.info("worker started", generation=generation, child=process.pid)
        self._say(HostStarted(generation, process.pid))

    def _signal(self, generation: int, number: signal.Signals) -> None:
        if number == signal.SIGABRT:
            self._processes.abort(generation)
        else:
            self._processes.signal(generation, number)

    def _tell_stacks(self, ask: int, generation: int) -> None:
        process = self._processes.get(generation)
        if process is None:
            self._say(StacksTaken(ask, "", "gone"))
            return

        def tell(done: asyncio.Future[stacks.Taken]) -> None:
            self._say(StacksTaken(ask, done.result().text, done.result().silence))

        pid = process.pid
        asked = self._loop.run_in_executor(None, stacks.take, self._base.run, pid)
        asked.add_done_callback(tell)

    def _on_exit(self, process: Child, exit: Exit) -> None:
        stacks.forget(self._base.run, process.pid)
        log.info("worker ended", generation=process.generation, returncode=exit.returncode)
        message = HostExited(
            process.generation, exit.returncode, exit.last_lines, exit.stack, exit.out_of_memory
        )
        self._loop.call_later(LAST_WORDS_SECONDS, self._say, message)
        self._loop.call_soon(self._note_end)

    def _note_end(self) -> None:
        if not self._processes:
            self._alone.set()

    def _signal_all(self, number: signal.Signals) -> None:
        for process in self._processes:
            self._processes.signal(process.generation, number)

    async def _end_all(self) -> None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            self._alone.clear()
            if not self._processes:
                break
            self._signal_all(number)
            try:
                async with asyncio.timeout(GRACE_SECONDS):
                    await self._alone.wait()
            except TimeoutError:
                continue
        await asyncio.sleep(2 * LAST_WORDS_SECONDS)


def main() -> None:
    """With the address and the token of the environment; exits with a code of `exits`."""
    try:
        config = settings.from_environment()
        orders = _orders(os.environ)
        config.base.prepare()
        sink = Sink(output("stdout", Stdout().write))
        logging.configure("worker-host", config.log_level, sink.write)
        try:
            asyncio.run(_serve(config, orders, sink))
        finally:
            sink.close()
        code = exits.OK
    except KronkError as error:
        print(f"error: {error.message}", file=sys.stderr)
        code = exits.USAGE
    raise SystemExit(code)


async def _serve(config: Settings, orders: Orders, sink: Sink) -> None:
    await Outpost(config, orders, sink, Commands()).run()


def _orders(variables: os._Environ[str]) -> Orders:
    address, text = variables.get(CONNECT_VARIABLE, ""), variables.get(TOKEN_VARIABLE, "")
    if not address or not text:
        raise InvalidArgument("started by `kronk worker --connect ADDRESS --token TOKEN`")
    return Orders(check_address(address, "--connect"), curve.parse_token(text), text)


if __name__ == "__main__":
    main()
