"""What the threads of a process are doing, by the process itself, also when it hangs.

Each process of ours opens two named pipes in the run directory. What is written to the one,
`stacks-<pid>.ask`, is a question, which a thread of its own answers into the other, `stacks-<pid>`,
with the stacks of all threads. That thread has the GIL then, so that none of them changes while it
is read. Where it does not come to it, SIGUSR2 has the same done in C, within the signal's handler,
which needs no event loop, no lock and no GIL. It reads stacks that might change, and a process may
die of that: nobody is sent the signal who can answer otherwise, and who cannot has a thread that
holds the GIL and stands still.

A pipe holds 64 KB, so that a process gone wrong cannot fill a disk with it, and what does not fit
is dropped rather than waited for. Stacks show code, never values.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import os
import select
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

SIGNAL = signal.SIGUSR2
# From the question to the first line. A thread gets the GIL within 5 ms where it is not held for
# ever, and a processor within this even on a machine that has far too much to do.
ANSWER_SECONDS = 1.0
# From the signal to the first line; what is on a processor takes a millisecond.
FIRST_LINE_SECONDS = 1.5
# Between two lines of one answer, which has no mark for its end.
QUIET_SECONDS = 0.15
# Far more than a hundred threads have.
_MOST_BYTES = 1_048_576
_READ_BYTES = 65_536
_NAME, _ASK = "stacks-", ".ask"
_THREAD = "stacks"
# The block of the thread that answers; in those of the signal it has another function.
_OWN = "in _answer_for_ever"
_PR_SET_PTRACER = 0x59616D61

# By the module that a process runs.
_ROLES = {
    "kronk.supervisor": "supervisor",
    "kronk.gateway": "gateway",
    "kronk.worker": "worker",
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


# Of this process: where questions come from, and where answers go.
_pipes: tuple[int, int] | None = None


def offer(folder: Path | str | None, tracers: int | None = None) -> None:
    """Have this process answer the signal, and open what `answer` needs. Where the folder cannot be
    written it does not.

    The process `tracers`, and those it starts, may also read this one's memory, as far as they
    have the rights of its user (`kernel.yama.ptrace_scope` of 1 allows that to parents only).
    """
    if tracers is not None:
        ctypes.CDLL(None).prctl(_PR_SET_PTRACER, tracers, 0, 0, 0)
    if folder is None:
        return
    path = pipe_of(Path(folder), os.getpid())
    with contextlib.suppress(OSError):
        handle = _open_anew(path, os.O_NONBLOCK)
        faulthandler.register(SIGNAL, file=handle, all_threads=True)
        global _pipes
        _pipes = _open_anew(ask_of(path), 0), handle


def _open_anew(path: Path, flags: int) -> int:
    path.unlink(missing_ok=True)
    os.mkfifo(path, 0o600)
    # Both ends, so that none waits for the other; it stays open for life.
    return os.open(path, os.O_RDWR | os.O_CLOEXEC | flags)


def answer() -> None:
    """Have a thread answer questions from now on; after `offer`, and after a sandbox that must be
    entered before there are threads."""
    if _pipes is not None:
        threading.Thread(target=_answer_for_ever, args=_pipes, name=_THREAD, daemon=True).start()


def _answer_for_ever(questions: int, answers: int) -> None:
    # Several of them are one: who asked before has gone.
    while os.read(questions, _READ_BYTES):
        with contextlib.suppress(OSError):
            faulthandler.dump_traceback(answers, all_threads=True)


def pipe_of(folder: Path, pid: int) -> Path:
    """Where that process writes."""
    return folder / f"{_NAME}{pid}"


def ask_of(pipe: Path) -> Path:
    """Where it is asked."""
    return pipe.with_name(pipe.name + _ASK)


def forget(folder: Path, pid: int) -> None:
    """That process has ended."""
    path = pipe_of(folder, pid)
    for one in (path, ask_of(path)):
        with contextlib.suppress(OSError):
            one.unlink(missing_ok=True)


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
    """Ask a process for the stacks of its threads. Blocks for up to three seconds: call it in a
    thread, and not twice at once for one process."""
    with contextlib.ExitStack() as handles:
        try:
            pidfd = os.pidfd_open(pid)
            handles.callback(os.close, pidfd)
            reader = os.open(pipe_of(folder, pid), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            handles.callback(os.close, reader)
            text = _asked(folder, pid, reader, clock)
            return Taken(text) if text else _ask(pid, pidfd, reader, clock)
        except ProcessLookupError:
            return Taken("", "gone")
        except OSError:
            return Taken("", "deaf")


def _asked(folder: Path, pid: int, reader: int, clock: Callable[[], float]) -> str:
    """What the thread of that process answers; empty where it does not."""
    # What a process that had been stopped has written since.
    _empty(reader)
    if is_stopped(pid):
        return ""
    try:
        question = os.open(ask_of(pipe_of(folder, pid)), os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        return ""
    try:
        os.write(question, b"?")
    except OSError:
        return ""
    finally:
        os.close(question)
    data = _collect(reader, ANSWER_SECONDS, clock)
    # faulthandler leaves a line empty between two threads.
    blocks = data.decode(errors="replace").rstrip("\n").split("\n\n")
    return "\n\n".join(block for block in blocks if _OWN not in block)


def _ask(pid: int, pidfd: int, reader: int, clock: Callable[[], float]) -> Taken:
    if not _is_caught(pid):
        # Without a handler the signal would end it.
        return Taken("", "deaf")
    _empty(reader)
    signal.pidfd_send_signal(pidfd, SIGNAL)
    patience = QUIET_SECONDS if is_stopped(pid) else FIRST_LINE_SECONDS
    data = _collect(reader, patience, clock)
    return Taken(data.decode(errors="replace")) if data else Taken("", _silence(pid))


def _empty(reader: int) -> None:
    while _read(reader, 0.0):
        continue


def _collect(reader: int, patience: float, clock: Callable[[], float]) -> bytes:
    """All that comes until nothing more does; empty where nothing came for that many seconds.

    A look in which this machine stood still counts as no longer than another: whoever is asked
    stood still, too.
    """
    found, size, waited = [], 0, 0.0
    while size < _MOST_BYTES:
        began = clock()
        data = _read(reader, QUIET_SECONDS)
        took = clock() - began
        waited += min(took, QUIET_SECONDS)
        found.append(data)
        size += len(data)
        is_quiet = size > 0 and took < 2 * QUIET_SECONDS
        if not data and (is_quiet or waited >= patience):
            break
    return b"".join(found)


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


def is_stopped(pid: int) -> bool:
    """By a signal or a debugger: it does nothing until it is told to go on."""
    return state_of(pid) in "Tt"


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
