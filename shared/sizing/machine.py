"""What there is to load models on: processors, memory and GPUs. Looks at the machine, once."""

from __future__ import annotations

import importlib.util
import os
import platform
from pathlib import Path

from .budget import Device
from .placing import HOST, Gpu
from .predict import Machine
from .shape import Host, default_threads

# A GPU whose memory nobody tells us of: what is there is not in main memory.
_UNKNOWN = Gpu("gpu", 0)
# Built for one of these, llama.cpp has a library named so beside its others.
_GPU_LIBRARIES = ("cuda", "hip", "vulkan", "sycl", "metal", "musa", "cann")
# What llama.cpp copies into another layout for processors that have these. A Q4_0 model is then
# twice in memory: as the file has it, and as it is used.
_REPACKED = {
    "avx2": frozenset({"q4_0", "q4_K", "iq4_nl"}),
    "avx512f": frozenset({"q2_K"}),
    "asimddp": frozenset({"q4_0", "q4_K", "iq4_nl"}),
}


def machine(devices: tuple[Device, ...]) -> Machine:
    """The machine, with these of its devices."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    cards = tuple(Gpu(one.name, one.budget_bytes) for one in devices if one.name != HOST)
    if not cards and uses_gpus() and _has_another_gpu():
        cards = (_UNKNOWN,)
    host = Host(default_threads(len(os.sched_getaffinity(0))), memory, has_gpu=bool(cards))
    return Machine(host, cards, repacked(Path("/proc/cpuinfo"), platform.machine()))


def _has_another_gpu() -> bool:
    return Path("/dev/kfd").exists() or any(Path("/dev/dri").glob("renderD*"))


def uses_gpus() -> bool:
    """Whether llama.cpp, which is not loaded here, was built for GPUs."""
    folder = os.environ.get("LLAMA_CPP_LIB_PATH")
    if folder is None:
        spec = importlib.util.find_spec("llama_cpp")
        if spec is None or spec.origin is None:
            return False
        folder = str(Path(spec.origin).with_name("lib"))
    files = [file.name for file in Path(folder).glob("*ggml-*")]
    return any(f"ggml-{name}" in file for name in _GPU_LIBRARIES for file in files)


def repacked(cpuinfo: Path, kind: str) -> frozenset[str]:
    """Types of tensors that are copied for this processor."""
    try:
        text = cpuinfo.read_text()
    except OSError:
        return frozenset()
    title = "Features" if kind == "aarch64" else "flags"
    flags: set[str] = set()
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name.strip() == title:
            flags = set(value.split())
            break
    return frozenset().union(*(types for flag, types in _REPACKED.items() if flag in flags))
