"""Why a process ended, in words a user can act on."""

from __future__ import annotations

import signal
from dataclasses import dataclass

from kronk.shared import exits

from .oom import Evidence

# How a process dies whose instructions or memory accesses were wrong.
CRASH_SIGNALS = frozenset({signal.SIGSEGV, signal.SIGILL, signal.SIGBUS, signal.SIGABRT})
# Signals that say more than that something is wrong.
_MEANING: dict[int, str] = {
    signal.SIGXCPU: "its limit of processor time (ulimit -t)",
    signal.SIGXFSZ: "its limit of file size (ulimit -f)",
    signal.SIGSYS: "a system call that its sandbox does not allow",
}
_OUT_OF_MEMORY = {
    "cgroup": "out of memory: the kernel killed a process of Kronk's cgroup",
    "machine": "probably out of memory: the kernel killed a process of this machine for it",
}
# What C++ and ggml say before they abort for want of memory.
_NO_MEMORY_WORDS = ("std::bad_alloc", "failed to allocate", "Cannot allocate memory")
# Of stderr, quoted to a caller.
QUOTED_LINES = 5
QUOTED_CHARACTERS = 300


@dataclass(frozen=True, slots=True)
class Exit:
    """How one process ended. `returncode` is None when it could not even be started."""

    returncode: int | None
    # Of its stderr, without stacks.
    last_lines: tuple[str, ...] = ()
    # In words, where it is not the process's own end that we know of.
    reason: str | None = None
    # What its threads were doing when it died, or the last traceback it wrote.
    stack: tuple[str, ...] = ()
    # That the kernel killed it to get memory back; None where nothing says so.
    out_of_memory: Evidence | None = None

    @property
    def signal(self) -> int | None:
        """The signal it died from."""
        if self.returncode is None or self.returncode >= 0:
            return None
        return -self.returncode

    @property
    def crashed_natively(self) -> bool:
        return self.signal in CRASH_SIGNALS


def signal_name(number: int) -> str:
    """`SIGSEGV`, or `signal 40` for one without a name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def short(exit: Exit) -> str:
    """`SIGKILL`, `exit 3: the model cannot be loaded`."""
    if exit.reason is not None:
        return exit.reason
    if exit.returncode is None:
        return "could not be started"
    if exit.signal is not None:
        meaning = _MEANING.get(exit.signal)
        if exit.out_of_memory is not None:
            meaning = _OUT_OF_MEMORY[exit.out_of_memory]
        return signal_name(exit.signal) + (f": {meaning}" if meaning else "")
    meaning = exits.MEANING.get(exit.returncode)
    return f"exit {exit.returncode}" + (f": {meaning}" if meaning else "")


def long(exit: Exit) -> str:
    """`short` with the last lines of stderr, for the caller whose request died with it."""
    lines = last_words(exit)[-QUOTED_LINES:]
    return short(exit) + (f"; its last words: {' | '.join(map(_cut, lines))}" if lines else "")


def with_last_line(exit: Exit) -> str:
    """`short` with the last line of stderr, for a table."""
    lines = last_words(exit)
    return short(exit) + (f" ({_cut(lines[-1])})" if lines else "")


def recorded(exit: Exit, words: str | None) -> str:
    """`short`, behind what we ended it for if we did: what a history says."""
    return short(exit) if words is None else f"{words} ({short(exit)})"


def last_words(exit: Exit) -> tuple[str, ...]:
    """The last lines of stderr that say something."""
    return tuple(line for line in exit.last_lines if line.strip())


def hint(exit: Exit, *, ours: bool = False) -> str | None:
    """What to look at. `ours` says that we sent the signal, so that nobody need wonder."""
    if ours:
        return None
    if exit.out_of_memory is not None or exit.returncode == exits.NO_MEMORY or _had_no_memory(exit):
        return "a smaller context_window or n_seq_max, or fewer --models-in-cache, need less memory"
    if exit.signal == signal.SIGKILL:
        return "somebody killed it: the kernel counted no kill for want of memory"
    if exit.signal == signal.SIGBUS:
        return "the model's file may have been cut or replaced while it was in use"
    if exit.crashed_natively:
        return "a crash in native code; `kronk doctor` checks the llama.cpp library"
    return None


def _had_no_memory(exit: Exit) -> bool:
    return any(words in line for line in exit.last_lines for words in _NO_MEMORY_WORDS)


def unfit_library(exit: Exit) -> str:
    """For a process that died in its first decode, also with the plainest kernels."""
    return (
        f"the worker process died from {short(exit)} in its first decode: this build of llama.cpp "
        "does not fit this CPU (a native build by GCC 12 or older on a CPU with AMX is the known "
        "case); run `kronk doctor`"
    )


def _cut(line: str) -> str:
    return line if len(line) <= QUOTED_CHARACTERS else line[:QUOTED_CHARACTERS] + "..."
