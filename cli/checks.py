"""What `kronk doctor` looks at: each check turns facts into a finding with its advice."""

from __future__ import annotations

import os
import re
import resource
import shutil
import socket
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import psutil

from kronk.shared.confinement import NEEDED
from kronk.shared.paths import BasePath
from kronk.shared.trial import Ended
from kronk.shared.units import Address, format_bytes

from . import halt
from .client import server_facts

_MIB, _GIB = 2**20, 2**30
_REBUILD = "rebuild it with `make reinstall-llama`"
_ON = "leave --sandbox and KRONK_SANDBOX at true"
_OFF = "please report this; until then KRONK_SANDBOX=false"
_KERNEL = (
    "Linux 6.12 or newer with `landlock` among its security modules has all of it "
    "(/sys/kernel/security/lsm); containers may forbid its calls"
)


class Grade(StrEnum):
    """How good it is; FAIL makes `kronk doctor` exit with 1."""

    OK = "OK"
    WARN = "WARN"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. `advice` says what to do, and is empty when all is well."""

    name: str
    grade: Grade
    said: str
    advice: str = ""


def python(version: tuple[int, ...]) -> Finding:
    said = ".".join(map(str, version[:3]))
    if version < (3, 11):
        return Finding("python", Grade.FAIL, said, "Kronk needs Python 3.11 or newer")
    return Finding("python", Grade.OK, f"{said} ({sys.executable})")


def library(loaded: Ended) -> Finding:
    if loaded.code == 0:
        return Finding("library", Grade.OK, f"llama-cpp-python {loaded.out.strip()}")
    return Finding("library", Grade.FAIL, f"does not load: {loaded.cause}", _REBUILD)


def decode(fast: Ended, plain: Ended | None) -> Finding:
    """`plain` is the second try, without the kernels that a wrong build breaks."""
    if _worked(fast):
        build, cpu = str(fast.facts.get("build", "")), str(fast.facts.get("cpu", ""))
        # llama.cpp writes "CPU : SSE3 = 1 | AVX2 = 1 | ...".
        features = " ".join(re.findall(r"(\w+) = 1", cpu)) or cpu
        return Finding("decode", Grade.OK, f"a tiny model decodes: {build}; {features}")
    said = f"a tiny decode failed: {fast.cause}"
    if plain is None:
        return Finding("decode", Grade.FAIL, said, _REBUILD)
    if _worked(plain):
        advice = (
            "Kronk falls back to slower kernels by itself; GCC up to 12 builds llama.cpp's AMX "
            f"kernels wrong: {_REBUILD}, which leaves them out, or use a newer compiler"
        )
        return Finding("decode", Grade.WARN, f"{said}; it works without extra buffers", advice)
    said = f"{said}; without extra buffers: {plain.cause}"
    return Finding("decode", Grade.FAIL, said, f"the build does not fit this CPU: {_REBUILD}")


def _worked(ended: Ended) -> bool:
    return ended.code == 0 and ended.facts.get("ok") is True


def devices(fast: Ended, plain: Ended | None) -> Finding:
    found = next((e.facts["devices"] for e in (fast, plain) if e and e.facts.get("devices")), None)
    if not isinstance(found, list):
        known = _worked(fast) or (plain is not None and _worked(plain))
        grade, said = (Grade.OK, "the CPU only") if known else (Grade.WARN, "not known")
        return Finding("devices", grade, said)
    names = [d.get("name", "?") if isinstance(d, dict) else str(d) for d in found]
    return Finding("devices", Grade.OK, ", ".join(map(str, names)))


def builds(found: Mapping[str, Any]) -> Finding:
    """Of llama.cpp, beside the bundled one; what `kronk libs --json` prints."""
    name, there = "builds", len(found["data"])
    said = f"{found['used']} is used, of {there} installed"
    if found["reason"]:
        return Finding(name, Grade.WARN, f"{said}: {found['reason']}", "see `kronk libs --local`")
    if there:
        return Finding(name, Grade.OK, said)
    gpus = [row["name"] for row in found["processors"] if row["usable"] and row["name"] != "cpu"]
    said = "none beside the bundled one"
    if gpus:
        advice = f"`kronk libs install --processor {gpus[0]}` fetches one for the GPU"
        return Finding(name, Grade.OK, said, advice)
    return Finding(name, Grade.OK, said)


def containment(tried: Ended | None) -> Finding:
    """What a process that reads a model can still do; None where the operator wants no sandbox."""
    name = "sandbox"
    if tried is None:
        return Finding(name, Grade.WARN, "switched off: a hostile model may do what you may", _ON)
    outcomes = tried.facts.get("tried")
    if tried.code != 0 or not isinstance(outcomes, dict):
        return Finding(name, Grade.FAIL, f"a confined process does not run: {tried.cause}", _OFF)
    could = {what for what, outcome in outcomes.items() if outcome == "done"}
    if lacking := [what for what in NEEDED if what not in could]:
        said = f"a confined process cannot {lacking[0]}: {outcomes.get(lacking[0])}"
        return Finding(name, Grade.FAIL, said, _OFF)
    if leaks := sorted(could - set(NEEDED)):
        missing = tried.facts.get("missing") or {}
        why = "".join(f"; {measure}: {reason}" for measure, reason in missing.items())
        said = f"a hostile model could {', '.join(leaks)}{why}"
        return Finding(name, Grade.WARN, said, _KERNEL)
    in_force, closed = ", ".join(tried.facts["measures"]), len(outcomes) - len(NEEDED)
    said = f"{in_force} (Landlock {tried.facts['landlock']}); ways out that are closed: {closed}"
    return Finding(name, Grade.OK, said)


def models_folder(folder: Path) -> Finding:
    """Whether a model can be stored; the folder itself may not be there yet."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        advice = "make it writable for this user or choose another with --base-path"
        return Finding("models", Grade.FAIL, f"{there}: {error.strerror}", advice)
    free = shutil.disk_usage(there).free
    said = f"{folder} is writable, {format_bytes(free)} free"
    if free < _GIB:
        return Finding("models", Grade.WARN, said, "make room: most models need some GiB")
    return Finding("models", Grade.OK, said)


