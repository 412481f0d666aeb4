"""py-spy: reads the stacks of a Python process out of its memory, from a process of its own.

Samples are taken without stopping the process that is looked at: it costs that one nothing, and
py-spy about 2 % of a core. What changes while it is read makes a sample useless, which is rare, and
left out. Only frames of native code need stops.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Literal

from kronk.shared.errors import Conflict, Internal, KronkError, NotFound, TooLarge
from kronk.shared.settings import without_secrets

from .errors import NotPermitted

Form = Literal["flamegraph", "speedscope", "raw"]

RATE = 100
MOST_SECONDS = 300.0
# For its start, and for writing what it has.
_GRACE_SECONDS = 20.0
_DUMP_SECONDS = 5.0
_MOST_BYTES = 64 * 1024 * 1024
_REFUSED = ("permission denied", "operation not permitted", "eperm", "elevated permissions")
_NOTHING = "no stack counts found"
_YAMA = Path("/proc/sys/kernel/yama/ptrace_scope")


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be recorded of a process, and how."""

    pid: int
    seconds: float
    form: Form
    # With frames of C and C++; it stops the process for each sample.
    native: bool = False
    # Threads that wait, too.
    idle: bool = False


class Profiler:
    """Records one profile at a time."""

    def __init__(self) -> None:
        self._is_busy = False

    async def record(self, wish: Wish) -> bytes:
        """The profile. Cancelling it ends py-spy. `Conflict` while another one is recorded,
        `NotPermitted` where the process may not be looked into."""
        if self._is_busy:
            raise Conflict("a profile is being recorded already; try again when it is done")
        self._is_busy = True
        try:
            with tempfile.TemporaryDirectory(prefix="kronk-profile-") as folder:
                path = Path(folder, "profile")
                await _run(_recording(wish, path), wish.seconds + _GRACE_SECONDS)
                return await asyncio.to_thread(_contents, path)
        finally:
            self._is_busy = False


async def dump(pid: int) -> str:
    """The stacks of all threads now; `NotPermitted` where they may not be read."""
    out = await _run(["dump", "--nonblocking", "--pid", str(pid)], _DUMP_SECONDS)
    return out.decode(errors="replace")


def program() -> Path | None:
    """Where py-spy is installed; None where it is not."""
    try:
        files = distribution("py-spy").files or []
    except PackageNotFoundError:
        files = []
    places = [Path(str(file.locate())).resolve() for file in files if file.name == "py-spy"]
    # Beside the interpreter where its own files do not say it.
    places.append(Path(sys.executable).with_name("py-spy"))
    on_path = shutil.which("py-spy")
    places += [Path(on_path)] if on_path else []
    return next((place for place in places if os.access(place, os.X_OK)), None)


def _recording(wish: Wish, path: Path) -> list[str]:
    options = ["--native"] if wish.native else ["--nonblocking"]
    if wish.idle:
        options.append("--idle")
    # It counts whole seconds only.
    seconds = max(1, round(wish.seconds))
    own = ["--pid", str(wish.pid), "--duration", str(seconds), "--rate", str(RATE)]
    # Thread names keep a worker's engine apart from its messages.
    return ["record", *own, "--threads", "--format", wish.form, "--output", str(path), *options]


def _contents(path: Path) -> bytes:
    if path.stat().st_size > _MOST_BYTES:
        raise TooLarge("the profile is too large; ask for fewer seconds")
    return path.read_bytes()


async def _run(arguments: Sequence[str], seconds: float) -> bytes:
    found = program()
    if found is None:
        raise NotPermitted("py-spy is not installed beside Kronk; `pip install py-spy` installs it")
    try:
        process = await asyncio.create_subprocess_exec(
            found,
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=without_secrets(os.environ),
        )
    except OSError as error:
        raise NotPermitted(f"py-spy cannot be started: {error}") from error
    try:
        async with asyncio.timeout(seconds):
            out, err = await process.communicate()
    except TimeoutError as error:
        raise Internal(f"py-spy did not end within {seconds:g} s") from error
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGKILL)
            await process.wait()
    if process.returncode:
        raise refusal(err.decode(errors="replace"))
    return out


def refusal(words: str) -> KronkError:
    """What py-spy's last words mean."""
    # A backtrace of its own functions follows.
    said = " ".join(words.partition("Stack backtrace")[0].split())[-300:]
    if _NOTHING in said.lower():
        return NotFound(
            "there are no samples: no thread had work in that time; idle=1, or --idle, shows those "
            "that wait"
        )
    if not any(sign in said.lower() for sign in _REFUSED):
        return Internal(f"py-spy failed: {said}")
    return NotPermitted(
        f"the system does not let a process look into another one ({said}); {_remedy()}"
    )


def _remedy() -> str:
    try:
        scope = int(_YAMA.read_text())
    except (OSError, ValueError):
        scope = 0
    if scope >= 2:
        return (
            f"kernel.yama.ptrace_scope is {scope}, which leaves it to administrators or to nobody; "
            "`sysctl kernel.yama.ptrace_scope=1` is enough"
        )
    return (
        "a container may need `--cap-add=SYS_PTRACE`, a unit of systemd has to allow "
        "process_vm_readv, and @debug for native=1; /debug/stacks works without"
    )
