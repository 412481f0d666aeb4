"""The start of every process on this machine: what it runs, and what it is told of itself."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import structlog

from kronk.shared.child import Birth
from kronk.shared.settings import Settings

from .boot import Census
from .cause import Exit
from .commands import Commands, Role, environment
from .processes import Processes

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Listening:
    """The API's sockets, and the debug server's."""

    sockets: tuple[socket.socket, ...]
    # A service manager made them and keeps them open.
    are_passed: bool = False
    # The debug server's.
    debug: tuple[socket.socket, ...] = ()

    def close(self) -> None:
        for one in (*self.sockets, *self.debug):
            one.close()


@dataclass(frozen=True, slots=True)
class FarPlane:
    """Where workers of other hosts find the gateway, and the secret key it is known by."""

    data: str
    secret: str


class Births:
    """`failed` is told of a process that could not be started as if it had exited."""

    def __init__(
        self,
        settings: Settings,
        commands: Commands,
        listening: Listening,
        processes: Processes,
        far: Callable[[], FarPlane | None],
        failed: Callable[[Role, int, Exit], None],
    ) -> None:
        self._settings = settings
        self._base = settings.base
        self._commands = commands
        self._listening = listening
        self._processes = processes
        self._far = far
        self._failed = failed
        self._census = Census(self._base)

    @property
    def control(self) -> str:
        """The address of the control plane."""
        return f"ipc://{self._base.sockets}/control.sock"

    @property
    def data(self) -> str:
        """The address of the data plane."""
        return f"ipc://{self._base.sockets}/data.sock"

    def sweep(self) -> Sequence[int]:
        """End what a supervisor that was killed has left; returns the pids."""
        return self._census.sweep()

    def start(self, role: Role, generation: int, library: str | None = None) -> None:
        """Start a process of this role; a worker with the llama.cpp of that folder."""
        birth = Birth(
            generation,
            secrets.token_hex(32),
            os.getpid(),
            self.control,
            library=library,
            run=str(self._base.run),
        )
        try:
            child = self._processes.spawn(
                role,
                birth if role == "worker" else self._as_gateway(birth),
                self._commands.of(role),
                environment(self._settings, os.environ, role),
            )
        except OSError as error:
            log.error("cannot start a process", role=role, reason=str(error))
            self._failed(role, generation, Exit(None, (str(error),)))
            return
        log.info("process started", role=role, generation=generation, child=child.pid)
        self.record()

    def record(self) -> None:
        """Write down who lives, for a successor that has to sweep."""
        try:
            self._census.record([child.pid for child in self._processes])
        except OSError as error:
            log.warning("cannot record the children", reason=str(error))

    def close(self) -> None:
        """Everybody has ended."""
        self._census.forget()
        for name in ("control.sock", "data.sock"):
            (self._base.sockets / name).unlink(missing_ok=True)

    def _as_gateway(self, birth: Birth) -> Birth:
        far = self._far()
        return replace(
            birth,
            data=self.data,
            listen_fds=tuple(one.fileno() for one in self._listening.sockets),
            listen_shared=self._listening.are_passed,
            debug_fds=tuple(one.fileno() for one in self._listening.debug),
            far_data=None if far is None else far.data,
            far_secret=None if far is None else far.secret,
        )
