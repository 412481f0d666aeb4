"""The worker's conversations: with the supervisor about its life, with the gateway about requests.

Threads: this asyncio loop (sockets), the engine's (load, then decode), one that renders and
tokenises, one that reads images and recordings, the heartbeat, and the one that waits for the
parent's end.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from logging import DEBUG
from threading import get_ident
from typing import Any

import structlog
import zmq

from kronk import __version__
from kronk.shared import exits, heap
from kronk.shared.abilities import wrong_model
from kronk.shared.child import Birth
from kronk.shared.errors import InsufficientMemory, KronkError, WireError
from kronk.shared.log import LEVELS, QUIET, always, ids
from kronk.shared.wire import to_worker
from kronk.shared.wire.codec import Message, encode
from kronk.shared.wire.curve import parse_token
from kronk.shared.wire.debugging import HeapRequest, HeapTaken
from kronk.shared.wire.loading import Taken
from kronk.shared.wire.sockets import (
    Channel,
    PeerGone,
    connect_dealer,
    events_identity,
    watch_connection,
    worker_identity,
)
from kronk.shared.wire.to_gateway import Attach, Failed
from kronk.shared.wire.to_supervisor import Hello, LoadFailed, LoadProgress, Ready
from kronk.shared.wire.to_worker import (
    Cancel,
    Credit,
    Embed,
    Inspect,
    Load,
    Rank,
    Stop,
    Submit,
)
from kronk.shared.wire.values import PROTOCOL

from . import build, heartbeat, taken
from .engine import commands
from .inspection import inspect
from .library import Level, LlamaLog
from .loader import Loaded, load
from .media.clip import MediaFile
from .pooled.engine import Begin as PooledBegin
from .pooled.loader import PooledLoaded
from .pooled.prepare import prepare as prepare_pooled
from .prepare import prepare, read_files
from .processor_time import of_this_process
from .pulse import Pulse
from .relocation import data_address, place, relocated
from .sandbox.confine import Sandbox
from .thread_times import thread_ids
from .threads import name_thread, step_back

log = structlog.get_logger()

Asked = Submit | Embed | Rank | Inspect

# llama.cpp reports every tensor; the supervisor needs to see movement, not each step.
_PROGRESS_STEP = 0.02
# Somewhat less than all other threads: a third of a core's time where two want it.
_MEDIA_NICE = 5
# How long a worker whose load failed waits to be told to stop.
_STOP_WITHIN = 2.0
# Between the parts of a long answer that no decode paces, in seconds.
_BETWEEN_PARTS = 0.002


class Worker:
    """One worker's life, from Hello to Stop. Ends by leaving the process."""

    def __init__(self, birth: Birth, sandbox: Sandbox) -> None:
        self._birth = birth
        self._sandbox = sandbox
        before = thread_ids()
        self._context: zmq.Context[Any] = sandbox.apart(_messenger)
        # ZeroMQ's, and of those that were there the main thread.
        self._messengers = thread_ids() - before
        self._loop = asyncio.get_running_loop()
        self._pulse = Pulse(lambda: len(self._preparing))
        self._prepare_pool = ThreadPoolExecutor(1, "prepare", lambda: name_thread("prepare"))
        self._media_pool = ThreadPoolExecutor(1, "media", _begin_media_thread)
        self._preparing: dict[int, asyncio.Task[None]] = {}
        self._loaded: Loaded | PooledLoaded | None = None
        self._data: Channel | None = None
        self._reported = 0.0
        self._exit_code = exits.OK
        self._engine_ident: int | None = None
        self._token = parse_token(birth.token) if birth.token is not None else None
        # The name of the llama.cpp in use, and what is to be said of it.
        self._library: tuple[str, tuple[str, ...]] = ("bundled", ())
        # What the reason of a failed load begins with, where that is not the server's host.
        self._place = ""
        self._control = self._channel(
            connect_dealer(
                self._context,
                birth.control,
                worker_identity(birth.generation),
                token=self._token,
            ),
            to_worker.CONTROL,
            self._on_control,
        )

    def _channel(self, socket: zmq.Socket[bytes], family: Any, handler: Any) -> Channel:
        return Channel(socket, self._birth.generation, family, handler, self._on_bad_frame)

    # Life.

    async def live(self) -> None:
        """Introduce ourselves, then do as told until `Stop`."""
        hello = Hello("worker", self._birth.secret, os.getpid(), PROTOCOL, __version__)
        await self._control.send_when_connected(hello)
        self._pulse.meter.start(self._loop)
        self._sandbox.apart(self._start_heartbeat)
        await self._loop.create_future()

    def _start_heartbeat(self) -> None:
        heartbeat.start(self._context, self._birth, self._token, self._pulse, self._loop)

    def stop(self) -> None:
        """Leave now: C++ destructors only cost time."""
        if isinstance(self._loaded, Loaded):
            self._loaded.close()
        os._exit(self._exit_code)

    def _on_control(self, _: bytes, __: int, message: Message) -> None:
        match message:
            case Load():
                self._pulse.loading = True
                order = self._as_here(message)
                always(model=order.spec.model)
                self._library = build.described(self._birth.library, message.spec.library)
                # Before the engine's thread, which inherits it with all that follow.
                self._sandbox.narrow(order.spec)
                threading.Thread(
                    target=self._engine_thread, args=(order,), name="engine", daemon=True
                ).start()
            case HeapRequest(ask, _, seconds):
                # A thread for itself, which sees no more files than those that carry messages.
                self._sandbox.apart(lambda: self._measure_heap(ask, seconds))
            case Stop():
                self.stop()

    def _measure_heap(self, ask: int, seconds: float) -> None:
        def measure() -> None:
            try:
                taken = HeapTaken(ask, heap.measure(seconds))
            except KronkError as error:
                taken = HeapTaken(ask, None, error.code, error.message)
            self._loop.call_soon_threadsafe(self._tell_supervisor, taken)

        threading.Thread(target=measure, name="heap", daemon=True).start()

    def _on_bad_frame(self, _: bytes, error: WireError) -> None:
        log.error("dropped a frame", reason=error.message)

    # Loading, on the engine's thread.

    def _engine_thread(self, order: Load) -> None:
        name_thread("engine")
        self._engine_ident = get_ident()
        try:
            self._load_and_run(order)
        except MemoryError:
            log.exception("not enough memory")
            os._exit(exits.NO_MEMORY)
        except BaseException:
            # Without its engine this process only looks alive.
            log.exception("the engine failed")
            os._exit(exits.ENGINE_FAILED)

    def _as_here(self, order: Load) -> Load:
        """A server on another host has said it as it is there."""
        theirs, ours = self._birth.their_base, self._birth.our_base
        if self._token is None or theirs is None or ours is None:
            return order
        address = data_address(order.data_address, self._birth.control)
        spec = relocated(order.spec, theirs, ours)
        self._place = place(self._token.name, spec)
        return Load(spec, address)

    def _load_and_run(self, order: Load) -> None:
        # llama.cpp's log callback must outlive everything that logs.
        lines = LlamaLog(
            partial(self._log_llama, {} if order.spec.llama_log else {QUIET: True}),
            wants_debug=order.spec.llama_log and log.is_enabled_for(DEBUG),
        )
        # A socket belongs to one thread. That the engine sends its events itself, and no other
        # thread has to wake up for them, is worth a fifth of a millisecond a token.
        events = connect_dealer(
            self._context,
            order.data_address,
            events_identity(self._birth.generation),
            queue_while_away=True,
            token=self._token,
        )
        before = taken.gpu_use()
        try:
            loaded = load(
                order.spec,
                log_lines=lines,
                report=self._report_load,
                emit=lambda batch: self._emit(events, batch),
            )
        except KronkError as error:
            ran_out = isinstance(error, InsufficientMemory)
            code = exits.NO_MEMORY if ran_out else exits.BAD_MODEL
            self._loop.call_soon_threadsafe(self._load_failed, error, code)
            return
        except MemoryError:
            failure = InsufficientMemory("not enough memory to load the model")
            self._loop.call_soon_threadsafe(self._load_failed, failure, exits.NO_MEMORY)
            return
        # A draft model's context is made after the model's own figures were taken.
        scratch = loaded.fitted.compute_bytes + sum(lines.measured.scratch.values())
        took = taken.measure(scratch, before)
        self._loop.call_soon_threadsafe(self._ready, loaded, took, order.data_address)
        loaded.engine.run()

    def _log_llama(self, marks: Mapping[str, bool], level: Level, line: str) -> None:
        """A line of llama.cpp's, on whichever thread wrote it: those that prepare a request know
        which it is, and the engine's where it has only one."""
        loaded, facts = self._loaded, dict[str, str]()
        if loaded is not None and get_ident() == self._engine_ident:
            facts = ids(loaded.engine.only_request or "")
        log.log(LEVELS[level], line, source="llama.cpp", **facts, **marks)

    def _report_load(self, progress: LoadProgress) -> None:
        self._pulse.load_steps += 1
        # The phase `first_decode` must reach the supervisor before it can kill us.
        if progress.phase == "weights" and 0 < progress.fraction - self._reported < _PROGRESS_STEP:
            return
        self._reported = progress.fraction
        sent = threading.Event()
        self._loop.call_soon_threadsafe(self._send_progress, progress, sent)
        if progress.phase == "first_decode":
            sent.wait()

    def _send_progress(self, progress: LoadProgress, sent: threading.Event) -> None:
        self._tell_supervisor(progress)
        sent.set()

    def _load_failed(self, error: KronkError, code: int) -> None:
        log.error("load failed", code=error.code, reason=error.message)
        self._exit_code = code
        self._tell_supervisor(LoadFailed(error.code, self._place + error.message, error.param))
        # The supervisor answers with Stop, which proves that it has heard the reason.
        self._loop.call_later(_STOP_WITHIN, self.stop)

    def _ready(self, loaded: Loaded | PooledLoaded, took: Taken | None, data_address: str) -> None:
        self._loaded = loaded
        times = of_this_process(self._messengers)
        self._pulse.serve(loaded.engine, loaded.fitted, times)
        measures = tuple(self._sandbox.measures)
        name, notes = self._library
        fitted = dataclasses.replace(
            loaded.fitted,
            confinement=measures,
            library=name,
            notes=(*notes, *loaded.fitted.notes),
        )
        self._tell_supervisor(Ready(fitted, took))
        socket = connect_dealer(
            self._context,
            data_address,
            worker_identity(self._birth.generation),
            connect=False,
            token=self._token,
        )
        watch_connection(socket, self._attached, self._detached)
        self._data = self._channel(socket, to_worker.DATA, self._on_data)
        socket.connect(data_address)

    def _tell_supervisor(self, message: Message) -> None:
        try:
            self._control.send(message)
        except PeerGone:
            log.warning("the supervisor cannot be reached", message=type(message).__name__)

    # Requests.

    def _attached(self) -> None:
        self._tell_gateway(Attach(os.getpid(), os.uname().nodename))

    def _detached(self) -> None:
        """The gateway died: nobody reads any of our requests any more."""
        for task in self._preparing.values():
            task.cancel()
        self._preparing.clear()
        assert self._loaded is not None
        self._loaded.engine.tell(commands.CancelAll())

    def _on_data(self, _: bytes, __: int, message: Message) -> None:
        assert self._loaded is not None
        engine = self._loaded.engine
        match message:
            case Submit() | Embed() | Rank() | Inspect():
                task = self._loop.create_task(self._begin(message, self._loaded))
                self._preparing[message.request] = task
            case Cancel(request):
                task_or_none = self._preparing.pop(request, None)
                if task_or_none is not None:
                    task_or_none.cancel()
                engine.tell(commands.Cancel(request))
            case Credit(request, events):
                engine.tell(commands.Credit(request, events))

    async def _begin(self, asked: Asked, loaded: Loaded | PooledLoaded) -> None:
        try:
            # Held until they are in the job.
            files = await self._read_files(asked, loaded)
            prepared = await self._loop.run_in_executor(self._prepare_pool, _prepare, asked, loaded)
            del files
            if isinstance(prepared, list):
                await self._tell_in_turns(prepared)
            else:
                loaded.engine.tell(prepared)
        except KronkError as error:
            self._tell_gateway(Failed(asked.request, error.code, error.message, error.param))
            return
        except Exception:
            # A bug of ours must end the request too, and only this one.
            log.exception("cannot prepare a request", **ids(asked.name, asked.trace))
            self._tell_gateway(Failed(asked.request, "internal", "internal error", None))
            return
        finally:
            self._preparing.pop(asked.request, None)
            self._pulse.prepared += 1

    async def _tell_in_turns(self, events: Sequence[Message]) -> None:
        """One by one, so that the gateway has turns for its other work in between."""
        for event in events:
            self._tell_gateway(event)
            self._pulse.prepared += 1
            await asyncio.sleep(_BETWEEN_PARTS)

    async def _read_files(self, asked: Asked, loaded: Loaded | PooledLoaded) -> list[MediaFile]:
        """The images and recordings of a prompt: ten minutes of sound take seconds, in which the
        requests of others are to be prepared."""
        if not isinstance(asked, Submit | Inspect) or isinstance(loaded, PooledLoaded):
            return []
        if not asked.prompt.media:
            return []
        return await self._loop.run_in_executor(self._media_pool, _read, asked, loaded)

    def _emit(self, socket: zmq.Socket[bytes], events: list[Any]) -> None:
        """One step's events, on the engine's thread."""
        try:
            socket.send(encode(self._birth.generation, events), zmq.NOBLOCK)
        except zmq.Again:
            # Credit keeps the queue far below its mark, unless there is no gateway to read it.
            log.warning("no gateway reads; dropped events", count=len(events))

    def _tell_gateway(self, *events: Message) -> None:
        assert self._data is not None
        try:
            self._data.send(*events)
        except PeerGone:
            # `_detached` cancels what these belong to.
            log.info("the gateway is gone; dropped its events", count=len(events))


