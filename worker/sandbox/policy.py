"""Which files a worker is left with, in three layers.

From its start a process may read what its user may, write to the cache only, and start nothing:
it has parsed nothing yet, and does not know which files it will be told to load, which may lie
anywhere. The threads that carry messages see no models at all. The thread that starts all others
gives up the rest when it is told what to load: from then on this process reads the system, Python
and the files of that load, wherever links led to.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import kronk
import kronk.shared
import kronk.worker
from kronk.shared.wire.loading import LoadSpec

from .landlock import DEVICE, KEEP, READ, Grant, Layer, reading

# Libraries, what their loader and the C library's name and time functions read, and what the
# kernel says of this machine. Nothing here is secret: of /etc only these.
_SYSTEM = (
    "/usr",
    "/lib",
    "/lib64",
    "/opt/rocm",
    "/opt/cuda",
    "/nix/store",
    "/gnu/store",
    "/proc",
    "/sys",
    "/etc/alternatives",
    "/etc/group",
    "/etc/host.conf",
    "/etc/hosts",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
    "/etc/nsswitch.conf",
    "/etc/OpenCL",
    "/etc/passwd",
    "/etc/resolv.conf",
    "/etc/timezone",
    "/etc/vulkan",
    "/dev/random",
    "/dev/urandom",
    "/dev/zero",
    "/dev/full",
)
# Folders of many owners.
_SHARED = frozenset(("/", "/dev", "/etc", "/home", "/mnt", "/root", "/run", "/srv", "/tmp", "/var"))
_FIRST_SHARD = re.compile(r"(.+)-00001-of-(\d{5})", re.DOTALL)
# As many as a model in the models folder may have.
_MOST_SHARDS = 1000
# Of processors other than the first one, by their drivers' names for them.
_ACCELERATORS = ("nvidia*", "dri", "kfd", "dxg", "accel")


def from_start(cache: Path) -> Layer:
    """Read everything, write to the cache and to devices that compute."""
    return (Grant(Path("/"), READ), Grant(cache, KEEP), *devices())


def of_messages() -> Layer:
    """Send and receive: no model, nothing of its users."""
    return reading([*system(), *python()])


def of_load(spec: LoadSpec) -> Layer:
    """What it takes to load and to serve this."""
    cache = spec.cache.directory
    library = spec.library.folder
    # What it loads late, such as the kernels of a device.
    libraries = [] if library is None else [Path(library)]
    return (
        *reading([*system(), *python(), *libraries, *files(spec)]),
        *(() if cache is None else (Grant(Path(cache), KEEP),)),
        *devices(),
    )


def files(spec: LoadSpec) -> list[Path]:
    """Every file that loading this opens."""
    draft = spec.speculation.draft_path
    others = (spec.projector, spec.template.path, *(adapter.path for adapter in spec.adapters))
    return [
        *shards(Path(spec.path)),
        *(shards(Path(draft)) if draft is not None else ()),
        *(Path(name) for name in others if name is not None),
    ]


def shards(first: Path) -> list[Path]:
    """The files of a model that may be split, by the name of its first one."""
    split = _FIRST_SHARD.fullmatch(first.stem)
    if split is None:
        return [first]
    stem, count = split.groups()
    most = min(int(count), _MOST_SHARDS)
    return [first.with_stem(f"{stem}-{number:05d}-of-{count}") for number in range(1, most + 1)]


def system() -> list[Path]:
    """The machine's libraries, and what describes it."""
    return [Path(name) for name in _SYSTEM]


def python() -> list[Path]:
    """The interpreter, its libraries and Kronk's own folders."""
    own = (kronk.__path__, kronk.shared.__path__, kronk.worker.__path__)
    return [
        *_folders((sys.prefix, sys.base_prefix, sys.exec_prefix, *sys.path)),
        *(Path(folder) for package in own for folder in package),
        *_folders(library_path(os.environ)),
    ]


def library_path(environment: Mapping[str, str]) -> list[str]:
    """Where an operator has put libraries."""
    return environment.get("LD_LIBRARY_PATH", "").split(":")


def _folders(names: Iterable[str]) -> list[Path]:
    """Those that name a folder of their own: a PYTHONPATH of `/` or of a home must not grant all
    that is there."""
    paths = (Path(name) for name in names if name)
    return [path for path in paths if path.is_absolute() and not _is_everything(path)]


def _is_everything(path: Path) -> bool:
    return str(path) in _SHARED or Path.home().is_relative_to(path)


def devices() -> Layer:
    """Processors other than the first one, and the null device."""
    found = (path for name in _ACCELERATORS for path in sorted(Path("/dev").glob(name)))
    return tuple(Grant(path, DEVICE) for path in (Path("/dev/null"), *found))
