"""A real gateway process among a scripted supervisor and scripted workers, on the real wire."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import zmq

from kronk.gateway.run import DELTA_TYPES
from kronk.shared import settings
from kronk.shared.child import Birth
from kronk.shared.wire import to_supervisor, to_worker
from kronk.shared.wire.codec import encode
from kronk.shared.wire.sockets import (
    GATEWAY_IDENTITY,
    bind_router,
    connect_dealer,
    worker_identity,
)
from kronk.shared.wire.status import Departure, ModelStatus, ProcessStatus
from kronk.shared.wire.to_gateway import (
    Accepted,
    Attach,
    Delta,
    Done,
    Drain,
    Finished,
    Granted,
    History,
    Managed,
    Reloaded,
    Status,
)
from kronk.shared.wire.to_supervisor import (
    Hello,
    HistoryRequest,
    LeaseRequest,
    LeaseReturn,
    Manage,
    Reload,
    StatusRequest,
)
from kronk.shared.wire.to_worker import Cancel, Credit, Embed, Submit
from kronk.shared.wire.values import Timings, Usage

PATIENCE = 20.0
GATEWAY_GENERATION = 3
WORKER = 7

Script = Callable[[Any], Iterator[Any]]


def done(request: int, tokens: int = 2) -> tuple[Finished, Done]:
    """The end of an answer with one choice, with round figures."""
    return Finished(request, 0, "stop"), ended(request, tokens)


def ended(request: int, tokens: int = 2) -> Done:
    """The terminal event alone."""
    return Done(request, Usage(5, tokens), Timings(0.001, 0.01, 0.1))


def say(*words: str) -> Script:
    """A worker's script: accept, say the words, stop."""

    def script(submit: Submit) -> Iterator[Any]:
        yield Accepted(submit.request, 5)
        for number, word in enumerate(words):
            yield Delta(submit.request, 0, word, (number,))
        yield from done(submit.request, len(words))

    return script


def play(*events: Callable[[int], Any]) -> Script:
    """Accept, send these, each made with the request's number, and end."""

    def script(submit: Submit) -> Iterator[Any]:
        yield Accepted(submit.request, 5)
        for event in events:
            yield event(submit.request)
        yield ended(submit.request)

    return script


def hang_after(*words: str) -> Script:
    """Accept, say the words, and nothing more."""

    def script(submit: Submit) -> Iterator[Any]:
        yield Accepted(submit.request, 5)
        for word in words:
            yield Delta(submit.request, 0, word, (1,))

    return script


class _Play:
    """One request in a worker: its script, and the credit it has left."""

    def __init__(self, worker: int, script: Iterator[Any], window: int) -> None:
        self.worker = worker
        self.script = script
        self.credit = window
        self.held: Any = None

    def next(self) -> Any:
        message = self.held if self.held is not None else next(self.script, None)
        self.held = None
        if type(message) in DELTA_TYPES:
            if self.credit == 0:
                self.held = message
                return None
            self.credit -= 1
        return message


