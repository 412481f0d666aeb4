"""What this machine is, and which processors a build of llama.cpp could use on it.

Only looks: no driver is loaded but NVIDIA's, which tells of memory anyway.
"""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from kronk.shared import gpus

Processor = Literal["cpu", "cuda", "metal", "vulkan", "rocm", "sycl"]
PROCESSORS: tuple[Processor, ...] = get_args(Processor)
SYSTEMS = ("linux", "darwin", "windows")
ARCHITECTURES = ("amd64", "arm64")

_ARCHITECTURE_OF = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
_LIBRARY_FOLDERS = ("usr/lib64", "usr/lib", "usr/local/lib", "lib64", "lib", "opt/rocm/lib")
_DRIVERS = ("nvidia", "amdgpu", "i915", "xe")


@dataclass(frozen=True, slots=True)
class Found:
    """Whether there is something to compute on, and what was seen, in words."""

    is_there: bool
    words: str


@dataclass(frozen=True, slots=True)
class Host:
    """A machine as builds see it."""

    system: str
    architecture: str
    # Of the C library, `2.36`; None where it is another one.
    glibc: str | None = None
    # What NVIDIA's driver can run at most, such as (13, 0).
    cuda: tuple[int, int] | None = None
    processors: Mapping[Processor, Found] = field(default_factory=dict)

    def has(self, processor: Processor) -> bool:
        """Whether a build for it could compute here."""
        found = self.processors.get(processor)
        return found is not None and found.is_there

    def words(self, processor: Processor) -> str:
        """What was seen of it."""
        found = self.processors.get(processor)
        return found.words if found is not None else "not looked for"


# Where nothing is asked of the machine.
NOWHERE = Host("", "")


def detect(root: Path = Path("/"), environment: Mapping[str, str] = os.environ) -> Host:
    """This machine. `root` is where its files are."""
    system = platform.system().lower()
    cards = gpus.gpus(environment)
    folders = library_folders(root, environment)
    return Host(
        system,
        architecture(platform.machine()),
        glibc=_glibc(),
        cuda=gpus.cuda_version(),
        processors={
            "cpu": Found(True, platform.machine()),
            "cuda": _cuda(cards),
            "rocm": _rocm(root),
            "metal": _metal(system),
            "vulkan": _vulkan(root, folders, has_card=bool(cards)),
            "sycl": _sycl(root, folders),
        },
    )


def architecture(machine: str) -> str:
    """As Go calls it, and the manual: `amd64`, `arm64`; an unknown one as it is."""
    return _ARCHITECTURE_OF.get(machine.lower(), machine.lower())


def _glibc() -> str | None:
    try:
        name, _, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")
    except (AttributeError, ValueError, OSError):
        return None
    return version if name == "glibc" else None


def _cuda(cards: Sequence[gpus.GpuMemory]) -> Found:
    if not cards:
        return Found(False, "NVIDIA's driver shows no GPU")
    return Found(True, f"{len(cards)} GPU of NVIDIA")


def _metal(system: str) -> Found:
    there = system == "darwin"
    return Found(there, "macOS" if there else "this is not macOS")


def _rocm(root: Path) -> Found:
    if not (root / "dev/kfd").exists():
        return Found(False, "there is no /dev/kfd")
    return Found(True, "/dev/kfd")


def _vulkan(root: Path, folders: Sequence[Path], *, has_card: bool) -> Found:
    if not has_library(folders, "libvulkan.so.1"):
        return Found(False, "the Vulkan loader (libvulkan.so.1) is not installed")
    nodes = sorted((root / "dev/dri").glob("renderD*"))
    if not nodes and not has_card:
        return Found(False, "there is no GPU in /dev/dri")
    return Found(True, ", ".join(f"/dev/dri/{node.name}" for node in nodes) or "a GPU of NVIDIA")


def _sycl(root: Path, folders: Sequence[Path]) -> Found:
    if not has_library(folders, "libze_loader.so.1"):
        return Found(False, "Intel's Level Zero loader (libze_loader.so.1) is not installed")
    if not any((root / "dev/dri").glob("renderD*")):
        return Found(False, "there is no GPU in /dev/dri")
    return Found(True, "Level Zero")


def library_folders(root: Path, environment: Mapping[str, str]) -> list[Path]:
    """Where shared libraries of the system are."""
    named = [root / name for name in _LIBRARY_FOLDERS]
    multiarch = [folder for base in named for folder in base.glob("*-linux-gnu")]
    told = environment.get("LD_LIBRARY_PATH", "").split(":")
    return [*named, *multiarch, *(Path(name) for name in told if name)]


def has_library(folders: Sequence[Path], name: str) -> bool:
    """Whether a library of that name is in one of them."""
    return any((folder / name).exists() for folder in folders)


def fingerprint(root: Path = Path("/")) -> dict[str, str]:
    """What a build that worked here depends on: the processor's instructions, and the drivers."""
    drivers = (f"{name} {_first_line(root / f'sys/module/{name}/version')}" for name in _DRIVERS)
    return {
        "cpu": _cpu_flags(root),
        "drivers": ", ".join(line for line in drivers if not line.endswith(" ")),
        "devices": ", ".join(_nodes(root)),
        "glibc": _glibc() or "",
    }


def _nodes(root: Path) -> list[str]:
    """A container may be given a GPU later."""
    patterns = ("dri/renderD*", "nvidia[0-9]*", "kfd")
    return [str(path) for pattern in patterns for path in sorted((root / "dev").glob(pattern))]


def _cpu_flags(root: Path) -> str:
    """A digest: machines with other flags can execute other instructions."""
    try:
        lines = (root / "proc/cpuinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        return platform.machine()
    named = (line for line in lines if line.startswith(("flags", "Features")))
    flags = sorted(next(named, platform.machine()).partition(":")[2].split())
    return hashlib.sha256(" ".join(flags).encode()).hexdigest()[:16]


def _first_line(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace").partition("\n")[0].strip()
    except OSError:
        return ""
