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


def devices() -> list[Device]:
    """All devices, in ggml's order."""
    ggml, _ = _libraries()
    count: int = ggml.ggml_backend_dev_count()
    return [_device(ggml.ggml_backend_dev_get(index)) for index in range(count)]


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
def _libraries() -> tuple[ctypes.CDLL, ctypes.CDLL]:
    folder = Path(lib._lib._name).parent
    ggml = ctypes.CDLL(str(folder / "libggml.so"))
    base = ctypes.CDLL(str(folder / "libggml-base.so"))
    ggml.ggml_backend_dev_count.restype = ctypes.c_size_t
    ggml.ggml_backend_dev_get.restype = ctypes.c_void_p
    ggml.ggml_backend_dev_get.argtypes = [ctypes.c_size_t]
    for name in ("dev_name", "dev_description", "buft_name"):
        function = base[f"ggml_backend_{name}"]
        function.restype, function.argtypes = ctypes.c_char_p, [ctypes.c_void_p]
        setattr(base, f"ggml_backend_{name}", function)
    base.ggml_backend_dev_buffer_type.restype = ctypes.c_void_p
    base.ggml_backend_dev_buffer_type.argtypes = [ctypes.c_void_p]
    base.ggml_backend_dev_type.argtypes = [ctypes.c_void_p]
    size = ctypes.POINTER(ctypes.c_size_t)
    base.ggml_backend_dev_memory.argtypes = [ctypes.c_void_p, size, size]
    return ggml, base


def _device(handle: int) -> Device:
    _, base = _libraries()
    free, total = ctypes.c_size_t(), ctypes.c_size_t()
    base.ggml_backend_dev_memory(handle, ctypes.byref(free), ctypes.byref(total))
    buffer_type = base.ggml_backend_dev_buffer_type(handle)
    return Device(
        name=base.ggml_backend_dev_name(handle).decode(),
        description=base.ggml_backend_dev_description(handle).decode(),
        kind=base.ggml_backend_dev_type(handle),
        free_bytes=free.value,
        total_bytes=total.value,
        buffer=base.ggml_backend_buft_name(buffer_type).decode(),
        buffer_type=buffer_type,
    )
