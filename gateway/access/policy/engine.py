"""The process that evaluates policies, seen from ours."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import time
import weakref
from collections.abc import Mapping
from typing import Any

from kronk.shared.settings import without_secrets

from .decision import PolicyFailed
from .folder import Files

# A policy takes a millisecond; one that takes longer than this has lost its way.
_SECONDS = 5.0
# Until it has imported what it needs, on a machine that is busy.
_START_SECONDS = 20.0
_LONGEST_ANSWER = 64 * 1024


class Engine:
    """One process with some policies, started at once. For one thread at a time.

    It may die of what it is asked, or never answer: then it is ended, and every later question is a
    `PolicyFailed`.
    """

    def __init__(self, files: Files) -> None:
        """`PolicyFailed` where no process can be started."""
        self._buffer = b""
        self._is_ready = False
        self._process = _start()
        # Also when nobody has closed it.
        self._end = weakref.finalize(self, _end, self._process)
        # Told with the first question, so that nobody waits for the start.
        self._given = {"modules": dict(files.modules), "data": dict(files.data)}

    @property
    def is_alive(self) -> bool:
        """Whether it can be asked."""
        return self._process.poll() is None

    def get_ready(self) -> None:
        """Wait until the policies are compiled; `PolicyFailed` says why they cannot be."""
        if not self._is_ready:
            self._exchange(self._given, _START_SECONDS)
            self._is_ready = True

    def result(self, document: Mapping[str, Any]) -> Any:
        """What the policies say of this input."""
        self.get_ready()
        return self._exchange(document, _SECONDS)

    def close(self) -> None:
        """End it."""
        self._end()

    def _exchange(self, document: Mapping[str, Any], seconds: float) -> Any:
        line = json.dumps(document).encode() + b"\n"
        stdin = self._process.stdin
        assert stdin is not None
        try:
            stdin.write(line)
            stdin.flush()
            answer = json.loads(self._read_line(time.monotonic() + seconds))
        except (OSError, ValueError) as error:
            # Closed pipes are of either kind.
            self.close()
            raise PolicyFailed(f"the engine has ended ({self._process.returncode})") from error
        if "error" in answer:
            raise PolicyFailed(str(answer["error"]))
        return answer["result"]

    def _read_line(self, deadline: float) -> bytes:
        assert self._process.stdout is not None
        handle = self._process.stdout.fileno()
        while b"\n" not in self._buffer:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([handle], [], [], left)[0]:
                self.close()
                raise PolicyFailed("the policy does not come to an end")
            part = os.read(handle, 65536)
            if not part or len(self._buffer) > _LONGEST_ANSWER:
                raise OSError("no whole answer")
            self._buffer += part
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line


def _start() -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "kronk.gateway.rego.main"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # A policy can see the environment.
            env=without_secrets(os.environ),
        )
    except OSError as error:
        raise PolicyFailed(f"the engine cannot be started: {error}") from error


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    for pipe in (process.stdin, process.stdout):
        # What was not written cannot be written any more.
        with contextlib.suppress(OSError):
            if pipe is not None:
                pipe.close()
    process.wait()
