"""What must hold after every fault, whatever it was; one place, so that no test checks less.

    with after_fault(server, "worker SIGKILL", "mid-stream", models=("Victim",)) as fault:
        stream = fault.stream("Victim", tokens=500)
        ...
        fault.figure("kill to error, ms", 1000 * seconds)

1. Each request ended in exactly one way, with a text that is right as far as it goes.
2. No process of this server is an orphan two seconds later, none a zombie one second later.
3. A second model under steady load saw no error.
4. Descriptors, threads and connections of supervisor and gateway are what they were before.
5. `kronk ps` says what /proc says: pids, parents and states.
6. No lease is out, no request is live, and no slot is taken.
7. Nobody of us met a bug: the log has no traceback.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import httpx

from . import proc
from .asked import Asked, AskedStream, AskedWhole, End
from .counting_model import counted
from .fault_house import BYSTANDER
from .matrix import Row, record
from .server import MARK, Server
from .steady import SteadyLoad
from .waiting import PATIENCE, wait_until

# The promises, in seconds.
ORPHANS_GONE_WITHIN = 2.0
ZOMBIES_GONE_WITHIN = 1.0
# Six of its own, and asyncio's pool, which grows to this size as it is used and stays.
GATEWAY_THREADS = 6 + min(32, (os.cpu_count() or 1) + 4)


class Fault:
    """One fault being done to a server: who is asked meanwhile, and what was measured."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.asked: list[Asked] = []
        self.figures: dict[str, float] = {}
        self._starts = itertools.count(7, 100)

    def stream(
        self, model: str, words: str = "", tokens: int = 3000, **options: Any
    ) -> AskedStream:
        """A stream that counts; it is closed at the end of the block."""
        start = next(self._starts) % 900
        asked = AskedStream(self.server, model, start, words, max_tokens=tokens, **options)
        self.asked.append(asked)
        return asked

    def whole(self, model: str, words: str = "", tokens: int = 3000, **options: Any) -> AskedWhole:
        """A request for an answer in one piece."""
        start = next(self._starts) % 900
        asked = AskedWhole(self.server, model, start, words, max_tokens=tokens, **options)
        self.asked.append(asked)
        return asked

    def streams(self, model: str, count: int, words: str = "", tokens: int = 3000) -> list[Any]:
        """Several, in the middle of their answers."""
        running = [self.stream(model, words, tokens) for _ in range(count)]
        for stream in running:
            stream.wait_for_pieces(3)
        return running

    def pid(self, model: str) -> int:
        """The process of a model that has one."""
        row = self.server.wait_for_row(model, state="ready")
        return int(row["pid"])

    def figure(self, name: str, value: float) -> None:
        """Something measured: `kill to error, ms`."""
        self.figures[name] = round(value, 1)

    def ends(self) -> Counter[End]:
        """How all that was asked ended; waits for it."""
        return Counter(asked.end() for asked in self.asked)


@contextlib.contextmanager
def after_fault(
    server: Server,
    what: str,
    where: str,
    *,
    models: Sequence[str] = (),
    gateway_dies: bool = False,
    refused: bool = True,
) -> Iterator[Fault]:
    """Everything above holds after the block. `models` are loaded before it and serve after it.

    With `gateway_dies` connections may break without a word: those of the steady load, too. With
    `refused` False every request must be served to its end.
    """
    serves(server, BYSTANDER, *models)
    server.settle()
    before = Held.by(server)
    seen = len(server.log_file.read_bytes())
    steady = SteadyLoad(server, BYSTANDER)
    fault = Fault(server)
    try:
        try:
            yield fault
            ends = fault.ends()
        finally:
            steady.stop()
            for asked in fault.asked:
                asked.close()
        # 1, as far as `end` has not seen to it.
        left = sum(isinstance(one, AskedStream) and one.has_left for one in fault.asked)
        assert gateway_dies or ends["broken"] <= left, f"{ends}, of which {left} hung up"
        assert refused or set(ends) <= {"done", "broken"}, f"{ends}: {_errors(fault)}"
        _no_orphans(server)
        assert steady.errors == [], steady.errors[:5]
        assert gateway_dies or steady.broken == 0
        assert steady.served, "the steady load asked for nothing"
        serves(server, BYSTANDER, *models)
        server.settle()
        _as_before(server, before)
        _ps_is_proc(server)
        _nothing_is_out(server)
        assert tracebacks(server, seen) == []
    except BaseException:
        record(Row(what, where, "VIOLATED", fault.figures))
        raise
    words = ", ".join(f"{count} {end}" for end, count in sorted(ends.items())) or "none asked"
    record(Row(what, where, f"{words}; beside it {steady.served} served", fault.figures))


def serves(server: Server, *models: str) -> None:
    """Each of these answers, and rightly, also where it has to be loaded or is backing off."""
    for model in models:
        assert server.text(model, "from 7", max_tokens=3) == counted(7, 3)


