"""Workers on other hosts: what `processes.py` is for those here.

`kronk worker --connect` runs there, starts and reaps processes for us and says so. It is known by
its CURVE key. A host that says nothing for `lost_after` is taken for dead with all it ran; when it
comes back, what it still runs of ours is ended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import structlog

from kronk.shared.wire.codec import Message
from kronk.shared.wire.sockets import worker_identity
from kronk.shared.wire.to_host import HelloAgain, HostBeat, HostSignal, HostSpawn, Welcome
from kronk.shared.wire.to_supervisor import HostAlive, HostExited, HostHello, HostStarted
from kronk.shared.wire.values import PROTOCOL
from kronk.shared.worker_hosts import KnownHosts

from .cause import Exit
from .commands import Role

log = structlog.get_logger()

# From the order to start a process to a host's word that it runs.
START_WITHIN = 10.0


@dataclass(slots=True)
class Label:
    """The model a far process has; its log lines stay with its host."""

    model: str | None = None


@dataclass(slots=True, eq=False)
class FarChild:
    """A worker process on another host; the counterpart of `processes.Child`."""

    generation: int
    host: str
    secret: str
    ordered: float
    role: Role = "worker"
    relay: Label = field(default_factory=Label)
    # There; None until it is known to run.
    pid: int | None = None
    said_hello: bool = False
    is_loading: bool = False
    exit: Exit | None = None

    @property
    def identity(self) -> bytes:
        """Its name on the control plane."""
        return worker_identity(self.generation)


@dataclass(slots=True)
class _Host:
    last_heard: float
    pid: int


class Hosts:
    """The hosts that are connected, and their children.

    `tell(host, message)` sends; `on_up(host, models)` and `on_down(host)` report a host's coming
    and going, `on_exit(child, exit)` the end of each child, once.
    """

    def __init__(
        self,
        known: KnownHosts,
        base_path: str,
        *,
        tell: Callable[[str, Message], bool],
        on_up: Callable[[str, int], None],
        on_down: Callable[[str], None],
        on_exit: Callable[[FarChild, Exit], None],
    ) -> None:
        self._known = known
        self._base_path = base_path
        self._tell = tell
        self._on_up = on_up
        self._on_down = on_down
        self._on_exit = on_exit
        self._hosts: dict[str, _Host] = {}
        self._children: dict[int, FarChild] = {}

    def __iter__(self) -> Iterator[FarChild]:
        return iter(list(self._children.values()))

    def get(self, generation: int) -> FarChild | None:
        return self._children.get(generation)

    def spawn(self, host: str, generation: int, secret: str, now: float) -> None:
        """Have a worker process started there."""
        child = FarChild(generation, host, secret, now)
        self._children[generation] = child
        self._tell(host, HostSpawn(generation, secret))

    def signal(self, generation: int, number: int) -> None:
        """To its process group; to nobody when it is gone or cannot be reached."""
        child = self._children.get(generation)
        if child is not None:
            self._tell(child.host, HostSignal(generation, number))

    def on_message(self, now: float, host: str, message: Message) -> None:
        """A host has said something."""
        match message:
            case HostHello():
                self._hello(now, host, message)
            case HostAlive(running) if host in self._hosts:
                self._hosts[host].last_heard = now
                self._reconcile(now, host, running)
                self._tell(host, HostBeat())
            case HostAlive():
                self._tell(host, HelloAgain())
            case HostStarted(generation, pid):
                child = self._children.get(generation)
                if child is not None and child.host == host:
                    child.pid = pid
            case HostExited(generation, returncode, last_lines, stack, out_of_memory):
                child = self._children.get(generation)
                if child is not None and child.host == host:
                    exit = Exit(returncode, last_lines, None, stack, out_of_memory)
                    self._ended(child, exit)

    def tick(self, now: float) -> None:
        """Once a second: who has said nothing for too long."""
        limit = self._known.now().lost_after
        for name, host in list(self._hosts.items()):
            if now - host.last_heard > limit:
                self._lose(name, f"no word from the worker host {name} for {limit:g} s")

    def forgive(self, now: float) -> None:
        """We stood still ourselves: nobody is late."""
        for host in self._hosts.values():
            host.last_heard = now

    def _hello(self, now: float, name: str, hello: HostHello) -> None:
        if hello.protocol != PROTOCOL:
            log.error(
                "a worker host of another version",
                host=name,
                version=hello.version,
                protocol=hello.protocol,
                ours=PROTOCOL,
            )
            return
        row = self._known.now().hosts.get(name)
        if row is None:
            return
        before = self._hosts.get(name)
        if before is not None and before.pid != hello.pid:
            log.warning("a worker host started anew, or a second one has its token", host=name)
        self._hosts[name] = _Host(now, hello.pid)
        self._tell(name, Welcome(self._base_path, self._known.now().lost_after))
        self._reconcile(now, name, hello.running)
        if before is None:
            log.info("worker host connected", host=name, models=row.models, version=hello.version)
            self._on_up(name, row.models)

    def _reconcile(self, now: float, name: str, running: tuple[int, ...]) -> None:
        """End what runs there and is not ours; bury what is ours and does not run."""
        for generation in running:
            child = self._children.get(generation)
            if child is None or child.host != name:
                self._tell(name, HostSignal(generation, 9))
        for child in self:
            is_missing = child.host == name and child.generation not in running
            # Its order, or the word of its end, may still be on the way.
            if is_missing and now - child.ordered > START_WITHIN:
                reason = f"the worker host {name} does not run it any more"
                self._ended(child, Exit(None, (), reason))

    def _lose(self, name: str, reason: str) -> None:
        log.error("worker host lost", host=name, reason=reason)
        del self._hosts[name]
        self._on_down(name)
        for child in self:
            if child.host == name:
                self._ended(child, Exit(None, (), reason))

    def _ended(self, child: FarChild, exit: Exit) -> None:
        child.exit = exit
        self._on_exit(child, exit)
        del self._children[child.generation]
