"""Signs of life from a thread of its own, with a socket of its own.

A thread that only sleeps and sends keeps beating through a long prefill or load, which release
the GIL; it stops when the process is stopped or the GIL is held. That is the difference the
supervisor needs between "busy" and "frozen".
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from typing import Any

import zmq

from kronk.shared.child import Birth
from kronk.shared.wire.codec import encode
from kronk.shared.wire.curve import Token
from kronk.shared.wire.sockets import connect_dealer, heartbeat_identity

from .pulse import Pulse

BEAT_SECONDS = 1.0


def start(
    context: zmq.Context[Any],
    birth: Birth,
    token: Token | None,
    pulse: Pulse,
    loop: asyncio.AbstractEventLoop,
) -> None:
    """Beat until the process ends; `loop` is asked to turn before each."""

    def beat() -> None:
        generation = birth.generation
        identity = heartbeat_identity(generation)
        socket = connect_dealer(context, birth.control, identity, token=token)
        while True:
            # A loop that is closed has nothing to do any more.
            with contextlib.suppress(RuntimeError):
                pulse.meter.asked()
                loop.call_soon_threadsafe(pulse.turned)
            frame = encode(generation, [pulse.beat(time.monotonic())])
            # Not connected yet, or the supervisor is gone and so are we soon.
            with contextlib.suppress(zmq.Again):
                socket.send(frame, zmq.NOBLOCK)
            time.sleep(BEAT_SECONDS)

    threading.Thread(target=beat, name="heartbeat", daemon=True).start()
