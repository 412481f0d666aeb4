"""A worker without llama.cpp: both planes as the real one speaks them, and faults by the script.

It counts, as `harness.counting_model` does, some milliseconds a token, with the slots, the queue
and the credit of the real engine. Faults of a request stand in its prompt (`script.py`); those of
a load in the model's name: `Load-crash`, `Load-never`, `Deaf`, ... see `_LOADS`.
"""

from __future__ import annotations

import ctypes
import faulthandler
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zmq
from zmq.utils.monitor import recv_monitor_message

from fakes import script
from kronk import __version__
from kronk.shared import exits, stacks
from kronk.shared.child import die_with_parent, on_parent_gone, read_birth
from kronk.shared.fair_share import FairShare
from kronk.shared.wire import to_worker
from kronk.shared.wire.codec import MAX_FRAME_BYTES, encode
from kronk.shared.wire.loading import Fitted, LoadSpec
from kronk.shared.wire.sockets import connect_dealer, heartbeat_identity, worker_identity
from kronk.shared.wire.status import WorkerStats
from kronk.shared.wire.to_gateway import Accepted, Attach, Delta, Done, Failed, Finished, Started
from kronk.shared.wire.to_supervisor import Heartbeat, Hello, LoadFailed, LoadProgress, Ready
from kronk.shared.wire.to_worker import Cancel, Credit, Load, Stop, Submit
from kronk.shared.wire.values import PROTOCOL, Timings, Usage

NUMBERS = 1000
CONTEXT = 8192
BEAT_SECONDS = 1.0
# A token of all slots.
STEP_SECONDS = 0.003
PROMPT_TOKENS = 5
# Deltas far beyond any window.
FLOOD = 5000
LEAK_BYTES = 16 * 1024 * 1024


@dataclass
class Answer:
    """One request in a slot, or waiting for one."""

    submit: Submit
    script: script.Script
    credit: int
    # Tokens sent.
    sent: int = 0
    # Those a process before this one had sent, which cost no time.
    known: int = 0
    has_started: bool = False
    due: float = 0.0

    @property
    def limit(self) -> int:
        most = self.submit.max_tokens
        return CONTEXT - PROMPT_TOKENS if most is None else most