def port(address: Address, base: BasePath) -> Finding:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    with socket.socket(family) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((address.host, address.port))
        except OSError as error:
            return _taken(address, base, error)
    return Finding("port", Grade.OK, f"{address} is free")


def _taken(address: Address, base: BasePath, error: OSError) -> Finding:
    lock = halt.read_lock(base)
    if lock.held and server_facts(base).get("api") in (
        str(address),
        f"https://{address}",
    ):
        said = f"{address} is used by the running Kronk, process {lock.pid}"
        return Finding("port", Grade.OK, said)
    advice = "stop what listens there or choose another address with --api-host"
    return Finding("port", Grade.FAIL, f"{address}: {error.strerror}", advice)


def memory(available: int, limit: int | None) -> Finding:
    """`limit` is what the control group still allows, None without one."""
    usable = available if limit is None else min(available, limit)
    said = f"{format_bytes(usable)} usable"
    said += "" if limit is None else f" (control group: {format_bytes(limit)} left)"
    if usable < 256 * _MIB:
        return Finding("memory", Grade.FAIL, said, "free memory or raise the limit")
    if usable < 2 * _GIB:
        return Finding("memory", Grade.WARN, said, "only small models will fit")
    return Finding("memory", Grade.OK, said)


def available_memory() -> tuple[int, int | None]:
    """Bytes the machine has left, and the control group."""
    left = [_group_left(group) for group in _control_groups()]
    limits = [bytes_left for bytes_left in left if bytes_left is not None]
    return int(psutil.virtual_memory().available), min(limits, default=None)


def _control_groups() -> list[Path]:
    """This process's control group (version 2) and those around it; each may set a limit."""
    root = Path("/sys/fs/cgroup")
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return [root]
    own = root / next((line[4:] for line in lines if line.startswith("0::/")), "")
    return [own, *(group for group in own.parents if group.is_relative_to(root))]


def _group_left(group: Path) -> int | None:
    try:
        limit = (group / "memory.max").read_text().strip()
        used = (group / "memory.current").read_text().strip()
    except OSError:
        return None
    return max(0, int(limit) - int(used)) if limit.isdecimal() else None


def cores(count: int) -> Finding:
    if count < 2:
        advice = "one core decodes slowly, and HTTP waits for it"
        return Finding("cores", Grade.WARN, "1 usable", advice)
    return Finding("cores", Grade.OK, f"{count} usable")


def usable_cores() -> int:
    return len(os.sched_getaffinity(0))


def sockets(base: BasePath) -> Finding:
    if base.sockets == base.run:
        return Finding("sockets", Grade.OK, f"in {base.run}")
    return Finding("sockets", Grade.OK, f"in {base.sockets}: the base path is too long for them")


def open_files() -> Finding:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < 1024:
        advice = "raise it with `ulimit -n 4096`: each connection needs one"
        return Finding("open files", Grade.WARN, f"limit is {soft}", advice)
    said = "no limit" if soft == resource.RLIM_INFINITY else f"limit is {soft}"
    return Finding("open files", Grade.OK, said)
