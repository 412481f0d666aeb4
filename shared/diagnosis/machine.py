"""The machine, as far as it matters to a model server. `root` is where its files are, for tests."""

from __future__ import annotations

import contextlib
import os
import platform
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from kronk.shared import gpus
from kronk.shared.benchmark.machine import cpu_name
from kronk.shared.libraries.host import fingerprint
from kronk.shared.units import format_bytes

_ROOT = Path("/")
# What llama.cpp has kernels for.
_FLAGS = (
    "sse3", "ssse3", "avx", "f16c", "fma", "bmi2", "avx2", "avx_vnni", "avx512f", "avx512bw",
    "avx512vl", "avx512vbmi", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_tile", "amx_int8",
    "amx_bf16", "neon", "asimd", "asimddp", "i8mm", "sve", "sve2", "bf16",
)  # fmt: skip
_LIMITS = {
    "open files": resource.RLIMIT_NOFILE,
    "locked memory": resource.RLIMIT_MEMLOCK,
    "address space": resource.RLIMIT_AS,
    "processes": resource.RLIMIT_NPROC,
    "core files": resource.RLIMIT_CORE,
}
_GROUP_FILES = (
    "memory.max", "memory.high", "memory.swap.max", "memory.current", "cpu.max", "cpuset.cpus",
    "pids.max",
)  # fmt: skip


def host(root: Path = _ROOT) -> dict[str, Any]:
    """Operating system, processor, memory, limits."""
    memory, swap = psutil.virtual_memory(), psutil.swap_memory()
    return {
        "system": _system(root),
        "kernel": f"{platform.system()} {platform.release()} {platform.machine()}",
        "C library": " ".join(platform.libc_ver()).strip() or None,
        "container": container(root),
        "systemd": _systemd(root),
        "processor": cpu_name(root / "proc/cpuinfo"),
        "instructions": instructions(root) or None,
        "cores": f"{len(os.sched_getaffinity(0))} usable of {os.cpu_count()}, "
        f"{psutil.cpu_count(logical=False)} physical",
        "load": [round(each, 2) for each in os.getloadavg()],
        "memory": f"{format_bytes(memory.total)}, {format_bytes(memory.available)} available",
        "swap": f"{format_bytes(swap.total)}, {format_bytes(swap.used)} used",
        "huge pages": _first(root / "sys/kernel/mm/transparent_hugepage/enabled"),
        "overcommit": _first(root / "proc/sys/vm/overcommit_memory"),
        "control group": control_group(root) or "no limits",
        "limits": {name: _limit(number) for name, number in _LIMITS.items()},
    }


def instructions(root: Path = _ROOT) -> list[str]:
    """Of the processor's, those that decide which kernels llama.cpp can use."""
    try:
        lines = (root / "proc/cpuinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        return []
    flags = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    known = {*flags.partition(":")[2].split()}
    return [name for name in _FLAGS if name in known]


def container(root: Path = _ROOT) -> str | None:
    """What says that this is one."""
    for name, kind in ((".dockerenv", "docker"), ("run/.containerenv", "podman")):
        if (root / name).exists():
            return kind
    text = _read(root / "proc/1/environ").replace("\0", "\n")
    told = (line for line in text.splitlines() if line.startswith("container="))
    named = next(told, "").partition("=")[2]
    if named:
        return named
    groups = _read(root / "proc/1/cgroup")
    kinds = ("kubepods", "docker", "containerd", "lxc")
    return next((kind for kind in kinds if kind in groups), None)


def control_group(root: Path = _ROOT) -> dict[str, str]:
    """Limits of this process's group and those around it (version 2), the nearest that is one."""
    own = next(
        (line[3:] for line in _read(root / "proc/self/cgroup").splitlines() if line[:3] == "0::"),
        "/",
    )
    top = root / "sys/fs/cgroup"
    here = top / own.lstrip("/")
    folders = [here, *(each for each in here.parents if each.is_relative_to(top))]
    found = {}
    for name in _GROUP_FILES:
        values = (_first(folder / name) for folder in folders)
        if said := next((value for value in values if value and not value.startswith("max")), None):
            found[name] = said
    return found


def disks(folders: dict[str, Path]) -> list[dict[str, Any]]:
    """The file systems of folders that need not be there."""
    return [_disk(name, folder) for name, folder in folders.items()]


def accelerators(root: Path = _ROOT) -> dict[str, Any]:
    """GPUs, their drivers and their devices."""
    cards = [
        {
            "name": card.name,
            "memory": format_bytes(card.total_bytes),
            "used": format_bytes(card.used_bytes),
        }
        for card in gpus.gpus()
    ]
    seen, newest = fingerprint(root), gpus.cuda_version()
    return {
        "NVIDIA": cards,
        "CUDA of the driver": ".".join(map(str, newest)) if newest else None,
        "drivers": seen["drivers"] or None,
        "devices": seen["devices"] or None,
        "CUDA_VISIBLE_DEVICES": os.environ.get("CUDA_VISIBLE_DEVICES"),
    }


def _disk(name: str, folder: Path) -> dict[str, Any]:
    row: dict[str, Any] = {"what": name, "folder": str(folder)}
    try:
        there = next(path for path in (folder, *folder.parents) if path.exists())
        usage = shutil.disk_usage(there)
        mounts = [mount for mount in psutil.disk_partitions(all=True) if _holds(mount, there)]
    except OSError as error:
        return row | {"state": error.strerror or str(error)}
    nearest = max(mounts, key=lambda mount: len(mount.mountpoint), default=None)
    return row | {
        "state": _state(folder),
        "file system": nearest.fstype if nearest else None,
        "size": format_bytes(usage.total),
        "free": format_bytes(usage.free),
    }


def _holds(mount: Any, path: Path) -> bool:
    return path.resolve().is_relative_to(mount.mountpoint)


def _state(folder: Path) -> str:
    if not folder.exists():
        return "not there"
    if not folder.is_dir():
        return "not a folder"
    return "writable" if os.access(folder, os.R_OK | os.W_OK | os.X_OK) else "not writable"


def _system(root: Path) -> str | None:
    lines = _read(root / "etc/os-release").splitlines()
    named = (line for line in lines if line.startswith("PRETTY_NAME="))
    return next(named, "").partition("=")[2].strip('"') or None


def _systemd(root: Path) -> str:
    hints = list(_hints(root))
    return ", ".join(hints) if hints else "no"


def _hints(root: Path) -> Iterator[str]:
    if (root / "run/systemd/system").is_dir():
        yield "runs here"
    # Given to services only.
    if "INVOCATION_ID" in os.environ:
        yield "started this process"
    if "NOTIFY_SOCKET" in os.environ:
        yield "waits for notifications"


def _limit(number: int) -> str:
    soft, hard = resource.getrlimit(number)
    shown = ("no limit" if each == resource.RLIM_INFINITY else str(each) for each in (soft, hard))
    return " of ".join(shown)


def _first(path: Path) -> str | None:
    return _read(path).partition("\n")[0].strip() or None


def _read(path: Path) -> str:
    with contextlib.suppress(OSError):
        return path.read_text("utf-8", "replace")
    return ""
