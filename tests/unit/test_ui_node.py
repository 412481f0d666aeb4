"""Which Node.js builds the browser UI."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.deploy import load

ui_node = load("ui_node")


@pytest.mark.parametrize(
    ("version", "usable"),
    [
        ("v20.19.0", True),
        ("v20.20.2", True),
        ("v22.12.0", True),
        ("v24.1.0", True),
        ("v18.20.4", False),
        ("v20.18.9", False),
        ("v21.7.3", False),
        ("v22.11.0", False),
        ("", False),
        ("command not found", False),
    ],
)
def test_a_version_is_new_enough_where_vite_runs_on_it(version: str, usable: bool) -> None:
    assert ui_node.is_new_enough(version) is usable


@pytest.mark.parametrize(
    ("system", "machine", "libc", "has"),
    [
        ("Linux", "x86_64", ("glibc", "2.36"), True),
        ("Linux", "aarch64", ("glibc", "2.28"), True),
        ("Linux", "x86_64", ("", ""), True),
        ("Darwin", "arm64", ("", ""), True),
        ("Linux", "x86_64", ("glibc", "2.17"), False),
        ("Linux", "riscv64", ("glibc", "2.39"), False),
        ("FreeBSD", "amd64", ("", ""), False),
    ],
)
def test_a_wheel_is_asked_for_only_where_there_is_one(
    system: str, machine: str, libc: tuple[str, str], has: bool
) -> None:
    assert ui_node.has_wheel(system, machine, libc) is has


def program(folder: Path, name: str, body: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


@pytest.mark.parametrize(
    ("node", "npm", "found"),
    [
        ("echo v20.19.0", "echo 11.0.0", True),
        ("echo v18.0.0", "echo 11.0.0", False),
        ("echo shim: no version is set >&2; exit 1", "echo 11.0.0", False),
        ("echo v20.19.0", "exit 1", False),
        ("echo v20.19.0", None, False),
        (None, "echo 11.0.0", False),
    ],
)
def test_the_systems_own_counts_when_both_run(
    tmp_path: Path, node: str | None, npm: str | None, found: bool
) -> None:
    for name, body in (("node", node), ("npm", npm)):
        if body is not None:
            program(tmp_path, name, body)
    chosen = ui_node.of_system({"PATH": str(tmp_path)})
    assert (chosen is not None) is found


def test_what_npm_starts_finds_the_node_that_belongs_to_it(tmp_path: Path) -> None:
    npm = ui_node.Npm(("npm",), tmp_path)
    assert npm.environment({"PATH": "/usr/bin", "X": "y"})["PATH"] == f"{tmp_path}:/usr/bin"
    assert npm.environment({"PATH": "/usr/bin", "X": "y"})["X"] == "y"