class Held:
    """What the two processes hold that live as long as the server."""

    def __init__(
        self, descriptors: dict[str, int], threads: dict[str, int], sockets: int, tasks: int
    ) -> None:
        self.descriptors = descriptors
        self.threads = threads
        # On the control and data planes.
        self.sockets = sockets
        # Of the gateway's loop.
        self.tasks = tasks

    @classmethod
    def by(cls, server: Server) -> Held:
        gateway = server.role_pid("gateway")
        assert gateway is not None
        pids = {"supervisor": server.pid, "gateway": gateway}
        return cls(
            {role: proc.open_files(pid) for role, pid in pids.items()},
            {role: proc.threads(pid) for role, pid in pids.items()},
            sum(proc.connections(str(server.sockets / f"{n}.sock")) for n in ("control", "data")),
            server.status()["gateway"]["tasks"],
        )

    def within(self, before: Held) -> bool:
        """Nothing has leaked since."""
        return (
            all(count <= before.descriptors[role] for role, count in self.descriptors.items())
            and self.threads["supervisor"] <= before.threads["supervisor"]
            and self.threads["gateway"] <= max(before.threads["gateway"], GATEWAY_THREADS)
            and self.sockets <= before.sockets
            and self.tasks <= before.tasks
        )

    def __repr__(self) -> str:
        kinds = ("descriptors", "threads", "sockets", "tasks")
        return ", ".join(f"{kind} {getattr(self, kind)}" for kind in kinds)


def _as_before(server: Server, before: Held) -> None:
    wait_until(
        lambda: Held.by(server).within(before),
        lambda: f"{before}; now {Held.by(server)}",
        timeout=PATIENCE / 3,
    )


def _no_orphans(server: Server) -> None:
    """No process of this server has another parent; and all that ended are reaped."""
    wait_until(
        lambda: not orphans(server),
        lambda: f"no orphans, but {orphans(server)}",
        timeout=ORPHANS_GONE_WITHIN,
    )
    wait_until(
        lambda: not proc.zombies(server.pid),
        lambda: f"no zombies, but {proc.zombies(server.pid)}",
        timeout=ZOMBIES_GONE_WITHIN,
    )


def orphans(server: Server) -> list[proc.Process]:
    """Processes of this server whose parent is none of it."""
    ours = proc.marked(MARK, server.mark)
    pids = {process.pid for process in ours}
    return [
        process
        for process in ours
        if process.pid != server.pid and process.parent not in pids and process.state != "Z"
    ]


def _ps_is_proc(server: Server) -> None:
    def agree() -> bool:
        status = server.status()
        pids = {row["pid"] for row in status["data"] if row["pid"] is not None}
        pids |= {process["pid"] for process in status["processes"]}
        in_order = all((row["pid"] is None) == (row["state"] in WITHOUT) for row in status["data"])
        return in_order and pids == {server.pid, *server.children()}

    def both() -> str:
        status = server.status()
        rows = [(row["model"], row["state"], row["pid"]) for row in status["data"]]
        return f"ps as /proc: {rows}, {status['processes']}, {server.children()}"

    wait_until(agree, both, timeout=5)


# States without a process.
WITHOUT = ("absent", "backoff", "failed")


def _nothing_is_out(server: Server) -> None:
    def at_work() -> list[tuple[Any, ...]]:
        status = server.status()
        counts = ("active_streams", "queued", "slots_busy")
        busy: list[tuple[Any, ...]] = [
            (row["model"], *(f"{row[count]} {count}" for count in counts))
            for row in status["data"]
            if any(row[count] for count in counts)
        ]
        leases, live = status["leases"], status["gateway"]["live"]
        ended = leases["refused"] + leases["returned"] + leases["lost"]
        if leases["waiting"] or leases["granted"] or leases["asked"] != ended or live:
            busy.append(("leases", leases, "live", live))
        return busy

    wait_until(lambda: not at_work(), lambda: f"nothing at work, but {at_work()}", timeout=5)


def tracebacks(server: Server, since: int) -> list[str]:
    """The log's lines about bugs of ours: whoever's it is, a fault must not find one."""
    with server.log_file.open("rb") as log:
        log.seek(since)
        lines = log.read().decode(errors="replace").splitlines()
    found = [line for line in lines if '"exception"' in line]
    return [line for line in found if json.loads(line).get("process") in ("supervisor", "gateway")]


def _errors(fault: Fault) -> list[Any]:
    return [asked.error for asked in fault.asked if asked.error is not None]


def wait_for_gateway(server: Server, old: int) -> int:
    """The pid of the gateway that takes the place of `old`."""

    def successor() -> int | None:
        try:
            new = server.role_pid("gateway")
        except (httpx.TransportError, httpx.HTTPStatusError):
            # A connection that the old one had accepted.
            return None
        return None if new == old else new

    return wait_until(successor, "a new gateway")


def milliseconds_since(then: float) -> float:
    """For figures."""
    return (time.monotonic() - then) * 1000
