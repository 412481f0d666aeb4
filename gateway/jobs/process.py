"""The process of one job: started, listened to, and ended."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from kronk.shared.jobs.child import Order
from kronk.shared.jobs.kinds import Kind
from kronk.shared.settings import Settings, to_environment, without_secrets

from .decisions import DIED
from .records import Fault

# -P: a folder with a `kronk` in it must not win over what is installed.
_COMMAND = (sys.executable, "-P", "-m", "kronk.shared.jobs.child")
# A result is small; whoever sends more is not one of ours.
_LONGEST_LINE = 2**20
# After SIGTERM; what is killed then goes on from what it has on disk.
GRACE_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Moved:
    """Bytes done of a phase."""

    phase: str
    done: int
    total: int | None


@dataclass(frozen=True, slots=True)
class Done:
    """It has done what it was for."""

    result: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Stopped:
    """It ended because we wanted it to."""


@dataclass(frozen=True, slots=True)
class Failed:
    """It did not come to its end. `wait` is what somebody asked for, in seconds."""

    fault: Fault
    wait: float = 0.0


Outcome = Done | Stopped | Failed


class JobProcess:
    """One attempt at a job."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._wanted_gone = False
        self._last: dict[str, Any] = {}
        self._killer: asyncio.TimerHandle | None = None

    @classmethod
    async def start(
        cls, kind: Kind, params: dict[str, Any], secrets: dict[str, Any], settings: Settings
    ) -> JobProcess:
        """Start it; OSError when the system cannot."""
        own = to_environment(settings, secrets=kind.needs_secrets)
        process = await asyncio.create_subprocess_exec(
            *_COMMAND,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={**without_secrets(os.environ), **own},
            # A group of its own, with all that it starts.
            start_new_session=True,
            limit=_LONGEST_LINE,
        )
        assert process.stdin is not None
        # It stays open: its end is how the process knows that we are gone.
        process.stdin.write(Order(kind.work, params, secrets, os.getpid()).line())
        return cls(process)

    async def progress(self, quiet: float) -> AsyncIterator[Moved | None]:
        """How far it is, each time that it says so, to its end; None after so many seconds of
        silence."""
        while True:
            try:
                async with asyncio.timeout(quiet):
                    line = await self._line()
            except TimeoutError:
                yield None
                continue
            if not line:
                return
            message = _message(line)
            if (told := message.get("progress")) is not None:
                yield Moved(told["phase"], told["done"], told["total"])
            elif message:
                self._last = message

    async def ended(self) -> Outcome:
        """What became of it, once it is gone with all that it started."""
        code = await self._process.wait()
        if self._killer is not None:
            self._killer.cancel()
        self._kill()
        assert self._process.stdin is not None
        self._process.stdin.close()
        if (result := self._last.get("result")) is not None:
            return Done(result)
        if self._wanted_gone:
            return Stopped()
        if (error := self._last.get("error")) is not None:
            return Failed(Fault(error["code"], error["message"]), error["retry_after"] or 0.0)
        return Failed(Fault(DIED, f"its process {_cause(code)}"))

    def stop(self) -> None:
        """Have it end: asked first, then killed."""
        if self._wanted_gone:
            return
        self._wanted_gone = True
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        loop = asyncio.get_running_loop()
        self._killer = loop.call_later(GRACE_SECONDS, self._kill)

    async def _line(self) -> bytes:
        assert self._process.stdout is not None
        try:
            return await self._process.stdout.readline()
        except ValueError:
            # Longer than any of ours.
            self._kill()
            return b""

    def _kill(self) -> None:
        # The group lives on while anybody in it does, so the number is nobody else's.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)


def _message(line: bytes) -> dict[str, Any]:
    try:
        message = json.loads(line)
    except ValueError:
        return {}
    return message if isinstance(message, dict) else {}


def _cause(code: int) -> str:
    if code < 0:
        with contextlib.suppress(ValueError):
            return f"was ended by {signal.Signals(-code).name}"
    return f"ended with {code}"
