"""What this process has taken of the machine's memory, as the kernel and the driver count it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from kronk.shared.gpus import gpus
from kronk.shared.wire.loading import Taken

from .library import has_gpu

_KIB = 1024
_ROLLUP = Path("/proc/self/smaps_rollup")
_STATUS = Path("/proc/self/status")


def measure(scratch_bytes: int = 0, before: Mapping[str, int] | None = None) -> Taken | None:
    """As of now; None where the kernel does not say. `scratch_bytes` is memory set aside that
    nothing has been written to, `before` what GPUs had in use before the load."""
    found = _own()
    if found is None:
        return None
    private, mapped = found
    now = gpu_use() if before else {}
    devices = {
        name: size for name, used in (before or {}).items() if (size := now.get(name, 0) - used) > 0
    }
    # On a machine with GPUs most of it is there, and counted.
    return Taken(private, mapped, devices, 0 if devices else scratch_bytes)


def _own() -> tuple[int, int] | None:
    # Kernels may be built without the first, and a confined process may be kept from both.
    for path, read in ((_ROLLUP, of_rollup), (_STATUS, of_status)):
        try:
            return read(path.read_text())
        except OSError:
            continue
    return None


def gpu_use() -> dict[str, int]:
    """Used bytes of each GPU, by whoever uses them; empty where llama.cpp can use none."""
    return {gpu.name: gpu.used_bytes for gpu in gpus()} if has_gpu() else {}


def of_rollup(text: str) -> tuple[int, int]:
    """Bytes that are the process's own, on disk or not, and those of files."""
    found = _fields(text)
    private = found.get("Anonymous", 0) + found.get("Swap", 0)
    return private, found.get("Rss", 0) - found.get("Anonymous", 0)


def of_status(text: str) -> tuple[int, int]:
    """The same from `/proc/self/status`."""
    found = _fields(text)
    private = found.get("RssAnon", 0) + found.get("VmSwap", 0)
    return private, found.get("RssFile", 0) + found.get("RssShmem", 0)


def _fields(text: str) -> dict[str, int]:
    """Lines such as `Rss:  1234 kB`, in bytes."""
    found = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) == 3 and words[2] == "kB":
            found[words[0].rstrip(":")] = int(words[1]) * _KIB
    return found
