"""A worker that loads nothing; the id of the model it is told to load says how it behaves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from typing import Any

import zmq

from kronk import __version__
from kronk.shared import exits
from kronk.shared.child import die_with_parent, on_parent_gone, read_birth
from kronk.shared.wire.codec import encode
from kronk.shared.wire.loading import Fitted, LoadSpec
from kronk.shared.wire.sockets import connect_dealer, heartbeat_identity, worker_identity
from kronk.shared.wire.to_supervisor import Heartbeat, Hello, LoadFailed, LoadProgress, Ready
from kronk.shared.wire.to_worker import CONTROL, Load
from kronk.shared.wire.values import PROTOCOL

FITTED = Fitted(8192, 2, 1, 1, 100, 1000, "fake", "model")


class Worker:
    def __init__(self) -> None:
        self.birth = read_birth()
        die_with_parent(self.birth.parent, signal.SIGKILL)
        on_parent_gone(lambda: os._exit(exits.ORPHANED))
        self.context: zmq.Context[Any] = zmq.Context()
        self.control = connect_dealer(
            self.context, self.birth.control, worker_identity(self.birth.generation)
        )

    def say(self, *messages: object) -> None:
        self.control.send(encode(self.birth.generation, messages))

    def live(self) -> None:
        secret = "wrong" if "liar" in sys.argv else self.birth.secret
        self.say(Hello("worker", secret, os.getpid(), PROTOCOL, __version__))
        threading.Thread(target=self.beat, daemon=True).start()
        is_deaf = False
        while True:
            _, messages = CONTROL.decode(self.control.recv())
            for message in messages:
                if isinstance(message, Load):
                    self.load(message.spec)
                    is_deaf = message.spec.model == "deaf"
                elif not is_deaf:
                    os._exit(exits.OK)

    def beat(self) -> None:
        # A context of its own, so that `flush` need not wait for this thread.
        context: zmq.Context[Any] = zmq.Context()
        socket = connect_dealer(
            context, self.birth.control, heartbeat_identity(self.birth.generation)
        )
        while True:
            socket.send(encode(self.birth.generation, [Heartbeat(0, False, None)]))
            time.sleep(1)

    def load(self, spec: LoadSpec) -> None:
        self.say(LoadProgress("weights", 1.0))
        match spec.model:
            case "never":
                return
            case "bad":
                self.say(LoadFailed("invalid_argument", "bad: not a GGUF file", "model"))
                self.leave(exits.BAD_MODEL)
            case "crash":
                print("out of cheese", file=sys.stderr, flush=True)
                self.leave(1)
            case "special" | "unfit" if spec.extra_buffers or spec.model == "unfit":
                self.say(LoadProgress("first_decode", 0.0))
                self.flush()
                os.kill(os.getpid(), signal.SIGILL)
            case "parent":
                # Holds our stderr, and is in our group.
                subprocess.Popen(["sleep", "600"])
        self.say(Ready(FITTED))

    def leave(self, code: int) -> None:
        self.flush()
        os._exit(code)

    def flush(self) -> None:
        self.control.close(linger=1000)
        self.context.destroy(linger=1000)


if __name__ == "__main__":
    Worker().live()
