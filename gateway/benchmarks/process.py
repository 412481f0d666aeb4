"""The process of one run: started, listened to, and ended."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from typing import Any

from kronk.shared.benchmark.child import Task
from kronk.shared.errors import ServerError
from kronk.shared.settings import Settings, to_environment, without_secrets

# -P: a folder with a `kronk` in it must not win over what is installed.
_COMMAND = (sys.executable, "-P", "-m", "kronk.shared.benchmark.child")
# A report has a row for each round of each cell.
_LONGEST_LINE = 32 * 2**20
# From the wish that it ends to its report: it hangs up on what is still answered.
GRACE_SECONDS = 3.0


class RunProcess:
    """One run while it is measured."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._killer: asyncio.TimerHandle | None = None

    @classmethod
    async def start(cls, task: Task, settings: Settings) -> RunProcess:
        """Start it; `ServerError` when the system cannot."""
        try:
            process = await asyncio.create_subprocess_exec(
                *_COMMAND,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                env={**without_secrets(os.environ), **to_environment(settings)},
                start_new_session=True,
                limit=_LONGEST_LINE,
            )
        except OSError as error:
            raise ServerError(f"its process cannot be started: {error.strerror}") from error
        assert process.stdin is not None
        # It stays open: its end is how the process knows that we are gone.
        process.stdin.write(task.line())
        return cls(process)

    async def messages(self) -> AsyncIterator[dict[str, Any]]:
        """What it tells, to its end."""
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            yield json.loads(line)

    async def ended(self) -> int:
        """Its exit code, once it is gone."""
        code = await self._process.wait()
        if self._killer is not None:
            self._killer.cancel()
        assert self._process.stdin is not None
        self._process.stdin.close()
        return code

    def stop(self) -> None:
        """Have it report what it has; who does not is killed."""
        if self._killer is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        self._killer = asyncio.get_running_loop().call_later(GRACE_SECONDS, self.kill)

    def kill(self) -> None:
        """At once."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
