"""Starts processes, hears of their end from the kernel, and reaps them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from kronk.shared.child import Birth
from kronk.shared.wire.sockets import GATEWAY_IDENTITY, worker_identity

from .cause import Exit, short
from .commands import Role
from .log_relay import Keep, Relay
from .oom import Kills

# What a process wrote to its socket may reach us after the news of its death. During a load the
# last thing it said (the phase, a reason) decides what its death means, and nobody uses it yet.
LAST_WORDS_SECONDS = 0.02

_READ_BYTES = 65_536
# Of what is left in the pipe at the end; a grandchild that holds it may write for ever.
_MOST_LEFT_BYTES = 1_048_576


@dataclass(slots=True, eq=False)
class Child:
    """One process of ours, until its end was reported."""

    generation: int
    role: Role
    secret: str
    popen: subprocess.Popen[bytes]
    pidfd: int
    # Its stdout and stderr; None once the other end is closed.
    output: int | None
    relay: Relay
    # Of `Kills`, at its start.
    oom_mark: int = 0
    # A SIGKILL was sent by us.
    is_killed: bool = False
    said_hello: bool = False
    # Between Load and Ready.
    is_loading: bool = False
    # Set by the reap: the pid may be somebody else's from then on.
    exit: Exit | None = None

    @property
    def pid(self) -> int:
        return self.popen.pid

    @property
    def identity(self) -> bytes:
        """Its name on the control plane."""
        return GATEWAY_IDENTITY if self.role == "gateway" else worker_identity(self.generation)


class Processes:
    """All children. To be used on the main thread: a child's parent-death signal comes when the
    *thread* that spawned it ends.

    `log` takes one line of JSON, `keep` what a process of a model said. `on_exit` is called once
    per child, at the reap or, during a load, a moment after it; until then `get` still knows the
    child.
    """

    def __init__(
        self,
        log: Callable[[str], None],
        on_exit: Callable[[Child, Exit], None],
        keep: Keep | None = None,
    ) -> None:
        self._log = log
        self._keep = keep
        self._on_exit = on_exit
        self._loop = asyncio.get_running_loop()
        self._children: dict[int, Child] = {}
        # What had ended at the last look, and is no child that we started.
        self._stray: int | None = None
        self._kills = Kills()

    def __iter__(self) -> Iterator[Child]:
        """The living."""
        return iter([child for child in self._children.values() if child.exit is None])

    def __bool__(self) -> bool:
        return bool(self._children)

    def get(self, generation: int) -> Child | None:
        return self._children.get(generation)

    def spawn(
        self,
        role: Role,
        birth: Birth,
        command: tuple[str, ...],
        environment: Mapping[str, str],
    ) -> Child:
        """Start a child and tell it who it is; OSError when the system cannot."""
        output, child_end = os.pipe2(os.O_CLOEXEC)
        try:
            popen = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=child_end,
                stderr=child_end,
                env=environment,
                pass_fds=(*birth.listen_fds, *birth.debug_fds),
                bufsize=0,
                # A group of its own: Ctrl-C reaches the supervisor only, a kill all grandchildren.
                process_group=0,
            )
        except OSError:
            os.close(output)
            raise
        finally:
            os.close(child_end)
        os.set_blocking(output, False)
        child = Child(
            birth.generation,
            role,
            birth.secret,
            popen,
            os.pidfd_open(popen.pid),
            output,
            Relay(role, popen.pid, birth.generation, self._keep),
            oom_mark=self._kills.mark(),
        )
        self._children[birth.generation] = child
        self._loop.add_reader(output, self._read, child)
        self._loop.add_reader(child.pidfd, self._reap, child)
        assert popen.stdin is not None
        # It may have died already; its exit says why.
        with contextlib.suppress(BrokenPipeError):
            popen.stdin.write(birth.line())
        return child

    def signal(self, generation: int, number: signal.Signals) -> None:
        """Send to the whole group; to nobody when the child is gone."""
        child = self._children.get(generation)
        if child is not None and child.exit is None:
            child.is_killed |= number == signal.SIGKILL
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, number)

    def abort(self, generation: int) -> None:
        """Have a child write what its threads do, and die of SIGABRT; a stopped one wakes for it.

        To the process alone: what it started would only write stacks of its own between.
        """
        child = self._children.get(generation)
        if child is not None and child.exit is None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(child.pidfd, signal.SIGABRT)
                signal.pidfd_send_signal(child.pidfd, signal.SIGCONT)

    def reap_stray(self) -> None:
        """As process 1, of a container, we are the parent of whatever lost its own, and its zombie
        must not stay. To be called now and then: what ended since the last call may have somebody
        who is about to reap it."""
        ended = _next_ended()
        if ended is not None and ended == self._stray:
            os.waitpid(ended, 0)
            ended = None
        ours = {child.pid for child in self._children.values()}
        self._stray = ended if ended not in ours else None

    def _read(self, child: Child) -> int:
        """Relay what has arrived; returns how much that was."""
        if child.output is None:
            return 0
        try:
            data = os.read(child.output, _READ_BYTES)
        except BlockingIOError:
            return 0
        if not data:
            self._close_output(child)
        self._relay(child.relay.feed(data))
        return len(data)

    def _relay(self, lines: list[str]) -> None:
        for line in lines:
            self._log(line)

    def _close_output(self, child: Child) -> None:
        if child.output is not None:
            self._loop.remove_reader(child.output)
            os.close(child.output)
            child.output = None

    def _reap(self, child: Child) -> None:
        self._loop.remove_reader(child.pidfd)
        os.close(child.pidfd)
        was_killed_by_us = child.is_killed
        # While it is a zombie its group still has its number: what it left behind goes with it.
        self.signal(child.generation, signal.SIGKILL)
        returncode = child.popen.wait()
        evidence = None
        if returncode == -signal.SIGKILL and not was_killed_by_us:
            evidence = self._kills.explain(child.oom_mark)
        left = _MOST_LEFT_BYTES
        while left > 0 and (count := self._read(child)):
            left -= count
        self._close_output(child)
        self._relay(child.relay.end())
        assert child.popen.stdin is not None
        child.popen.stdin.close()
        relay = child.relay
        child.exit = Exit(returncode, relay.last_lines, None, relay.stack, evidence)
        relay.note_end(short(child.exit))
        if child.is_loading:
            self._loop.call_later(LAST_WORDS_SECONDS, self._report, child, child.exit)
        else:
            self._report(child, child.exit)

    def _report(self, child: Child, exit: Exit) -> None:
        self._on_exit(child, exit)
        del self._children[child.generation]


def _next_ended() -> int | None:
    """A child that has ended, reaped by nobody yet."""
    try:
        found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    return found.si_pid if found is not None else None
