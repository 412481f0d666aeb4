"""What the threads of a process are doing, by the process itself, also when it hangs.

Each process of ours opens a named pipe in the run directory, `stacks-<pid>`, and has SIGUSR2 write
the stacks of all its threads there. That is done in C, within the signal's handler: it needs no
event loop, no lock and no GIL. A pipe holds 64 KB, so that a process gone wrong cannot fill a disk
with it, and what does not fit is dropped rather than waited for. Stacks show code, never values.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import os
import select
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

SIGNAL = signal.SIGUSR2
# From the signal to the first line; what is on a processor takes a millisecond.
FIRST_LINE_SECONDS = 1.5
# Between two lines of one answer, which has no mark for its end.
QUIET_SECONDS = 0.15
# Far more than a hundred threads have.
_MOST_BYTES = 1_048_576
_READ_BYTES = 65_536
_NAME = "stacks-"
_PR_SET_PTRACER = 0x59616D61

# By the module that a process runs.
_ROLES = {
    "kronk.supervisor.main": "supervisor",
    "kronk.gateway.main": "gateway",
    "kronk.worker.main": "worker",
    "kronk.gateway.rego.main": "policies",
    "kronk.shared.jobs.child": "job",
}

# "stopped": by a signal or a debugger. "asleep": in the kernel, where no signal reaches it.
# "silent": it runs, and did not answer. "deaf": it has no such pipe or handler. "gone": no process.
Silence = Literal["stopped", "asleep", "silent", "deaf", "gone"]


@dataclass(frozen=True, slots=True)
class Taken:
    """What a process wrote, or why it wrote nothing."""

    text: str
    silence: Silence | None = None


def offer(folder: Path | str | None, tracers: int | None = None) -> None:
    """Have this process answer. Where the folder cannot be written it does not.

    The process `tracers`, and those it starts, may also read this one's memory, as far as they
    have the rights of its user (`kernel.yama.ptrace_scope` of 1 allows that to parents only).
    """
    if tracers is not None:
        ctypes.CDLL(None).prctl(_PR_SET_PTRACER, tracers, 0, 0, 0)
    if folder is None:
        return
    path = pipe_of(Path(folder), os.getpid())
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
        os.mkfifo(path, 0o600)
        # Both ends, so that writing needs no reader; it stays open for life.
        handle = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        faulthandler.register(SIGNAL, file=handle, all_threads=True)


def pipe_of(folder: Path, pid: int) -> Path:
    """Where that process writes."""
    return folder / f"{_NAME}{pid}"


def forget(folder: Path, pid: int) -> None:
    """That process has ended."""
    with contextlib.suppress(OSError):
        pipe_of(folder, pid).unlink(missing_ok=True)


def offering(folder: Path) -> list[int]:
    """The processes that answer here, oldest numbers first; pipes of ended ones are removed."""
    pids = []
    for path in folder.glob(f"{_NAME}*"):
        number = path.name.removeprefix(_NAME)
        if not number.isdecimal():
            continue
        if Path("/proc", number).exists():
            pids.append(int(number))
        else:
            forget(folder, int(number))
    return sorted(pids)


def role_of(pid: int) -> str:
    """What a process of ours does; "process" where that is not known."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_text(errors="replace").split("\0")
    except OSError:
        words = []
    return next((_ROLES[word] for word in words if word in _ROLES), "process")


def take(folder: Path, pid: int, clock: Callable[[], float] = time.monotonic) -> Taken:
    """Ask a process for the stacks of its threads. Blocks for up to two seconds: call it in a
    thread, and not twice at once for one process."""
    with contextlib.ExitStack() as handles:
        try:
            pidfd = os.pidfd_open(pid)
            handles.callback(os.close, pidfd)
            reader = os.open(pipe_of(folder, pid), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            handles.callback(os.close, reader)
            return _ask(pid, pidfd, reader, clock)
        except ProcessLookupError:
            return Taken("", "gone")
        except OSError:
            return Taken("", "deaf")


def _ask(pid: int, pidfd: int, reader: int, clock: Callable[[], float]) -> Taken:
    if not _is_caught(pid):
        # Without a handler the signal would end it.
        return Taken("", "deaf")
    # What a process that had been stopped has written since.
    while _read(reader, 0.0):
        continue
    signal.pidfd_send_signal(pidfd, SIGNAL)
    is_stopped = state_of(pid) in "Tt"
    deadline = clock() + (QUIET_SECONDS if is_stopped else FIRST_LINE_SECONDS)
    found, size = [], 0
    while size < _MOST_BYTES:
        data = _read(reader, QUIET_SECONDS)
        found.append(data)
        size += len(data)
        if not data and (size or clock() >= deadline):
            break
    if not size:
        return Taken("", _silence(pid))
    return Taken(b"".join(found).decode(errors="replace"))


def _read(reader: int, seconds: float) -> bytes:
    ready, _, _ = select.select([reader], [], [], seconds)
    try:
        return os.read(reader, _READ_BYTES) if ready else b""
    except BlockingIOError:
        return b""


def _silence(pid: int) -> Silence:
    state = state_of(pid)
    if state in "ZX":
        return "gone"
    if state in "Tt":
        return "stopped"
    return "asleep" if state == "D" else "silent"


def state_of(pid: int) -> str:
    """The letter of its state, as /proc has it; `X` for none."""
    try:
        facts = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return "X"
    # The name before it may hold anything.
    return facts.rpartition(")")[2].split()[0]


def _is_caught(pid: int) -> bool:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return False
    caught = next((line.split()[1] for line in lines if line.startswith("SigCgt:")), "0")
    return bool(int(caught, 16) >> (SIGNAL - 1) & 1)
