"""NVIDIA's GPUs and their memory, through the driver's own library (NVML); nothing is installed
for it, and where there is no driver there is no GPU."""

from __future__ import annotations

import ctypes
import functools
import os
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GpuMemory:
    """One GPU. Its name counts in the order of the PCI bus: `gpu0`."""

    name: str
    total_bytes: int
    used_bytes: int
    # Share of the last moment, up to a second, in which it computed something; None where the
    # driver does not say.
    utilisation: float | None = None


class _Memory(ctypes.Structure):
    _fields_ = (
        ("total", ctypes.c_ulonglong),
        ("free", ctypes.c_ulonglong),
        ("used", ctypes.c_ulonglong),
    )


class _Utilisation(ctypes.Structure):
    # In percent.
    _fields_ = (("gpu", ctypes.c_uint), ("memory", ctypes.c_uint))


_UUID_BYTES = 96


def gpus(environment: Mapping[str, str] = os.environ) -> tuple[GpuMemory, ...]:
    """Those a child with this environment may use, as of now."""
    nvml = _library()
    count = ctypes.c_uint()
    if nvml is None or nvml.nvmlDeviceGetCount_v2(ctypes.byref(count)):
        return ()
    found = [_gpu(nvml, index) for index in range(count.value)]
    known = [gpu for gpu in found if gpu is not None]
    wanted = visible(environment.get("CUDA_VISIBLE_DEVICES"), [uuid for uuid, _ in known])
    return tuple(known[index][1] for index in wanted)


def cuda_version() -> tuple[int, int] | None:
    """The newest CUDA that the driver runs, such as (13, 0)."""
    nvml, version = _library(), ctypes.c_int()
    if nvml is None or nvml.nvmlSystemGetCudaDriverVersion_v2(ctypes.byref(version)):
        return None
    return version.value // 1000, version.value % 1000 // 10


def visible(setting: str | None, uuids: list[str]) -> list[int]:
    """Indices that CUDA_VISIBLE_DEVICES leaves, in its order; the first that means nothing ends
    the list, as in CUDA."""
    if setting is None:
        return list(range(len(uuids)))
    chosen: list[int] = []
    for word in (part.strip() for part in setting.split(",")):
        matches = [index for index, uuid in enumerate(uuids) if word and uuid.startswith(word)]
        if word.isdecimal() and int(word) < len(uuids):
            matches = [int(word)]
        if len(matches) != 1 or matches[0] in chosen:
            break
        chosen.append(matches[0])
    return chosen


@functools.cache
def _library() -> ctypes.CDLL | None:
    try:
        nvml = ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return None
    return nvml if nvml.nvmlInit_v2() == 0 else None


def _gpu(nvml: ctypes.CDLL, index: int) -> tuple[str, GpuMemory] | None:
    handle, memory = ctypes.c_void_p(), _Memory()
    uuid = ctypes.create_string_buffer(_UUID_BYTES)
    if nvml.nvmlDeviceGetHandleByIndex_v2(index, ctypes.byref(handle)):
        return None
    if nvml.nvmlDeviceGetMemoryInfo(handle, ctypes.byref(memory)):
        return None
    nvml.nvmlDeviceGetUUID(handle, uuid, _UUID_BYTES)
    busy = _Utilisation()
    failed = nvml.nvmlDeviceGetUtilizationRates(handle, ctypes.byref(busy))
    share = None if failed else busy.gpu / 100.0
    return uuid.value.decode(), GpuMemory(f"gpu{index}", memory.total, memory.used, share)
