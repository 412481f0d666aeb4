"""Starting the server: in this terminal, or detached and watched until it is ready."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NoReturn

from kronk.shared import exits
from kronk.shared.errors import KronkError, ServerError
from kronk.shared.paths import BasePath
from kronk.shared.settings import Settings, to_environment

from .client import Admin, running_server, server_facts
from .loglines import readable
from .progress import waiting

# -P: a folder with a `kronk` or `msgpack.py` in it must not win over what is installed.
_SUPERVISOR = [sys.executable, "-P", "-m", "kronk.supervisor"]
_READY_WITHIN = 120.0
_POLL = 0.05
_LINES_SHOWN = 20


class StartFailed(ServerError):
    """The server ended before it was ready; `exit_code` is its own."""

    code = "start_failed"

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def in_foreground(settings: Settings) -> NoReturn:
    """Become the server: the terminal, Ctrl-C and the exit code are its own from here on."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(sys.executable, _SUPERVISOR, _environment(settings))


def detached(settings: Settings) -> Admin:
    """Start the server in the background; returns when it is ready, `StartFailed` when it ended."""
    with tempfile.TemporaryFile() as said:
        server = subprocess.Popen(
            _SUPERVISOR,
            env=_environment(settings),
            cwd=Path("/"),
            stdin=subprocess.DEVNULL,
            # Its log goes to a file; what it prints here is for a terminal that is not there.
            stdout=subprocess.DEVNULL,
            stderr=said,
            start_new_session=True,
        )
        try:
            with waiting("Starting Kronk"):
                return _until_ready(_Starting(server, settings.base, said))
        except BaseException:
            # Ctrl-C included: what was started for nothing is not left behind.
            _end(server)
            raise


@dataclass(frozen=True, slots=True)
class _Starting:
    process: subprocess.Popen[bytes]
    base: BasePath
    said: IO[bytes]

    def ready(self) -> Admin | str:
        """The server, or what is missing."""
        facts = server_facts(self.base)
        # Until it has written its own pid, whoever answers at the address is another server.
        if facts.get("pid") != self.process.pid:
            return "it has no address yet"
        admin = running_server(facts, self.base)
        assert admin is not None, "a server that writes its pid down writes its address too"
        try:
            admin.get("/v1/readiness", timeout=2.0)
        except KronkError as error:
            return error.message
        return admin

    def last_words(self) -> str:
        self.said.seek(0)
        lines = self.said.read().decode(errors="replace").splitlines()
        return "\n".join(readable(line).plain for line in lines[-_LINES_SHOWN:])


def _until_ready(starting: _Starting) -> Admin:
    deadline = time.monotonic() + _READY_WITHIN
    while True:
        if (code := starting.process.poll()) is not None:
            raise _failure(code, starting.last_words())
        found = starting.ready()
        if isinstance(found, Admin):
            return found
        if time.monotonic() >= deadline:
            break
        time.sleep(_POLL)
    raise StartFailed(
        f"the server was not ready within {_READY_WITHIN:.0f} s: {found}; its log is "
        f"{starting.base.log_file}. {starting.last_words()}"
    )


def _failure(code: int, words: str) -> StartFailed:
    if code < 0:
        name = signal.Signals(-code).name
        return StartFailed(f"the server was ended by {name}. {words}")
    meaning = exits.MEANING.get(code, f"exit code {code}")
    text = words.removeprefix("error: ") or f"the server ended at once: {meaning}"
    return StartFailed(text, code or 1)


def _end(server: subprocess.Popen[bytes]) -> None:
    if server.poll() is not None:
        return
    server.terminate()
    try:
        server.wait(10)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def _environment(settings: Settings) -> dict[str, str]:
    return {**os.environ, **to_environment(settings, secrets=True)}
