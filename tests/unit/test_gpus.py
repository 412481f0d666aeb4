"""What the driver says of GPUs, and what is made of it where it does not say everything."""

from __future__ import annotations

import ctypes
from typing import Any

import pytest

from kronk.shared import gpus
from kronk.shared.gpus import GpuMemory

NOT_SUPPORTED = 3


class Driver:
    """NVML's functions with a GPU that is at work for 35 % of the time."""

    def __init__(self, utilisation: int = 0) -> None:
        self.utilisation = utilisation

    def nvmlDeviceGetCount_v2(self, count: Any) -> int:
        count._obj.value = 1
        return 0

    def nvmlDeviceGetHandleByIndex_v2(self, index: int, handle: Any) -> int:
        handle._obj.value = index + 1
        return 0

    def nvmlDeviceGetMemoryInfo(self, _: Any, memory: Any) -> int:
        memory._obj.total, memory._obj.used = 80, 20
        return 0

    def nvmlDeviceGetUUID(self, _: Any, uuid: Any, size: int) -> int:
        ctypes.memmove(uuid, b"GPU-1\0", min(size, 6))
        return 0

    def nvmlDeviceGetUtilizationRates(self, _: Any, rates: Any) -> int:
        rates._obj.gpu, rates._obj.memory = 35, 12
        return self.utilisation


@pytest.mark.parametrize(
    ("code", "share"),
    [(0, 0.35), (NOT_SUPPORTED, None)],
    ids=["told", "not told"],
)
def test_a_gpu_has_its_memory_and_where_the_driver_tells_it_its_utilisation(
    monkeypatch: pytest.MonkeyPatch, code: int, share: float | None
) -> None:
    monkeypatch.setattr(gpus, "_library", lambda: Driver(code))
    assert gpus.gpus({}) == (GpuMemory("gpu0", 80, 20, share),)


def test_without_a_driver_there_is_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpus, "_library", lambda: None)
    assert gpus.gpus({}) == ()