class House:
    """Use as a context manager. One thread plays every peer; tests read what it saw."""

    def __init__(self, folder: Path, **flags: str) -> None:
        self.folder = folder
        self.script: Script = say("Hello", " world")
        self.grant: Callable[[LeaseRequest], Any] = lambda ask: Granted(ask.lease, WORKER)
        self.answer_status = True
        # The rows of its models, and how many of them have ended so far.
        self.models: tuple[ModelStatus, ...] = ()
        self.departures: tuple[Departure, ...] = ()
        self.seen: list[Any] = []
        self.deltas_sent = 0
        # The worker that came last.
        self.newest = WORKER
        # The gateway has ended, and all it said was read.
        self._deserted = False
        self._changed = threading.Condition()
        self._orders: deque[Callable[[], None]] = deque()
        self._plays: dict[int, _Play] = {}
        self._workers: dict[int, zmq.Socket[bytes]] = {}
        self._over = threading.Event()
        base = folder / "kronk"
        # A request ends with its worker, unless a test says that it shall go on.
        values = settings.resolve({"base_path": str(base), "resume": "false", **flags}, {})
        self.base = base
        # Another house may have been here before.
        (base / "run").mkdir(parents=True, exist_ok=True)
        (base / "models").mkdir(exist_ok=True)
        self._environment = settings.to_environment(values)

    # Life.

    def __enter__(self) -> House:
        with contextlib.ExitStack() as stack:
            self._open(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _open(self, stack: contextlib.ExitStack) -> None:
        """Start everything; whatever fails here or in a test, `stack` leaves nothing behind."""
        self._context = zmq.Context()
        # Closes its sockets, too: `term` alone would wait for one that was forgotten, for ever.
        stack.callback(self._context.destroy, linger=0)
        control, data = (f"ipc://{self.folder}/{name}.sock" for name in ("control", "data"))
        self._data = data
        self._control = bind_router(self._context, control)
        self._spawn(stack, control, data)
        self._thread = threading.Thread(target=self._play_all, name="peers", daemon=True)
        self._thread.start()
        stack.callback(self._stop_playing)
        try:
            self.wait_for(Hello)
        except AssertionError as error:
            raise AssertionError(self.log_file.read_text()) from error
        self.attach(WORKER)

    def _spawn(self, stack: contextlib.ExitStack, control: str, data: str) -> None:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        self.port = listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        birth = Birth(
            generation=GATEWAY_GENERATION,
            secret="s3cret",
            parent=os.getpid(),
            control=control,
            data=data,
            listen_fds=(listener.fileno(),),
        )
        self.log_file = self.folder / "gateway.log"
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "kronk.gateway"],
                stdin=subprocess.PIPE,
                stderr=log,
                pass_fds=[listener.fileno()],
                env={**_plain_environment(), **self._environment},
            )
        stack.callback(self._kill)
        # The gateway's alone from now on: without it a connection is refused.
        listener.close()
        assert self.process.stdin is not None
        self.process.stdin.write(birth.line())
        self.process.stdin.flush()

    def _kill(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()

    def _stop_playing(self) -> None:
        self._over.set()
        self._thread.join()

    # Orders, carried out by the peers' thread.

    def control(self, message: Any) -> None:
        """The supervisor says something."""
        self._orders.append(lambda: self._to_gateway(message))

    def attach(self, generation: int) -> None:
        """A worker of that generation dials in."""
        self._orders.append(lambda: self._connect(generation))

    def fresh_worker(self) -> int:
        """A new worker, attached, that all grants name from now on."""
        self.newest += 1
        worker = self.newest
        self.attach(worker)
        self.grant = lambda ask: Granted(ask.lease, worker)
        return worker

    def data(self, *messages: Any, identity: int = WORKER, generation: int = WORKER) -> None:
        """A worker says something, possibly with another's generation."""
        self._orders.append(lambda: self._say(identity, encode(generation, messages)))

    def raw(self, frame: bytes) -> None:
        """A worker sends bytes."""
        self._orders.append(lambda: self._say(WORKER, frame))

    def drain(self) -> None:
        """The orderly stop."""
        self.control(Drain())

    def forget(self) -> None:
        """Start a test with nothing seen and the usual scripts."""
        with self._changed:
            self.seen.clear()
        self.script = say("Hello", " world")
        self.grant = lambda ask: Granted(ask.lease, WORKER)
        self.answer_status = True
        self.models, self.departures = (), ()

    # What was seen.

    def logged(self, text: str) -> list[Any]:
        """The gateway's log lines with that text in them."""
        lines = self.log_file.read_text("utf-8").splitlines()
        return [json.loads(line) for line in lines if text in line]

    def wait_for(self, kind: type, count: int = 1) -> list[Any]:
        """The first messages of a kind that came from the gateway, once there are `count`."""
        self._until(lambda: len(self.all(kind)) >= count)
        assert len(self.all(kind)) >= count, f"no {count} {kind.__name__} in {self.seen}"
        return self.all(kind)

    def all(self, kind: type) -> list[Any]:
        """The messages of a kind so far."""
        return [message for message in self.seen if isinstance(message, kind)]

    def settled(self) -> bool:
        """Wait until every lease asked for was returned; true when each was, exactly once."""

        def equal() -> bool:
            asked = sorted(ask.lease for ask in self.all(LeaseRequest))
            # The test before may have ended before its last lease was back.
            mine = [back.lease for back in self.all(LeaseReturn) if back.lease in asked]
            return asked == sorted(mine)

        return self._until(equal)

    def wait_starved(self) -> None:
        """Wait until a worker has used up all its credit."""
        assert self._until(self._starved), "the worker never ran dry"

    def _starved(self) -> bool:
        return any(play.held is not None for play in list(self._plays.values()))

    def _until(self, true: Callable[[], bool]) -> bool:
        """Wait until that is true; no longer than there is a gateway that could make it so."""
        with self._changed:
            self._changed.wait_for(lambda: true() or self._is_quiet(), PATIENCE)
            return true()

    def _is_quiet(self) -> bool:
        return not self._thread.is_alive() or self._deserted

    # The peers' thread.

    def _play_all(self) -> None:
        poller = zmq.Poller()
        poller.register(self._control, zmq.POLLIN)
        while not self._over.is_set():
            for _ in range(len(self._orders)):
                self._orders.popleft()()
            for sock in self._workers.values():
                poller.register(sock, zmq.POLLIN)
            generations = {sock: generation for generation, sock in self._workers.items()}
            gone = self.process.poll() is not None
            ready = poller.poll(5)
            for sock, _ in ready:
                self._read(sock, generations.get(sock, 0))
            # What it said last is still read.
            self._deserted = gone and not ready
            self._play_on()

    def _read(self, sock: zmq.Socket[bytes], worker: int) -> None:
        frame = sock.recv_multipart()[-1]
        family = to_worker.DATA if worker else to_supervisor.CONTROL
        for message in family.decode(frame)[1]:
            # Before it is answered: whoever has the answer looks for what was asked.
            self.seen.append(message)
            self._react(message, worker)
            with self._changed:
                self._changed.notify_all()

    def _react(self, message: Any, worker: int) -> None:
        match message:
            case LeaseRequest():
                answer = self.grant(message)
                if answer is not None:
                    self._to_gateway(answer)
            case StatusRequest() if self.answer_status:
                us = ProcessStatus("supervisor", os.getpid(), 1, 1024)
                ended = len(self.departures)
                self._to_gateway(Status(message.ask, False, self.models, (us,), departures=ended))
            case HistoryRequest(ask):
                self._to_gateway(History(ask, self.departures[::-1]))
            case Manage(ask):
                self._to_gateway(Managed(ask, "absent"))
            case Reload(ask):
                self._to_gateway(Reloaded(ask))
            case Submit():
                self._plays[message.request] = _Play(worker, self.script(message), message.window)
            case Embed():
                self._plays[message.request] = _Play(worker, self.script(message), 0)
            case Credit() if message.request in self._plays:
                self._plays[message.request].credit += message.events
            case Cancel():
                self._plays.pop(message.request, None)

    def _play_on(self) -> None:
        for request, play in list(self._plays.items()):
            while (message := play.next()) is not None:
                self._say(play.worker, encode(play.worker, [message]))
                self.deltas_sent += type(message) in DELTA_TYPES
                if isinstance(message, Done):
                    del self._plays[request]
                    break
        with self._changed:
            self._changed.notify_all()

    def _to_gateway(self, message: Any) -> None:
        with contextlib.suppress(zmq.ZMQError):
            self._control.send_multipart([GATEWAY_IDENTITY, encode(1, [message])], zmq.NOBLOCK)

    def _say(self, worker: int, frame: bytes) -> None:
        with contextlib.suppress(zmq.Again):
            self._workers[worker].send(frame, zmq.NOBLOCK)

    def _connect(self, generation: int) -> None:
        sock = connect_dealer(self._context, self._data, worker_identity(generation))
        self._workers[generation] = sock
        self._announce(sock, generation)

    def _announce(self, sock: zmq.Socket[bytes], generation: int) -> None:
        try:
            sock.send(encode(generation, [Attach()]), zmq.NOBLOCK)
        except zmq.Again:
            # Not connected yet; the gateway may also be dead, so nothing may wait for it.
            self._orders.append(lambda: self._announce(sock, generation))


def _plain_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("KRONK_")}