class Worker:
    """The methods stand in the order of life."""

    def __init__(self) -> None:
        self.birth = read_birth()
        die_with_parent(self.birth.parent, signal.SIGKILL)
        on_parent_gone(lambda: os._exit(exits.ORPHANED))
        faulthandler.enable()
        stacks.offer(self.birth.run, self.birth.parent)
        stacks.answer()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda *_: os._exit(exits.OK))
        self.context: zmq.Context[Any] = zmq.Context()
        self.control = connect_dealer(
            self.context, self.birth.control, worker_identity(self.birth.generation)
        )
        self.poller = zmq.Poller()
        self.poller.register(self.control, zmq.POLLIN)
        self.data: Any = None
        self.monitor: Any = None
        self.slots = 1
        self.queue: deque[Answer] = deque()
        self.share = FairShare()
        self.active: dict[int, Answer] = {}
        self.is_deaf = False
        self.exit_code = exits.OK
        # Read by the heartbeat's thread.
        self.is_loading = False
        self.progress = self.tokens = self.requests = 0
        # The last request that ended.
        self.ended = 0
        self.hoard: list[bytearray] = []

    def live(self) -> None:
        self.tell(Hello("worker", self.birth.secret, os.getpid(), PROTOCOL, __version__))
        threading.Thread(target=self.beat, name="heartbeat", daemon=True).start()
        while True:
            self.hear(self.patience())
            if self.active or self.queue:
                self.step()

    def patience(self) -> float | None:
        """Seconds until something is to be done; None is until something is heard."""
        if not self.active and not self.queue:
            return None
        if self.queue and len(self.active) < self.slots:
            return 0.0
        ready = [answer.due for answer in self.active.values() if answer.credit]
        return max(min(ready) - time.monotonic(), 0.0) if ready else None

    def tell(self, *messages: object, generation: int | None = None) -> None:
        self.control.send(encode(generation or self.birth.generation, messages))

    def say(self, *events: object, generation: int | None = None) -> None:
        self.shout(encode(generation or self.birth.generation, events))

    def shout(self, frame: Any) -> None:
        try:
            self.data.send(frame, zmq.NOBLOCK)
        except zmq.Again:
            # The gateway is gone; what it asked for is cancelled when we hear of that.
            print("no gateway reads", file=sys.stderr, flush=True)

    def beat(self) -> None:
        # A context of its own, so that `flush` need not wait for this thread.
        context: zmq.Context[Any] = zmq.Context()
        socket = connect_dealer(
            context, self.birth.control, heartbeat_identity(self.birth.generation)
        )
        while True:
            busy = self.is_loading or bool(self.active)
            stats = WorkerStats(len(self.active), len(self.queue), 0.0, self.requests, self.tokens)
            beat = Heartbeat(self.progress, busy, None if self.data is None else stats)
            socket.send(encode(self.birth.generation, [beat]))
            time.sleep(BEAT_SECONDS)

    # Hearing.

    def hear(self, seconds: float | None) -> None:
        timeout = None if seconds is None else seconds * 1000
        ready = dict(self.poller.poll(timeout))
        if self.monitor in ready:
            self.look_at_connection()
        if self.control in ready:
            for message in to_worker.CONTROL.decode(self.control.recv())[1]:
                self.obey(message)
        if self.data in ready:
            for message in to_worker.DATA.decode(self.data.recv())[1]:
                self.take(message)

    def obey(self, message: Any) -> None:
        match message:
            case Load(spec, address):
                self.is_loading = True
                self.load(spec, address)
                self.is_loading = False
            case Stop() if not self.is_deaf:
                os._exit(self.exit_code)

    def look_at_connection(self) -> None:
        event = recv_monitor_message(self.monitor)["event"]
        if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
            self.say(Attach())
        else:
            # Whoever asked is dead.
            self.active.clear()
            self.queue.clear()
            self.share.clear()

    def take(self, message: Any) -> None:
        match message:
            case Submit():
                self.begin(message)
            case Cancel(request):
                self.end(request)
                for answer in [a for a in self.queue if a.submit.request == request]:
                    self.leave_queue(answer)
            case Credit(request, events) if request in self.active:
                self.active[request].credit += events
            case Credit():
                pass
            case other:
                words = "the scripted engine only counts"
                self.say(Failed(other.request, "invalid_argument", words, None))

    def begin(self, submit: Submit) -> None:
        self.requests += 1
        known = len(submit.resumed[0].tokens) if submit.resumed else 0
        answer = Answer(submit, script.read(submit.prompt), submit.window, known=known)
        if answer.limit > CONTEXT - PROMPT_TOKENS:
            words = f"max_tokens is {answer.limit}, the context {CONTEXT}"
            self.say(Failed(submit.request, "invalid_argument", words, "max_tokens"))
            return
        self.say(Accepted(submit.request, PROMPT_TOKENS))
        self.queue.append(answer)
        self.share.arrive(submit.subject, time.monotonic())

    def leave_queue(self, answer: Answer) -> None:
        self.queue.remove(answer)
        self.share.depart(answer.submit.subject)

    def end(self, request: int) -> None:
        answer = self.active.pop(request, None)
        if answer is not None:
            self.share.free(answer.submit.subject, time.monotonic())

    # Loading.

    def load(self, spec: LoadSpec, address: str) -> None:
        self.slots = spec.context.slots or 4
        _LOADS.get(spec.model.partition("-")[0], _plain)(self, spec)
        self.tell(LoadProgress("first_decode", 0.0))
        depth = self.slots * spec.queue_depth
        self.tell(Ready(Fitted(CONTEXT, self.slots, depth, 1, 100, 1000, "fake", "model")))
        self.data = connect_dealer(
            self.context, address, worker_identity(self.birth.generation), connect=False
        )
        self.monitor = self.data.get_monitor_socket(
            zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED
        )
        self.poller.register(self.data, zmq.POLLIN)
        self.poller.register(self.monitor, zmq.POLLIN)
        self.data.connect(address)

    def refuse(self, code: str, words: str) -> None:
        """As the real one does: whoever answers with Stop has heard why."""
        self.exit_code = exits.BAD_MODEL
        self.tell(LoadFailed(code, words, None))
        while True:
            self.hear(None)

    # Answering.

    def step(self) -> None:
        """One token of each answer that may have one."""
        now = time.monotonic()
        while self.queue and len(self.active) < self.slots:
            waiting = [(answer, answer.submit.subject) for answer in self.queue]
            answer = self.share.order(waiting, now)[0]
            self.leave_queue(answer)
            self.share.take(answer.submit.subject, now)
            self.active[answer.submit.request] = answer
        events: list[Any] = []
        for answer in list(self.active.values()):
            if answer.credit and answer.due <= now:
                self.advance(answer, now, events)
        if events:
            self.say(*events)

    def advance(self, answer: Answer, now: float, events: list[Any]) -> None:
        request = answer.submit.request
        if not answer.has_started:
            answer.has_started = True
            events.append(Started(request, PROMPT_TOKENS, 0))
        for fault in answer.script.faults:
            if fault.at == answer.sent and self.is_to_happen(fault, answer):
                # What was written before it is on its way before it.
                self.say(*events)
                events.clear()
                self.happen(fault, answer)
        if request not in self.active:
            return
        if answer.sent < answer.limit:
            answer.sent += 1
            answer.credit -= 1
            self.tokens += 1
            self.progress += 1
            number = (answer.script.start + answer.sent) % NUMBERS
            events.append(Delta(request, 0, f" {number}", (number,)))
            pace = answer.script.pace or STEP_SECONDS
            answer.due = now + (0.0 if answer.sent <= answer.known else pace)
        if answer.sent == answer.limit:
            self.end(request)
            self.ended = request
            usage = Usage(PROMPT_TOKENS, answer.sent)
            events += [
                Finished(request, 0, "length"),
                Done(request, usage, Timings(0.0, 0.001, 0.001)),
            ]

    # Faults.

    def is_to_happen(self, fault: script.Fault, answer: Answer) -> bool:
        """Each time, or the first time in the life of this base path."""
        if not fault.once:
            return True
        name = f"{answer.script.key}-{fault.what}-{fault.at}"
        return first_time(name)

    def happen(self, fault: script.Fault, answer: Answer) -> None:
        number = getattr(signal, f"SIG{fault.what.upper()}", None)
        if number is not None:
            self.flush()
            os.kill(os.getpid(), number)
            return
        _FAULTS[fault.what](self, fault, answer)

    def flush(self) -> None:
        """Returns when all that was said has left: closing a socket only asks for it."""
        self.data.disable_monitor()
        self.monitor.close()
        for socket in (self.data, self.control):
            socket.close(linger=2000)
        self.context.term()

    def allocate(self) -> None:
        """Take memory until there is none; the system decides how that ends."""
        while True:
            self.hoard.append(bytearray(os.urandom(1) * LEAK_BYTES))


