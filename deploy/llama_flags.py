"""Which compiler flags llama.cpp is built with here. Runs before anything is installed.

GCC 11 and 12 build the loading of AMX's tile configuration wrong: its inline assembly declares
fewer bytes of input than the instruction reads, so the optimiser drops the stores, and the first
prompt ends in SIGSEGV (ggml-org/llama.cpp issue 20824). GCC 10 knows no AMX, GCC 13 and clang
build it right, and decode 1.4 to 1.6 times faster with it; so only 11 and 12 leave it out. The
rest of a native build (AVX2, AVX-512, VNNI) is kept everywhere.
"""

from __future__ import annotations

import os
import platform
import re
import shlex
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

_WRONG_AMX = (11, 12)
# Wins over the -march=native that llama.cpp adds, wherever it stands on the command line.
_NO_AMX = "-mno-amx-int8"


@dataclass(frozen=True)
class Compiler:
    """`family` is gcc, clang or other; no `major` where it could not be told."""

    family: str
    major: int | None


@dataclass(frozen=True)
class Flags:
    """Environment variables for the build, and why, in words for the person waiting."""

    variables: dict[str, str]
    reason: str


def parse_compiler(version_text: str) -> Compiler:
    """What `cc --version` printed."""
    if "clang" in version_text.lower():
        family = "clang"
    elif "Free Software Foundation" in version_text:
        family = "gcc"
    else:
        return Compiler("other", None)
    # "cc (Debian 12.2.0-14) 12.2.0", "gcc (GCC) 11.4.1 20230605 (Red Hat 11.4.1-2)", "clang
    # version 16.0.6": the number behind the vendor's brackets, else the first one.
    first = version_text.splitlines()[0]
    found = re.search(r"\)\s+(\d+)\.", first) or re.search(r"\b(\d+)\.\d", first)
    return Compiler(family, int(found[1]) if found else None)


def builds_amx_wrong(machine: str, compiler: Compiler) -> bool:
    """Whether a native build would crash on a CPU with AMX."""
    if machine not in ("x86_64", "AMD64") or compiler.family != "gcc":
        return False
    # A GCC of unknown age is taken for one that does; slower is better than a crash.
    return compiler.major is None or compiler.major in _WRONG_AMX


def decide(
    machine: str,
    cpu_flags: frozenset[str],
    c: Compiler,
    cxx: Compiler,
    given: Mapping[str, str],
) -> Flags:
    """The flags to build with; what the user already set comes first and is kept."""
    variables = {
        name: " ".join(filter(None, (given.get(name), _NO_AMX)))
        for name, compiler in (("CFLAGS", c), ("CXXFLAGS", cxx))
        if builds_amx_wrong(machine, compiler)
    }
    if "amx_int8" not in cpu_flags:
        return Flags(variables, "for this CPU")
    if not variables:
        return Flags(variables, "for this CPU, with AMX")
    old = cxx if "CXXFLAGS" in variables else c
    return Flags(variables, f"for this CPU, without AMX: GCC {old.major} builds it wrong")


def here(given: Mapping[str, str]) -> Flags:
    """The flags for this machine and the compilers CMake will choose."""
    return decide(
        platform.machine(),
        _cpu_flags(),
        _compiler(given.get("CC") or "cc"),
        _compiler(given.get("CXX") or "c++"),
        given,
    )


def _cpu_flags() -> frozenset[str]:
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
            line = next((line for line in file if line.startswith("flags")), "")
    except OSError:
        return frozenset()
    return frozenset(line.partition(":")[2].split())


def _compiler(command: str) -> Compiler:
    try:
        done = subprocess.run(
            [*shlex.split(command), "--version"], capture_output=True, text=True, check=False
        )
    except OSError:
        return Compiler("other", None)
    return parse_compiler(done.stdout)


def main() -> None:
    """Print the choice as shell assignments."""
    flags = here(os.environ)
    print(f"# llama.cpp is built {flags.reason}")
    for name, value in flags.variables.items():
        print(f"export {name}={shlex.quote(value)}")


if __name__ == "__main__":
    main()
