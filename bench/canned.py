"""A gateway's world with the model taken out: a supervisor that grants every lease, and workers
that know their answers. Started by `gateway.py`, in a process of its own.

The workers speak the real wire as the real one does: one thread hears requests, another sends the
events of a step, all those of its slots in one frame. A prompt that begins with a number has its
tokens at so many a second; those of all others come at `rate`, each slot's one in a step. The
figures a worker has of itself are in the answer's `timings`: `prefill_ms` to the first token,
`decode_ms` from there to the last.

Orders are lines of JSON on stdin, each answered by a line: `{"rate": 25}`, 0 is as fast as
credit allows. It ends with stdin.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import ctypes
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import zmq

from kronk.shared import settings
from kronk.shared.child import Birth
from kronk.shared.wire import to_supervisor, to_worker
from kronk.shared.wire.codec import encode
from kronk.shared.wire.sockets import (
    GATEWAY_IDENTITY,
    Channel,
    bind_router,
    connect_dealer,
    events_identity,
    worker_identity,
)
from kronk.shared.wire.to_gateway import (
    Accepted,
    Attach,
    Delta,
    Done,
    Finished,
    Granted,
    Managed,
    Started,
    Status,
)
from kronk.shared.wire.to_supervisor import Hello, LeaseRequest, Manage, StatusRequest
from kronk.shared.wire.to_worker import Cancel, Credit, Submit
from kronk.shared.wire.values import Timings, Usage

WORKER = 7
GATEWAY = 3
PROMPT_TOKENS = 5
# What one llama_decode has at most: more streams than that are those of several workers.
SLOTS = 64
# Words of usual lengths, one of which JSON must escape.
WORDS = (" the", " little", " fox", ",", " and", " went", " over", "\n", " again", " to", " é")
_PR_SET_NAME = 15
# Multiples of it are spread evenly, however many there are.
_GOLDEN = 0.618


@dataclass(slots=True)
class Answer:
    """One request; times are of the monotonic clock."""

    request: int
    tokens: int
    credit: int
    heard: float
    # Tokens a second of its own, None as all.
    rate: float | None
    due: float
    # Which of the workers it has a slot of.
    group: int = 0
    sent: int = 0
    first: float = 0.0


class Engine:
    """A thread that sends steps. What it takes to send them is counted as the worker's."""

    def __init__(self, context: zmq.Context[Any], address: str) -> None:
        self.rate = 0.0
        # Seconds of CPU that its messages took, and how many deltas they had.
        self.spent = 0.0
        self.deltas = 0
        self._commands: deque[Callable[[], None]] = deque()
        self._wake = threading.Condition()
        self._answers: dict[int, Answer] = {}
        self._socket = connect_dealer(
            context, address, events_identity(WORKER), queue_while_away=True
        )
        threading.Thread(target=self._run, name="engine", daemon=True).start()

    def tell(self, command: Callable[[], None]) -> None:
        with self._wake:
            self._commands.append(command)
            self._wake.notify()

    def begin(self, answer: Answer) -> None:
        # A worker's streams step together, and workers at times of their own.
        answer.group = len(self._answers) // SLOTS
        self._answers[answer.request] = answer
        self._emit([Accepted(answer.request, PROMPT_TOKENS), Started(answer.request, 5, 0)])

    def cancel(self, request: int) -> None:
        self._answers.pop(request, None)

    def credit(self, request: int, events: int) -> None:
        if (answer := self._answers.get(request)) is not None:
            answer.credit += events

    def _run(self) -> None:
        name_thread("engine")
        while True:
            with self._wake:
                if not self._commands and (seconds := self._patience()) != 0:
                    self._wake.wait(seconds)
            while self._commands:
                self._commands.popleft()()
            self._step()

    def _patience(self) -> float | None:
        """Seconds until a token is due; None is until something is heard."""
        due = [one.due for one in self._answers.values() if one.credit]
        return max(min(due) - time.monotonic(), 0.0) if due else None

    def _step(self) -> None:
        """A token of each answer that may have one, a frame for each so many slots."""
        now = time.monotonic()
        ready = [one for one in self._answers.values() if one.credit and one.due <= now]
        ready.sort(key=lambda one: one.group)
        for _, slots in groupby(ready, key=lambda one: one.group):
            events: list[Any] = []
            for answer in slots:
                self._advance(answer, events)
            self._emit(events)

    def _advance(self, answer: Answer, events: list[Any]) -> None:
        now = time.monotonic()
        if not answer.sent:
            answer.first = now
        answer.sent += 1
        answer.credit -= 1
        self.deltas += 1
        answer.due = self._next_due(answer, now)
        number = answer.sent % len(WORDS)
        events.append(Delta(answer.request, 0, WORDS[number], (number,)))
        if answer.sent == answer.tokens:
            del self._answers[answer.request]
            timings = Timings(0.0, answer.first - answer.heard, now - answer.first)
            events.append(Finished(answer.request, 0, "length"))
            events.append(Done(answer.request, Usage(PROMPT_TOKENS, answer.sent), timings))

    def _next_due(self, answer: Answer, now: float) -> float:
        if answer.rate is not None:
            # However late this one was; but nothing is caught up with.
            return max(answer.due + 1 / answer.rate, now)
        if not self.rate:
            return now
        step, offset = 1 / self.rate, answer.group * _GOLDEN % 1 / self.rate
        return ((now - offset) // step + 1) * step + offset

    def _emit(self, events: list[Any]) -> None:
        began = time.thread_time()
        self._socket.send(encode(WORKER, events), zmq.NOBLOCK)
        self.spent += time.thread_time() - began


class Worker:
    """The thread that hears requests, as the real worker's: an asyncio loop."""

    def __init__(self, context: zmq.Context[Any], address: str) -> None:
        self.engine = Engine(context, address)
        loop = asyncio.get_running_loop()
        self._data = Channel(
            connect_dealer(context, address, worker_identity(WORKER)),
            WORKER,
            to_worker.DATA,
            self._on_data,
            lambda _, error: sys.exit(error.message),
        )
        self._attaching = loop.create_task(self._data.send_when_connected(Attach()))

    def _on_data(self, _: bytes, __: int, message: Any) -> None:
        engine = self.engine
        match message:
            case Submit():
                answer = answer_to(message)
                engine.tell(lambda: engine.begin(answer))
            case Cancel(request):
                engine.tell(lambda: engine.cancel(request))
            case Credit(request, events):
                engine.tell(lambda: engine.credit(request, events))


def answer_to(submit: Submit) -> Answer:
    now = time.monotonic()
    text = str((submit.prompt.messages or [{}])[-1].get("content", ""))
    first, _, _ = text.partition(" ")
    rate = float(first) if first.isdecimal() else None
    return Answer(submit.request, submit.max_tokens or 16, submit.window, now, rate, now)


def supervise(control: zmq.Socket[bytes], is_up: threading.Event) -> None:
    """Grant everything. A thread of its own."""
    name_thread("supervisor")
    while True:
        frame = control.recv_multipart()[-1]
        for message in to_supervisor.CONTROL.decode(frame)[1]:
            answer = None
            match message:
                case Hello():
                    is_up.set()
                case LeaseRequest(lease):
                    answer = Granted(lease, WORKER)
                case StatusRequest(ask):
                    answer = Status(ask, False, (), ())
                case Manage(ask):
                    answer = Managed(ask, "ready")
            if answer is not None:
                control.send_multipart([GATEWAY_IDENTITY, encode(1, [answer])])


def start_gateway(folder: Path) -> tuple[subprocess.Popen[bytes], int]:
    """The real one, and its port."""
    base = folder / "kronk"
    (base / "run").mkdir(parents=True)
    (base / "models").mkdir()
    values = settings.resolve({"base_path": str(base), "debug_host": "off"}, {})
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    birth = Birth(
        generation=GATEWAY,
        secret="bench",
        parent=os.getpid(),
        control=f"ipc://{folder}/control.sock",
        data=f"ipc://{folder}/data.sock",
        listen_fds=(listener.fileno(),),
    )
    plain = {name: value for name, value in os.environ.items() if not name.startswith("KRONK_")}
    with (folder / "gateway.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "kronk.gateway"],
            stdin=subprocess.PIPE,
            stderr=log,
            pass_fds=[listener.fileno()],
            env={**plain, **settings.to_environment(values)},
        )
    assert process.stdin is not None
    process.stdin.write(birth.line())
    process.stdin.flush()
    return process, int(listener.getsockname()[1])


def name_thread(name: str) -> None:
    """Name the calling thread in /proc."""
    ctypes.CDLL(None).prctl(_PR_SET_NAME, name.encode(), 0, 0, 0)


async def play(folder: Path) -> None:
    """Until stdin ends."""
    supervisor, workers = zmq.Context(), zmq.Context()
    control = bind_router(supervisor, f"ipc://{folder}/control.sock")
    is_up = threading.Event()
    threading.Thread(target=supervise, args=(control, is_up), daemon=True).start()
    gateway, port = start_gateway(folder)
    try:
        if not await asyncio.to_thread(is_up.wait, 30.0):
            raise RuntimeError((folder / "gateway.log").read_text())
        worker = Worker(workers, f"ipc://{folder}/data.sock")
        say({"port": port, "gateway": gateway.pid, "worker": os.getpid()})
        loop = asyncio.get_running_loop()
        while order := await loop.run_in_executor(None, sys.stdin.readline):
            worker.engine.rate = json.loads(order).get("rate", worker.engine.rate)
            say({"spent": worker.engine.spent, "deltas": worker.engine.deltas})
    finally:
        gateway.kill()
        gateway.wait()


def say(facts: dict[str, Any]) -> None:
    print(json.dumps(facts), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(play(parser.parse_args().folder))
    # The threads that wait for nothing more.
    os._exit(0)


if __name__ == "__main__":
    main()
