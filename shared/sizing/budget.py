"""How much memory models may take: of the machine or of the cgroup Kronk runs in, and of GPUs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from kronk.shared.gpus import GpuMemory, gpus
from kronk.shared.units import Share

from .placing import HOST

MIB = 2**20
# Kronk's own processes: supervisor, gateway and spare with some hundred connections.
OWN_BYTES = 256 * MIB
# Of each GPU: what drivers and desktops take in the course of time.
GPU_SHARE = 0.95
GPU_RESERVE = 256 * MIB
# Limits at least this large are no limits: version 1 says "none" by a number.
_UNLIMITED = 2**60


@dataclass(frozen=True, slots=True)
class Device:
    """The memory of main memory or a GPU, and what models may have of it, in bytes."""

    name: str
    total_bytes: int
    budget_bytes: int


def devices(asked: Share | int, *, uses_gpus: bool) -> tuple[Device, ...]:
    """Main memory, and the GPUs if llama.cpp can use them."""
    found = gpus() if uses_gpus else ()
    return (host(asked, memory_limit(Path("/"))), *map(gpu, found))


def host(asked: Share | int, limit: int) -> Device:
    """Main memory of so many bytes. Kronk's own processes need their part too, whatever was asked
    for."""
    wanted = int(limit * asked) if isinstance(asked, Share) else asked
    return Device(HOST, limit, max(min(wanted, limit - OWN_BYTES), 0))


def gpu(memory: GpuMemory) -> Device:
    """One GPU."""
    return gpu_of(memory.name, memory.total_bytes)


def gpu_of(name: str, total_bytes: int) -> Device:
    """A GPU of that name and size."""
    return Device(name, total_bytes, max(int(total_bytes * GPU_SHARE) - GPU_RESERVE, 0))


def memory_limit(root: Path) -> int:
    """Bytes of main memory below this root folder: the machine's, or the least of the limits of
    our cgroup and those above it."""
    return min([_machine(root / "proc/meminfo"), *_cgroup_limits(root)])


def _machine(meminfo: Path) -> int:
    for line in meminfo.read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "MemTotal":
            return int(value.split()[0]) * 1024
    raise ValueError(f"{meminfo}: no MemTotal")


def _cgroup_limits(root: Path) -> Iterator[int]:
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            # On a hybrid system version 2 has a folder of its own.
            for folder in ("sys/fs/cgroup", "sys/fs/cgroup/unified"):
                yield from _limits(_upwards(root / folder, path, "memory.max"))
        elif "memory" in controllers.split(","):
            name = "memory.limit_in_bytes"
            yield from _limits(_upwards(root / "sys/fs/cgroup/memory", path, name))


def _upwards(mount: Path, path: str, name: str) -> Iterator[Path]:
    """The file in each folder from a cgroup's up to the root. In a container the path may be that
    of the host, and only the root is there."""
    here = PurePosixPath(path)
    for folder in (here, *here.parents):
        if ".." not in folder.parts:
            yield mount / str(folder).lstrip("/") / name


def _limits(files: Iterable[Path]) -> Iterator[int]:
    for file in files:
        try:
            text = file.read_text().strip()
        except OSError:
            continue
        if text.isdecimal() and int(text) < _UNLIMITED:
            yield int(text)
