"""How a process that the supervisor spawned learns who it is, and dies with its parent.

Three guards, because each has a hole: the kernel's parent-death signal (lost if the parent died
before it was armed, hence the comparison of the parent pid), end of file on stdin (needs a running
thread), and the supervisor's killpg on an orderly stop.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from . import exits

_PR_SET_PDEATHSIG = 1

# What the kernel ends first when memory runs out: a worker, which takes one model along, before the
# gateway, which takes all answers along, before the supervisor.
WORKER_OOM_SCORE = 500
GATEWAY_OOM_SCORE = 100


@dataclass(frozen=True, slots=True)
class Birth:
    """The one line of JSON on a child's stdin; stdin then stays open for the parent's life."""

    generation: int
    # Proves in `Hello` that this process is the one that was spawned. Used once.
    secret: str
    parent: int
    # ZeroMQ addresses; the data plane is bound by the gateway, which alone gets its address here.
    control: str
    data: str | None = None
    # The API's listening sockets, inherited; the gateway's only.
    listen_fds: tuple[int, ...] = ()
    # They stay open without us: a connection that we do not take waits for the next server.
    listen_shared: bool = False
    # The debug server's, the same way; none where there is no such server.
    debug_fds: tuple[int, ...] = ()
    # The folder it tells its stacks in.
    run: str | None = None
    # Where workers of other hosts dial the data plane, and the secret key it is known by; the
    # gateway's only, where there are such hosts.
    far_data: str | None = None
    far_secret: str | None = None
    # What a worker of another host dials with, and whose paths are which; such a worker's only.
    token: str | None = None
    their_base: str | None = None
    our_base: str | None = None
    # The folder of the llama.cpp that a worker is to use; None: the one the binding came with.
    library: str | None = None

    def line(self) -> bytes:
        """What the parent writes."""
        return json.dumps(asdict(self)).encode() + b"\n"


def read_birth() -> Birth:
    """Read our line; exits with a word of explanation when a person started us by hand."""
    # Unbuffered, so that the thread that waits for end of file can read the same descriptor.
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            print("this process is started by `kronk server start`, not by hand", file=sys.stderr)
            raise SystemExit(exits.USAGE)
        line += byte
    fields = json.loads(line)
    handles = {name: tuple(fields[name]) for name in ("listen_fds", "debug_fds")}
    return Birth(**fields | handles)


def die_with_parent(parent: int, with_signal: signal.Signals) -> None:
    """Ask the kernel to send `with_signal` when the parent dies; exit if it already has."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, int(with_signal), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:
        os._exit(exits.ORPHANED)


def raise_oom_score(score: int) -> None:
    """Be chosen before others when the kernel runs out of memory: from 0, the usual, to 1000.

    A score that is higher already stays. Lowering one takes privileges, raising it none.
    """
    path = Path("/proc/self/oom_score_adj")
    # A read-only /proc: the kernel then chooses by size alone.
    with contextlib.suppress(OSError):
        if int(path.read_text()) < score:
            path.write_text(str(score))


def on_parent_gone(act: Callable[[], None]) -> None:
    """Call `act` from a thread of its own when stdin ends, which is when the parent is gone."""

    def wait() -> None:
        while os.read(0, 4096):
            pass
        act()

    threading.Thread(target=wait, name="parent-watch", daemon=True).start()
