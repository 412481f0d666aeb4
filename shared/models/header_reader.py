"""The process that reads headers, as those who ask it see it.

It lives for some files, not for the server's life: nothing is left to watch over, and what a
hostile file did to it ends with it.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from kronk.shared import gguf
from kronk.shared.errors import InvalidArgument
from kronk.shared.gguf import Header

COMMAND = (sys.executable, "-P", "-m", "kronk.worker.headers")
# Seconds for one answer, the start of the process included, on a machine that is busy.
ANSWER_WITHIN = 30.0
_READ_BYTES = 2**18
# What an answer has besides a header's JSON.
_MOST_AROUND = 1024


def signal_name(number: int) -> str:
    """`SIGKILL`; a number where the system has no name for it."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


class ReaderDied(Exception):
    """The process ended, or had to be ended, over this file; `args` say how."""


@dataclass(frozen=True, slots=True)
class GoesOn:
    """A header is in order as far as it is there; so many bytes of the file have to be."""

    needs: int


class HeaderReader:
    """Starts at the first question and again after its death; to be used by one thread."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def read(self, path: Path) -> Header:
        """One file's header, checked against the file's size; `InvalidArgument` says what is wrong
        with it, `ReaderDied` what it did."""
        try:
            # Opening a pipe, which is no model, must not block.
            handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
        except OSError as error:
            raise InvalidArgument(f"{path.name}: cannot be read: {error.strerror}") from error
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise InvalidArgument(f"{path.name}: not a regular file")
            return _header(self._ask({"name": path.name}, handle), path.name)
        except (OSError, ValueError, RecursionError) as error:
            raise ReaderDied(self._cause(error)) from error
        finally:
            os.close(handle)

    def read_start(self, name: str, handle: int, size: int) -> Header | GoesOn:
        """The same of a file elsewhere of that name and size in bytes, whose first bytes are in the
        open file `handle`; or how many of them it takes."""
        try:
            answer = self._ask({"name": name, "size": size}, handle)
            match answer:
                case {"needs": int(needs)}:
                    return GoesOn(needs)
                case _:
                    return _header(answer, name)
        except (OSError, ValueError, RecursionError) as error:
            raise ReaderDied(self._cause(error)) from error

    def _ask(self, asking: dict[str, Any], handle: int) -> Any:
        asked = self._socket or self._start()
        deadline = time.monotonic() + ANSWER_WITHIN
        asked.settimeout(ANSWER_WITHIN)
        question = json.dumps(asking).encode() + b"\n"
        socket.send_fds(asked, [question], [handle])
        answer = bytearray()
        while not answer.endswith(b"\n"):
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            asked.settimeout(left)
            data = asked.recv(_READ_BYTES)
            if not data:
                raise ConnectionResetError
            answer += data
            if len(answer) > _MOST_AROUND + gguf.LONGEST_JSON:
                raise ValueError("it answered without end")
        return json.loads(answer)

    def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                self._process = subprocess.Popen(
                    COMMAND,
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
            except OSError:
                ours.close()
                raise
        self._socket = ours
        return ours

    def _cause(self, error: Exception) -> str:
        """How it ended, in words; it is ended where it has not."""
        returncode = self._end()
        match error:
            case TimeoutError():
                return f"it did not answer within {ANSWER_WITHIN:.0f} s"
            case ValueError() | RecursionError():
                return "its answer makes no sense"
            case _ if returncode is not None and returncode < 0:
                return f"it was killed by {signal_name(-returncode)}"
            case _ if returncode is not None:
                return f"it ended with exit code {returncode}"
            case _:
                return f"it cannot be started: {error}"

    def _end(self) -> int | None:
        """Its exit code; None when it never ran. It needs no time to end: it keeps nothing."""
        process, channel = self._process, self._socket
        self._process = self._socket = None
        if channel is not None:
            channel.close()
        if process is None:
            return None
        try:
            return process.wait(_ENDS_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()


_ENDS_WITHIN = 0.5


def _header(answer: Any, name: str) -> Header:
    match answer:
        case {"header": header}:
            return gguf.from_json(header)
        case {"fault": str(fault)}:
            raise InvalidArgument(fault)
        case _:
            raise ValueError(f"no answer about {name}")
