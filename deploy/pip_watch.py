"""Runs pip, or npm, to its end and shows what it is doing; only the standard library."""

from __future__ import annotations

import math
import os
import re
import selectors
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections import deque
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parent.parent
LOG = ROOT / "build" / "install.log"
LINES_SHOWN = 30


class Failed(Exception):
    """The installation ended badly; the message is for the user."""


class Progress:
    """One moving line on a terminal; elsewhere a line now and then, when there is news."""

    EVERY = 10.0
    REDRAW = 0.2

    def __init__(self, out: IO[str], started: float, doing: str) -> None:
        self.doing = doing
        self._out = out
        self._terminal = out.isatty()
        self._started = started
        self._next = started + (0.0 if self._terminal else self.EVERY)
        self._shown = ""

    def read(self, line: str) -> None:
        """Learn from one line that pip printed what it is doing."""
        self.doing = doing(line) or self.doing

    def show(self, now: float) -> None:
        if now < self._next:
            return
        if self._terminal:
            self._next = now + self.REDRAW
            width = shutil.get_terminal_size().columns - 1
            text = f"  {now - self._started:4.0f} s  {self.doing}"[:width]
            self._out.write(f"\r{text:<{len(self._shown)}}")
            self._out.flush()
            self._shown = text
        else:
            self._next = now + self.EVERY
            print(f"  {now - self._started:4.0f} s  {self.doing}", file=self._out, flush=True)

    def clear(self) -> None:
        if self._terminal:
            self._out.write(f"\r{'':<{len(self._shown)}}\r")
            self._out.flush()


def doing(line: str) -> str | None:
    """What a line of `pip install -v` says about where it is; None when nothing."""
    line = line.strip()
    if step := re.match(r"\[(\d+)/(\d+)\] ", line):
        return f"compiling llama.cpp: {step[1]} of {step[2]} steps"
    if found := re.match(r"(?:Collecting|Downloading|Using cached) ([\w.-]+)", line):
        return f"fetching {found[1]}"
    if found := re.match(r"Building (?:wheel|editable) for ([\w.-]+)", line):
        return f"building {found[1]}"
    if line.startswith("Installing collected packages"):
        return "installing"
    return None


def run(command: list[str], environment: dict[str, str]) -> None:
    """Run pip to its end with its progress shown; `Failed` with its last lines."""
    code, last = follow(command, ROOT, environment, LOG, "asking the package index")
    if code != 0:
        raise Failed("\n".join([*last, "", explanation(last)]))


def follow(
    command: list[str],
    folder: Path,
    environment: dict[str, str],
    log_file: Path,
    doing: str,
    limit: float = math.inf,
) -> tuple[int | None, list[str]]:
    """Run a command to its end, its progress shown and its output in a log. Its exit code, None
    when it was ended because it took more than `limit` seconds; and its last lines."""
    log_file.parent.mkdir(parents=True, exist_ok=True)
    with log_file.open("ab") as log:
        log.write(f"\n$ {shlex.join(command)}\n".encode())
        # A group of its own, so that pip, cmake and every compiler can be ended together.
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            process_group=0,
        )
        try:
            last = _watch(process, log, doing, limit)
            return process.wait(), last
        except subprocess.TimeoutExpired:
            _end(process)
            return None, []
        except BaseException:
            _end(process)
            raise
        finally:
            assert process.stdout is not None
            process.stdout.close()


def _watch(process: subprocess.Popen[bytes], log: IO[bytes], doing: str, limit: float) -> list[str]:
    """Read all output; returns its last lines, or raises `TimeoutExpired`."""
    assert process.stdout is not None
    started = time.monotonic()
    progress = Progress(sys.stdout, started, doing)
    last: deque[str] = deque(maxlen=LINES_SHOWN)
    rest = b""
    with selectors.DefaultSelector() as ready:
        ready.register(process.stdout, selectors.EVENT_READ)
        while True:
            if ready.select(0.5):
                chunk = os.read(process.stdout.fileno(), 65536)
                if not chunk:
                    break
                log.write(chunk)
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    text = line.decode(errors="replace").rstrip()
                    last.append(text)
                    progress.read(text)
            now = time.monotonic()
            progress.show(now)
            if now - started > limit:
                progress.clear()
                raise subprocess.TimeoutExpired(process.args, limit)
    progress.clear()
    return list(last)


def _end(process: subprocess.Popen[bytes]) -> None:
    # Asked first, pip deletes what it unpacked.
    for stop in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, stop)
        except ProcessLookupError:
            break
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            continue
    process.wait()


def explanation(last: list[str]) -> str:
    """What to check, from what the last lines are about."""
    text = "\n".join(last).lower()
    hints = []
    if any(word in text for word in ("connection", "resolve", "timed out", "no matching dist")):
        hints.append("the network: can this machine reach the package index (PIP_INDEX_URL)?")
    if any(word in text for word in ("cmake", "compiler", "ninja", "c++")):
        hints.append("the compiler: are cc and c++ there (Debian: apt install build-essential)?")
    if "python.h" in text:
        hints.append("Python's headers (Debian: apt install python3-dev)")
    if "no space left" in text:
        hints.append("free disk space")
    checks = hints or ["the compiler (cc, c++), Python's headers and the network"]
    return f"The installation failed. Check {'; '.join(checks)}\nThe full log: {LOG}"