def first_time(name: str) -> bool:
    """Whether no process of this base path has asked this before."""
    folder = Path(os.environ["KRONK_BASE_PATH"], "faults")
    folder.mkdir(exist_ok=True)
    try:
        (folder / name).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def hold_the_gil(seconds: float) -> None:
    """As a bad extension module does: no thread of this process runs meanwhile."""
    # The libc as `PyDLL`: called without releasing the GIL.
    ctypes.PyDLL(None).usleep(ctypes.c_uint(round(seconds * 1e6)))


# What happens in the middle of an answer. Signals are named by their own names.


def _exit(worker: Worker, fault: script.Fault, _: Answer) -> None:
    worker.flush()
    os._exit(round(fault.number))


def _hang(worker: Worker, fault: script.Fault, _: Answer) -> None:
    time.sleep(fault.number or 1e6)


def _spin(worker: Worker, fault: script.Fault, _: Answer) -> None:
    until = time.monotonic() + (fault.number or 1e6)
    while time.monotonic() < until:
        pass


def _hold(worker: Worker, fault: script.Fault, _: Answer) -> None:
    hold_the_gil(fault.number)


def _leak(worker: Worker, fault: script.Fault, _: Answer) -> None:
    worker.allocate()


def _flood(worker: Worker, fault: script.Fault, answer: Answer) -> None:
    for _ in range(FLOOD // 50):
        worker.say(*[Delta(answer.submit.request, 0, " flood", (0,))] * 50)


def _garbage(worker: Worker, fault: script.Fault, _: Answer) -> None:
    worker.shout(b"\xc1 no frame of ours")


def _oversized(worker: Worker, fault: script.Fault, _: Answer) -> None:
    worker.data.send(bytes(MAX_FRAME_BYTES + 1), copy=False)


def _unknown(worker: Worker, fault: script.Fault, answer: Answer) -> None:
    frame = encode(worker.birth.generation, [Attach()])
    worker.shout(bytes(frame).replace(b"Attach", b"Detach"))


def _stale(worker: Worker, fault: script.Fault, answer: Answer) -> None:
    request = answer.submit.request
    worker.say(
        Delta(request, 0, " stale", (0,)),
        Failed(request, "internal", "stale", None),
        generation=worker.birth.generation - 1,
    )
    worker.say(Delta(request, 0, " stale", (0,)), generation=worker.birth.generation + 1000)


def _late(worker: Worker, fault: script.Fault, answer: Answer) -> None:
    """Events of requests that are over, or never were."""
    for request in (worker.ended, 1, 2**62):
        worker.say(
            Accepted(request, 5),
            Delta(request, 0, " late", (0,)),
            Finished(request, 0, "stop"),
            Done(request, Usage(1, 1), Timings(0.0, 0.0, 0.0)),
        )


def _replay(worker: Worker, fault: script.Fault, answer: Answer) -> None:
    """On the control plane: all that was said at the start, once more."""
    hello = Hello("worker", worker.birth.secret, os.getpid(), PROTOCOL, __version__)
    fitted = Fitted(CONTEXT, 1000, 0, 1, 100, 1000, "replayed", "model")
    worker.tell(hello, LoadProgress("weights", 0.5), Ready(fitted))
    worker.tell(LoadFailed("internal", "replayed", None))


def _child(worker: Worker, fault: script.Fault, answer: Answer) -> None:
    """It holds our stdout and stderr, and outlives us if it may."""
    subprocess.Popen(["sleep", "600"])


def _deaf(worker: Worker, fault: script.Fault, answer: Answer) -> None:
    worker.is_deaf = True
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _undying(worker: Worker, fault: script.Fault, answer: Answer) -> None:
    """Stands still, and SIGABRT does not end it."""
    faulthandler.disable()
    signal.signal(signal.SIGABRT, signal.SIG_IGN)
    time.sleep(1e6)


_FAULTS: dict[str, Callable[[Worker, script.Fault, Answer], None]] = {
    "exit": _exit,
    "hang": _hang,
    "spin": _spin,
    "hold": _hold,
    "leak": _leak,
    "flood": _flood,
    "garbage": _garbage,
    "oversized": _oversized,
    "unknown": _unknown,
    "stale": _stale,
    "late": _late,
    "replay": _replay,
    "child": _child,
    "deaf": _deaf,
    "undying": _undying,
}


# How a load goes, by the first word of the model's name.


def _plain(worker: Worker, spec: LoadSpec) -> None:
    worker.tell(LoadProgress("weights", 1.0))


def _slowly(worker: Worker, spec: LoadSpec) -> None:
    for done in range(30):
        worker.progress += 1
        worker.tell(LoadProgress("weights", done / 30))
        time.sleep(0.1)


def _never(worker: Worker, spec: LoadSpec) -> None:
    worker.tell(LoadProgress("weights", 0.5))
    time.sleep(1e6)


def _crashing(worker: Worker, spec: LoadSpec) -> None:
    print("out of cheese", file=sys.stderr, flush=True)
    os._exit(exits.UNCAUGHT)


def _crashing_once(worker: Worker, spec: LoadSpec) -> None:
    if first_time(f"load-{spec.model}"):
        os.kill(os.getpid(), signal.SIGKILL)


def _unallocatable(worker: Worker, spec: LoadSpec) -> None:
    worker.refuse("model_failed", "not enough memory to load the model")


def _hoarding(worker: Worker, spec: LoadSpec) -> None:
    worker.tell(LoadProgress("weights", 0.1))
    try:
        worker.allocate()
    except MemoryError:
        worker.hoard.clear()
        _unallocatable(worker, spec)


def _hard_of_hearing(worker: Worker, spec: LoadSpec) -> None:
    worker.is_deaf = True
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _having_a_child(worker: Worker, spec: LoadSpec) -> None:
    subprocess.Popen(["sleep", "600"])


_LOADS: dict[str, Callable[[Worker, LoadSpec], None]] = {
    "Slowly": _slowly,
    "Never": _never,
    "Crashing": _crashing,
    "Once": _crashing_once,
    "Unallocatable": _unallocatable,
    "Hoarding": _hoarding,
    "Deaf": _hard_of_hearing,
    "Parent": _having_a_child,
}


if __name__ == "__main__":
    Worker().live()
