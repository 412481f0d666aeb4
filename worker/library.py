"""llama.cpp as a library: its log lines, its version, and what it can compute on."""

from __future__ import annotations

import ctypes
from collections import deque
from collections.abc import Callable
from pathlib import Path

import llama_cpp
import llama_cpp.llama_cpp as lib

# ggml's log levels; CONT continues the line before.
_WARN, _ERROR, _CONT = 3, 4, 5
# Lines kept to explain a failed load.
_KEPT = 20


class LlamaLog:
    """Catches llama.cpp's log for the life of the process.

    Keep the instance: the C side holds a pointer to its callback. `lines` has the latest warnings
    and errors, oldest first.
    """

    def __init__(self, forward: Callable[[str, str], None] | None = None) -> None:
        self.lines: deque[str] = deque(maxlen=_KEPT)
        self._forward = forward
        self._level = 0
        self._callback = lib.llama_log_callback(self._take)
        lib.llama_log_set(self._callback, ctypes.c_void_p(0))

    def _take(self, level: int, text: bytes, _: object) -> None:
        self._level = self._level if level == _CONT else level
        line = text.decode("utf-8", "replace").rstrip()
        if not line.strip(". "):
            return
        if self._level >= _WARN:
            self.lines.append(line)
        if self._forward is not None:
            self._forward("warning" if self._level >= _WARN else "info", line)

    def explain(self) -> str:
        """What llama.cpp said last, for an error message."""
        return "; ".join(list(self.lines)[-3:]) or "llama.cpp gave no reason"


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


def devices() -> list[dict[str, object]]:
    """What llama.cpp can compute on, with total and free bytes of memory."""
    ggml = ctypes.CDLL(str(Path(llama_cpp.__file__).parent / "lib" / "libggml.so"))
    base = ctypes.CDLL(str(Path(llama_cpp.__file__).parent / "lib" / "libggml-base.so"))
    ggml.ggml_backend_dev_count.restype = ctypes.c_size_t
    ggml.ggml_backend_dev_get.restype = ctypes.c_void_p
    ggml.ggml_backend_dev_get.argtypes = [ctypes.c_size_t]
    base.ggml_backend_dev_name.restype = ctypes.c_char_p
    base.ggml_backend_dev_name.argtypes = [ctypes.c_void_p]
    base.ggml_backend_dev_description.restype = ctypes.c_char_p
    base.ggml_backend_dev_description.argtypes = [ctypes.c_void_p]
    size = ctypes.POINTER(ctypes.c_size_t)
    base.ggml_backend_dev_memory.argtypes = [ctypes.c_void_p, size, size]
    found: list[dict[str, object]] = []
    for index in range(ggml.ggml_backend_dev_count()):
        device = ggml.ggml_backend_dev_get(index)
        free, total = ctypes.c_size_t(), ctypes.c_size_t()
        base.ggml_backend_dev_memory(device, ctypes.byref(free), ctypes.byref(total))
        found.append(
            {
                "name": base.ggml_backend_dev_name(device).decode(),
                "description": base.ggml_backend_dev_description(device).decode(),
                "free_bytes": free.value,
                "total_bytes": total.value,
            }
        )
    return found
