"""Signs of life from a thread of its own, with a socket of its own.

A thread that only sleeps and sends keeps beating through a long prefill or load, which release
the GIL; it stops when the process is stopped or the GIL is held. That is the difference the
supervisor needs between "busy" and "frozen".
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from typing import Any, Protocol

import zmq

from kronk.shared.child import Birth
from kronk.shared.wire.codec import encode
from kronk.shared.wire.curve import Token
from kronk.shared.wire.sockets import connect_dealer, heartbeat_identity
from kronk.shared.wire.status import WorkerStats
from kronk.shared.wire.to_supervisor import Heartbeat

BEAT_SECONDS = 1.0
# Beats that the token rate is averaged over.
_RATE_BEATS = 4


class Counters(Protocol):
    """What the engine counts; read without locks, each value being one machine word."""

    is_working: bool
    tokens: int
    requests: int

    @property
    def progress(self) -> int: ...

    @property
    def busy_slots(self) -> int: ...

    @property
    def queued(self) -> int: ...


class Pulse:
    """What the beats report: the load's steps first, the engine's counters later."""

    def __init__(self) -> None:
        self.load_steps = 0
        self.loading = False
        self._engine: Counters | None = None
        self._seen: deque[tuple[float, int]] = deque(maxlen=_RATE_BEATS + 1)

    def serve(self, engine: Counters) -> None:
        """From now on report what this engine does."""
        self._engine = engine
        self.loading = False

    def beat(self, now: float) -> Heartbeat:
        """The next heartbeat."""
        engine = self._engine
        if engine is None:
            return Heartbeat(self.load_steps, self.loading, None)
        self._seen.append((now, engine.tokens))
        stats = WorkerStats(
            slots_busy=engine.busy_slots,
            queued=engine.queued,
            tokens_per_second=self._rate(),
            requests=engine.requests,
            tokens=engine.tokens,
        )
        return Heartbeat(self.load_steps + engine.progress, engine.is_working, stats)

    def _rate(self) -> float:
        (then, before), (now, after) = self._seen[0], self._seen[-1]
        return (after - before) / (now - then) if now > then else 0.0


def start(context: zmq.Context[Any], birth: Birth, token: Token | None, pulse: Pulse) -> None:
    """Beat until the process ends."""

    def beat() -> None:
        generation = birth.generation
        identity = heartbeat_identity(generation)
        socket = connect_dealer(context, birth.control, identity, token=token)
        while True:
            frame = encode(generation, [pulse.beat(time.monotonic())])
            # Not connected yet, or the supervisor is gone and so are we soon.
            with contextlib.suppress(zmq.Again):
                socket.send(frame, zmq.NOBLOCK)
            time.sleep(BEAT_SECONDS)

    threading.Thread(target=beat, name="heartbeat", daemon=True).start()
