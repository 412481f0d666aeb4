"""What ggml can compute on: functions of its libraries that llama-cpp-python leaves unbound."""

from __future__ import annotations

import ctypes
import functools
from dataclasses import dataclass
from pathlib import Path

import llama_cpp.llama_cpp as lib

from .placement import Machine

_CPU, _GPU, _INTEGRATED = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Device:
    """One of ggml's devices. The processor is one too."""

    name: str
    description: str
    # ggml's number for its kind.
    kind: int
    free_bytes: int
    total_bytes: int
    # Where its tensors are kept: the buffer type's name, and llama.cpp's pointer to it.
    buffer: str
    buffer_type: int

    @property
    def is_gpu(self) -> bool:
        """Of its own memory or of the machine's."""
        return self.kind in (_GPU, _INTEGRATED)


def devices() -> list[Device]:
    """All devices, in ggml's order."""
    ggml = _library()
    count: int = ggml.ggml_backend_dev_count()
    return [_device(ggml.ggml_backend_dev_get(index)) for index in range(count)]


def load_all() -> None:
    """Load what the build has as files beside it, as llama.cpp's releases do; before anything else
    is asked of it. Builds that are of one piece have their devices already."""
    ggml = _library()
    if not ggml.ggml_backend_dev_count():
        ggml.ggml_backend_load_all_from_path(str(folder()).encode())


def folder() -> Path:
    """Where the libraries are that the binding has loaded."""
    return Path(lib._lib._name).parent


def version() -> tuple[str, str]:
    """ggml's version, and the commit that it was built from."""
    ggml = _library()
    return ggml.ggml_version().decode(), ggml.ggml_commit().decode()


def type_name(number: int) -> str:
    """What ggml calls a type of numbers."""
    return (_library().ggml_type_name(number) or b"").decode()


def machine() -> Machine:
    """What there is to place a model's weights on."""
    found = devices()
    # llama.cpp's choice too: the integrated GPU only where there is no card.
    cards = [device.name for device in found if device.kind == _GPU]
    cards = cards or [device.name for device in found if device.kind == _INTEGRATED]
    has_processor = any(device.kind == _CPU for device in found)
    nodes = len(list(Path("/sys/devices/system/node").glob("node[0-9]*")))
    # llama.cpp's NUMA set-up aborts the process where no device is the processor.
    return Machine(
        gpus=tuple(cards),
        buffers=tuple(device.buffer for device in found),
        memory_nodes=max(nodes, 1) if has_processor else 1,
    )


@functools.cache
def _library() -> ctypes.CDLL:
    # As libllama itself sees them: a file of ggml under another of its names would be loaded a
    # second time, with devices of its own. Another object than the one whose types are set.
    ggml = ctypes.CDLL(lib._lib._name)
    pointer, text = ctypes.c_void_p, ctypes.c_char_p
    ggml.ggml_backend_dev_count.restype = ctypes.c_size_t
    ggml.ggml_backend_dev_get.restype = pointer
    ggml.ggml_backend_dev_get.argtypes = [ctypes.c_size_t]
    ggml.ggml_backend_load_all_from_path.restype = None
    ggml.ggml_backend_load_all_from_path.argtypes = [text]
    for name in ("dev_name", "dev_description", "buft_name"):
        function = ggml[f"ggml_backend_{name}"]
        function.restype, function.argtypes = text, [pointer]
        setattr(ggml, f"ggml_backend_{name}", function)
    ggml.ggml_backend_dev_buffer_type.restype = pointer
    ggml.ggml_backend_dev_buffer_type.argtypes = [pointer]
    ggml.ggml_backend_dev_type.argtypes = [pointer]
    size = ctypes.POINTER(ctypes.c_size_t)
    ggml.ggml_backend_dev_memory.argtypes = [pointer, size, size]
    ggml.ggml_version.restype = ggml.ggml_commit.restype = text
    ggml.ggml_type_name.restype, ggml.ggml_type_name.argtypes = text, [ctypes.c_int]
    return ggml


def _device(handle: int) -> Device:
    ggml = _library()
    free, total = ctypes.c_size_t(), ctypes.c_size_t()
    ggml.ggml_backend_dev_memory(handle, ctypes.byref(free), ctypes.byref(total))
    buffer_type = ggml.ggml_backend_dev_buffer_type(handle)
    return Device(
        name=ggml.ggml_backend_dev_name(handle).decode(),
        description=ggml.ggml_backend_dev_description(handle).decode(),
        kind=ggml.ggml_backend_dev_type(handle),
        free_bytes=free.value,
        total_bytes=total.value,
        buffer=ggml.ggml_backend_buft_name(buffer_type).decode(),
        buffer_type=buffer_type,
    )