def _messenger() -> zmq.Context[Any]:
    """A context whose threads have been started: the first socket does."""
    context: zmq.Context[Any] = zmq.Context()
    context.socket(zmq.PAIR).close()
    return context


def _begin_media_thread() -> None:
    name_thread("media")
    # What mtmd computes here, in threads of its own, is nobody's next token.
    step_back(_MEDIA_NICE)


def _read(asked: Submit | Inspect, loaded: Loaded) -> list[MediaFile]:
    with structlog.contextvars.bound_contextvars(**ids(asked.name, asked.trace)):
        return read_files(asked.prompt, loaded)


def _prepare(asked: Asked, loaded: Loaded | PooledLoaded) -> Any:
    """The command that begins this request on that model's engine, or the events that answer it
    without one; a `CallerError` where the request is wrong, or the model of another kind."""
    with structlog.contextvars.bound_contextvars(**ids(asked.name, asked.trace)):
        if isinstance(asked, Inspect):
            return inspect(asked, loaded)
        if isinstance(loaded, PooledLoaded):
            return PooledBegin(prepare_pooled(asked, loaded))
        if not isinstance(asked, Submit):
            raise wrong_model("text", "embedding" if isinstance(asked, Embed) else "rank")
        return commands.Begin(prepare(asked, loaded))
