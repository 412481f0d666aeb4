"""llama.cpp as a library: its log lines, its version, and what it was built for."""

from __future__ import annotations

import ctypes
import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import get_ident
from typing import Any, Literal

import llama_cpp
import llama_cpp.llama_cpp as lib

from kronk.shared.errors import InsufficientMemory, KronkError, ModelFailed

Level = Literal["debug", "info", "warning", "error"]

# ggml's log levels; CONT continues the line before.
_LEVELS: dict[int, Level] = {1: "debug", 2: "info", 3: "warning", 4: "error"}
_INFO, _WARN, _CONT = 2, 3, 5
# A line without end is cut here.
_LONGEST = 4096
# Lines kept to explain a failed load.
_KEPT = 20


@dataclass(slots=True)
class Measured:
    """What llama.cpp says of itself in its log and nowhere else."""

    # Bytes of keys and values or recurrent states, and of scratch memory by device.
    memory: int = 0
    scratch: dict[str, int] = field(default_factory=dict)
    gpu_layers: int = 0
    flash_attention: bool = False
    is_unlocked: bool = False

    def take(self, line: str) -> None:
        """Learn from one line."""
        if found := _BUFFER.search(line):
            size = round(float(found[3]) * 2**20)
            if found[2] == "compute":
                # Said again when it is reserved anew.
                self.scratch[found[1]] = size
            else:
                self.memory += size
        elif found := _FLASH.search(line):
            self.flash_attention = found[1] == "enabled"
        elif found := _OFFLOADED.search(line):
            self.gpu_layers = int(found[1])
        elif "failed to mlock" in line:
            self.is_unlocked = True


_BUFFER = re.compile(r"^\w+:\s+(\S+) (KV|RS|compute) buffer size = +([\d.]+) MiB")
_NO_MEMORY = re.compile(
    r"(?:failed|unable) to allocate|out of memory|bad_alloc|cannot allocate memory", re.IGNORECASE
)
_FLASH = re.compile(r"(?:flash_attn += |Flash Attention )(enabled|disabled)")
_OFFLOADED = re.compile(r"offloaded (\d+)/\d+ layers to GPU")


# Of all logs of this process: the C side has pointers to them, which no reference counts, and a
# thread may be in one that another has just taken the place of.
_CALLBACKS: list[Any] = []


class LlamaLog:
    """Catches llama.cpp's log for the life of the process, and that of mtmd, which is given
    `callback` too; the one that was made last has it.

    `forward` gets each whole line, `debug` ones where `wants_debug`, on the thread that wrote it.
    `lines` has the latest warnings and errors, oldest first; `measured` what was said since it was
    last replaced.
    """

    def __init__(
        self, forward: Callable[[Level, str], None] | None = None, *, wants_debug: bool = False
    ) -> None:
        self.lines: deque[str] = deque(maxlen=_KEPT)
        self.measured = Measured()
        self._forward = forward
        self._least = 1 if wants_debug else _INFO
        # By thread: the number of its level, and what there is of a line that goes on.
        self._begun: dict[int, tuple[int, str]] = {}
        self.callback = lib.llama_log_callback(self._take)
        _CALLBACKS.append(self.callback)
        lib.llama_log_set(self.callback, ctypes.c_void_p(0))

    def _take(self, level: int, text: bytes, _: object) -> None:
        thread = get_ident()
        said = text.decode("utf-8", "replace")
        number, begun = self._begun.pop(thread, (_INFO, ""))
        if level != _CONT:
            if begun:
                self._say(number, begun)
            number, begun = level if level in _LEVELS else _INFO, ""
        *whole, rest = (begun + said).split("\n")
        for line in whole:
            self._say(number, line)
        if len(rest) > _LONGEST:
            self._say(number, rest[:_LONGEST])
            rest = ""
        # The level stays, also for what continues a line that has ended.
        self._begun[thread] = (number, rest)

    def _say(self, number: int, line: str) -> None:
        line = line.rstrip()
        if not line.strip(". "):
            return
        if number >= _WARN:
            self.lines.append(line)
        self.measured.take(line)
        if self._forward is not None and number >= self._least:
            self._forward(_LEVELS[number], line)

    def _end_line(self) -> None:
        """What was said without an end counts, where it is the last."""
        number, begun = self._begun.pop(get_ident(), (_INFO, ""))
        self._say(number, begun)

    @property
    def ran_out_of_memory(self) -> bool:
        """Whether a device had too little memory for something."""
        self._end_line()
        return any(_NO_MEMORY.search(line) for line in self.lines)

    def failure(self, message: str, *, param: str | None = None) -> KronkError:
        """The error for something that llama.cpp could not do, by what it said."""
        kind = InsufficientMemory if self.ran_out_of_memory else ModelFailed
        return kind(message, param=param)

    def explain(self) -> str:
        """What llama.cpp said last, for an error message."""
        self._end_line()
        return "; ".join(list(self.lines)[-3:]) or "llama.cpp gave no reason"


def use_numa(strategy: str) -> None:
    """For the whole process, before anything is loaded; aborts it where no device is the CPU."""
    lib.llama_numa_init(_NUMA[strategy])


_NUMA = {
    "distribute": lib.GGML_NUMA_STRATEGY_DISTRIBUTE,
    "isolate": lib.GGML_NUMA_STRATEGY_ISOLATE,
    "numactl": lib.GGML_NUMA_STRATEGY_NUMACTL,
}


def build() -> str:
    """Versions of the binding and of the llama.cpp below it, for bug reports."""
    llama = lib.llama_version() if hasattr(lib, "llama_version") else b"?"
    return f"llama-cpp-python {llama_cpp.__version__}, llama.cpp {llama.decode()}"


def cpu_features() -> str:
    """The instruction sets this build uses, as llama.cpp names them."""
    text: bytes = lib.llama_print_system_info()
    return text.decode()


def has_gpu() -> bool:
    """Whether this build can compute on anything but the processor."""
    can: bool = lib.llama_supports_gpu_offload()
    return can
