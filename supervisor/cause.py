"""Why a process ended, in words a user can act on."""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass

from kronk.shared import exits

# How a process dies whose instructions or memory accesses were wrong.
CRASH_SIGNALS = frozenset({signal.SIGSEGV, signal.SIGILL, signal.SIGBUS, signal.SIGABRT})
_STACK = re.compile(r"\s|Thread 0x|Current thread 0x|Extension modules:|Traceback \(most recent")
# Of stderr, quoted to a caller.
QUOTED_LINES = 5
QUOTED_CHARACTERS = 300


@dataclass(frozen=True, slots=True)
class Exit:
    """How one process ended. `returncode` is None when it could not even be started."""

    returncode: int | None
    last_lines: tuple[str, ...] = ()
    # In words, where it is not the process's own end that we know of.
    reason: str | None = None

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
        return signal_name(exit.signal)
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


def last_words(exit: Exit) -> tuple[str, ...]:
    """The last lines of stderr without the stacks a dying interpreter prints."""
    return tuple(line for line in exit.last_lines if line.strip() and not _STACK.match(line))


def hint(exit: Exit, *, ours: bool = False) -> str | None:
    """What to look at. `ours` says that we sent the signal, so that nobody need wonder."""
    if ours:
        return None
    if exit.signal == signal.SIGKILL:
        return "perhaps out of memory? The kernel's log (dmesg) says so"
    if exit.crashed_natively:
        return "a crash in native code; `kronk doctor` checks the llama.cpp library"
    if exit.returncode == exits.NO_MEMORY:
        return "a smaller context_window or n_seq_max, or fewer --models-in-cache, need less memory"
    return None


def unfit_library(exit: Exit) -> str:
    """For a process that died in its first decode, also with the plainest kernels."""
    return (
        f"the worker process died from {short(exit)} in its first decode: this build of llama.cpp "
        "does not fit this CPU (a native build by GCC 12 or older on a CPU with AMX is the known "
        "case); run `kronk doctor`"
    )


def _cut(line: str) -> str:
    return line if len(line) <= QUOTED_CHARACTERS else line[:QUOTED_CHARACTERS] + "..."
