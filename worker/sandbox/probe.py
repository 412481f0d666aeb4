"""`python -m kronk.worker.sandbox.probe`: what a worker that is started here cannot do.

Enters the sandbox as a worker does, with a file of its own to load, then tries what a hostile
model would. Prints one line of JSON: the kernel's Landlock, the measures, what was tried.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from kronk.shared.wire.loading import CacheSpec, LoadSpec

from . import policy
from .confine import Sandbox, make_private
from .kernel import landlock_abi


def main() -> int:
    """Try everything and report; returns the exit code."""
    # Removed by this process; the other one may not.
    with tempfile.TemporaryDirectory(prefix="kronk-probe-") as folder:
        child = os.fork()
        if not child:
            _confined(Path(folder))
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _confined(folder: Path) -> NoReturn:
    code = 1
    try:
        print(json.dumps(_probe(folder)), flush=True)
        code = 0
    except Exception:
        # Nothing of the other process's may run here on the way out.
        traceback.print_exc()
    finally:
        os._exit(code)


def _probe(folder: Path) -> dict[str, Any]:
    own, other, caches = folder / "own.gguf", folder / "other.gguf", folder / "cache"
    cache = caches / "own"
    for file in (own, other):
        file.write_bytes(b"GGUF")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sandbox, started = Sandbox(), time.perf_counter()
        make_private(caches)
        sandbox.enter(policy.from_start(caches))
        told = sandbox.apart(lambda: _outcome(own.read_bytes))
        sandbox.narrow(LoadSpec("own", str(own), cache=CacheSpec(directory=str(cache))))
        seconds = time.perf_counter() - started
        tried = {
            "read its model": _outcome(own.read_bytes),
            "read another model": _outcome(other.read_bytes),
            "read a model where messages are carried": told,
            "read /etc/shadow": _outcome(Path("/etc/shadow").read_bytes),
            "list the root folder": _outcome(lambda: os.listdir("/")),
            "write to its cache": _outcome(lambda: (cache / "state").write_bytes(b"")),
            "write to the cache of another": _outcome(lambda: (caches / "x").write_bytes(b"")),
            "write elsewhere": _outcome(lambda: (folder / "x").write_bytes(b"")),
            "change its own model": _outcome(lambda: own.write_bytes(b"")),
            "connect by TCP": _outcome(lambda: _connect(listener.getsockname())),
            "open a UDP socket": _outcome(_open_udp),
            "open a local socket": _outcome(lambda: socket.socket(socket.AF_UNIX).close()),
            "run a program": _outcome(lambda: subprocess.run(["/bin/true"], check=True)),
            "start a process": _outcome(os.fork),
            "start a thread": _outcome(lambda: Sandbox().apart(int)),
            "signal its parent": _outcome(lambda: os.kill(os.getppid(), 0)),
        }
    return {
        "landlock": _abi(),
        "measures": sandbox.measures,
        "missing": sandbox.missing,
        "status": _status(),
        "tried": tried,
        "seconds": round(seconds, 4),
    }


def _connect(address: tuple[str, int]) -> None:
    socket.create_connection(address, timeout=5).close()


def _open_udp() -> None:
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close()


def _outcome(act: Callable[[], object]) -> str:
    """`done`, or why not."""
    inside = os.getpid()
    try:
        act()
    except OSError as error:
        return error.strerror or str(error)
    if os.getpid() != inside:
        # A process that should not be.
        os._exit(0)
    return "done"


def _abi() -> int:
    try:
        return landlock_abi()
    except OSError:
        return 0


def _status() -> dict[str, str]:
    """What the kernel says of us."""
    lines = (line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    wanted = ("NoNewPrivs", "Seccomp", "CapEff", "CapPrm", "CapBnd")
    return {key: value.strip() for key, value in lines if key in wanted}


if __name__ == "__main__":
    sys.exit(main())
