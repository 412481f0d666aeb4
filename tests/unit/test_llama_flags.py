"""Which flags llama.cpp is built with, and what the installer makes of pip's output."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.deploy import load

flags = load("llama_flags")
pip_watch = load("pip_watch")
install = load("install")

DEBIAN = "cc (Debian 12.2.0-14+deb12u1) 12.2.0\nCopyright (C) 2022 Free Software Foundation, Inc."
RED_HAT = "gcc (GCC) 11.4.1 20230605 (Red Hat 11.4.1-2)\nCopyright (C) Free Software Foundation"
UBUNTU = "gcc (Ubuntu 13.2.0-4ubuntu3) 13.2.0\nCopyright (C) 2023 Free Software Foundation, Inc."
CONDA = "x86_64-conda-linux-gnu-cc (conda-forge gcc 10.4.0-19) 10.4.0\nFree Software Foundation"
CLANG = "Debian clang version 16.0.6\nTarget: x86_64-pc-linux-gnu"
APPLE = "Apple clang version 15.0.0 (clang-1500.3.9.4)\nTarget: arm64-apple-darwin23"


@pytest.mark.parametrize(
    ("text", "family", "major"),
    [
        (DEBIAN, "gcc", 12),
        (RED_HAT, "gcc", 11),
        (UBUNTU, "gcc", 13),
        (CONDA, "gcc", 10),
        (CLANG, "clang", 16),
        (APPLE, "clang", 15),
        ("gcc\nFree Software Foundation", "gcc", None),
        ("Intel(R) oneAPI icx 2024.1", "other", None),
        ("", "other", None),
    ],
)
def test_a_compiler_is_told_by_what_it_prints(text: str, family: str, major: int | None) -> None:
    assert flags.parse_compiler(text) == flags.Compiler(family, major)


@pytest.mark.parametrize(
    ("machine", "family", "major", "wrong"),
    [
        ("x86_64", "gcc", 10, False),
        ("x86_64", "gcc", 11, True),
        ("x86_64", "gcc", 12, True),
        ("x86_64", "gcc", 13, False),
        ("x86_64", "gcc", None, True),
        ("x86_64", "clang", 12, False),
        ("x86_64", "other", None, False),
        ("aarch64", "gcc", 12, False),
        ("arm64", "clang", 15, False),
    ],
)
def test_only_gcc_11_and_12_on_x86_build_amx_wrong(
    machine: str, family: str, major: int | None, wrong: bool
) -> None:
    assert flags.builds_amx_wrong(machine, flags.Compiler(family, major)) is wrong


AMX, PLAIN = frozenset({"avx2", "amx_int8"}), frozenset({"avx2"})
OLD, NEW = flags.Compiler("gcc", 12), flags.Compiler("gcc", 14)


@pytest.mark.parametrize(
    ("cpu", "c", "cxx", "given", "variables", "reason"),
    [
        (
            AMX,
            OLD,
            OLD,
            {},
            {"CFLAGS": "-mno-amx-int8", "CXXFLAGS": "-mno-amx-int8"},
            "without AMX",
        ),
        (PLAIN, OLD, OLD, {}, {"CFLAGS": "-mno-amx-int8", "CXXFLAGS": "-mno-amx-int8"}, "this CPU"),
        (AMX, NEW, NEW, {}, {}, "with AMX"),
        (AMX, NEW, OLD, {}, {"CXXFLAGS": "-mno-amx-int8"}, "GCC 12 builds it wrong"),
        (
            AMX,
            OLD,
            OLD,
            {"CFLAGS": "-O2", "CMAKE_ARGS": "-DGGML_CUDA=ON"},
            {"CFLAGS": "-O2 -mno-amx-int8", "CXXFLAGS": "-mno-amx-int8"},
            "without AMX",
        ),
    ],
)
def test_amx_is_left_out_exactly_where_it_is_built_wrong(
    cpu: frozenset[str],
    c: object,
    cxx: object,
    given: dict[str, str],
    variables: dict[str, str],
    reason: str,
) -> None:
    decided = flags.decide("x86_64", cpu, c, cxx, given)
    assert decided.variables == variables
    assert reason in decided.reason


@pytest.mark.parametrize(
    ("line", "doing"),
    [
        ("  [12/193] /usr/bin/g++ -DGGML_BUILD ...", "compiling llama.cpp: 12 of 193 steps"),
        ("Collecting numpy>=1.26", "fetching numpy"),
        (
            "  Building wheel for llama-cpp-python (pyproject.toml): started",
            "building llama-cpp-python",
        ),
        ("Installing collected packages: a, b", "installing"),
        ("  -- The CXX compiler identification is GNU 12.2.0", None),
        ("", None),
    ],
)
def test_a_line_of_pip_tells_where_it_is(line: str, doing: str | None) -> None:
    assert pip_watch.doing(line) == doing


@pytest.mark.parametrize(
    ("last", "word"),
    [
        ("Could not find a version ... No matching distribution found for x", "network"),
        ("Temporary failure in name resolution: cannot resolve packages.example", "network"),
        ("CMake Error: CMAKE_CXX_COMPILER not set", "build-essential"),
        ("OSError: [Errno 28] No space left on device", "disk"),
        ("something new", "compiler"),
    ],
)
def test_a_failed_installation_says_what_to_check(last: str, word: str) -> None:
    assert word in pip_watch.explanation([last])


def test_a_stamp_counts_only_for_the_same_project(tmp_path: Path) -> None:
    stamp = tmp_path / "stamp.json"
    assert install.installed_groups(stamp, "f") is None
    stamp.write_text("{")
    assert install.installed_groups(stamp, "f") is None
    stamp.write_text(json.dumps({"fingerprint": "f", "groups": ["test"]}))
    assert install.installed_groups(stamp, "f") == {"test"}
    assert install.installed_groups(stamp, "other") is None


def test_the_pin_of_the_binding_is_found() -> None:
    assert install.pinned_llama().startswith("llama-cpp-python==")
