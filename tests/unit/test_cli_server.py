"""Starting, stopping and the log: the parts that need no server."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kronk.cli import halt, launch, loglines, server
from kronk.cli.options import _spelled_out
from kronk.shared import exits
from kronk.shared.errors import InvalidArgument, ModelFailed
from kronk.shared.paths import BasePath
from kronk.shared.settings import resolve


@contextmanager
def locked(base: BasePath, text: str) -> Iterator[None]:
    """Holds the pid file as a running supervisor does."""
    base.run.mkdir(parents=True, exist_ok=True)
    with base.pid_file.open("w") as file:
        file.write(text)
        file.flush()
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.mark.parametrize(
    ("given", "spelled"),
    [
        (["--llama-log"], ["--llama-log=true"]),
        (["--llama-log", "-d"], ["--llama-log=true", "-d"]),
        (["--llama-log", "0"], ["--llama-log", "0"]),
        (["--spare=false"], ["--spare=false"]),
        (["--api-host", "h:1", "--spare"], ["--api-host", "h:1", "--spare=true"]),
        ([], []),
    ],
)
def test_a_switch_may_stand_without_a_value(given: list[str], spelled: list[str]) -> None:
    assert list(_spelled_out(given, {"--llama-log", "--spare"})) == spelled


def test_no_pid_file_means_nobody_runs(tmp_path: Path) -> None:
    assert halt.read_lock(BasePath(tmp_path)) == halt.Lock(None, False)


def test_a_pid_file_without_its_lock_is_a_leftover(tmp_path: Path) -> None:
    base = BasePath(tmp_path)
    with locked(base, "123\n"):
        pass
    assert halt.read_lock(base) == halt.Lock(123, False)
    assert halt.stop(base, 0.0).endswith("(the pid file of process 123 is a leftover)")


def test_a_held_lock_names_the_process(tmp_path: Path) -> None:
    base = BasePath(tmp_path)
    with locked(base, "123\n"):
        assert halt.read_lock(base) == halt.Lock(123, True)


@contextmanager
def holder(base: BasePath, on_term: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that holds the lock and reacts to SIGTERM as told."""
    code = (
        "import fcntl, os, signal, sys\n"
        f"signal.signal(signal.SIGTERM, {on_term})\n"
        "file = open(sys.argv[1], 'w'); file.write(str(os.getpid())); file.flush()\n"
        "fcntl.flock(file, fcntl.LOCK_EX)\n"
        "print('held', flush=True)\n"
        "while True: signal.pause()"
    )
    base.run.mkdir(parents=True, exist_ok=True)
    with subprocess.Popen(
        [sys.executable, "-c", code, str(base.pid_file)], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_server_that_obeys_is_stopped(tmp_path: Path) -> None:
    base = BasePath(tmp_path)
    with holder(base, "lambda *_: sys.exit(0)") as process:
        assert halt.stop(base, 30.0).startswith("Kronk stopped after")
        assert process.wait() == 0


def test_a_server_that_does_not_end_in_time_is_killed(tmp_path: Path) -> None:
    base = BasePath(tmp_path)
    with holder(base, "signal.SIG_IGN") as process:
        assert halt.stop(base, 0.05) == "Kronk did not end by itself and was killed"
        assert process.wait() == -9


def test_the_second_interrupt_kills(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waits = iter([KeyboardInterrupt(), KeyboardInterrupt(), None])

    def wait(process: int, timeout: float) -> bool:
        if (raised := next(waits)) is not None:
            raise raised
        return True

    monkeypatch.setattr(halt, "_wait", wait)
    base = BasePath(tmp_path)
    with holder(base, "signal.SIG_IGN") as process:
        assert halt.stop(base, 30.0).endswith("was killed")
        assert process.wait() == -9


@pytest.mark.parametrize(
    ("code", "words", "message", "exit_code"),
    [
        (exits.ADDRESS_IN_USE, "error: port taken", "port taken", exits.ADDRESS_IN_USE),
        (exits.ADDRESS_IN_USE, "", "the server ended at once: the address is in use", 7),
        (1, "Traceback\nValueError: x", "Traceback\nValueError: x", 1),
        (-9, "", "the server was ended by SIGKILL. ", 1),
        (0, "", "the server ended at once: ended normally", 1),
    ],
)
def test_a_failed_start_is_explained_with_its_own_exit_code(
    code: int, words: str, message: str, exit_code: int
) -> None:
    failure = launch._failure(code, words)
    assert (failure.message, failure.exit_code) == (message, exit_code)


def test_a_server_that_ends_at_once_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "import sys; print('error: no luck', file=sys.stderr); sys.exit(7)"
    monkeypatch.setattr(launch, "_SUPERVISOR", [sys.executable, "-c", code])
    with pytest.raises(launch.StartFailed, match="no luck") as caught:
        launch.detached(resolve({"base_path": str(tmp_path)}, {}))
    assert caught.value.exit_code == 7


def test_a_server_that_does_not_get_ready_is_reported_with_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "_SUPERVISOR", [sys.executable, "-c", "import time; time.sleep(9)"])
    monkeypatch.setattr(launch, "_READY_WITHIN", 0.0)
    monkeypatch.setattr(launch._Starting, "ready", lambda self: "not ready: disk: /run is full")
    with pytest.raises(launch.StartFailed, match="within 0 s: not ready: disk: /run is full; its"):
        launch.detached(resolve({"base_path": str(tmp_path)}, {}))


def test_a_reload_that_would_lose_a_model_a_file_is_refused_as_bad_settings_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Refusing:
        def post(self, *_: object, **__: object) -> None:
            raise ModelFailed("its draft_model: there is no model 'nope'")

    monkeypatch.setattr(server.halt, "read_lock", lambda base: halt.Lock(1, True))
    monkeypatch.setattr(server, "running_server", lambda facts, base: Refusing())
    with pytest.raises(InvalidArgument, match="there is no model 'nope'"):
        server.reload(str(tmp_path))


def test_an_interrupted_start_leaves_no_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[int] = []

    def interrupted(starting: launch._Starting) -> None:
        started.append(starting.process.pid)
        raise KeyboardInterrupt

    code = "import signal; signal.pause()"
    monkeypatch.setattr(launch, "_SUPERVISOR", [sys.executable, "-c", code])
    monkeypatch.setattr(launch, "_until_ready", interrupted)
    with pytest.raises(KeyboardInterrupt):
        launch.detached(resolve({"base_path": str(tmp_path)}, {}))
    with pytest.raises(ProcessLookupError):
        os.kill(started[0], 0)


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("plain text", "plain text"),
        ("[1, 2]", "[1, 2]"),
        (
            json.dumps(
                {
                    "event": "ready",
                    "timestamp": "2026-11-21T12:30:01.123456Z",
                    "level": "info",
                    "process": "worker",
                    "model": "tiny",
                    "ms": 7,
                }
            ),
            "12:30:01.123 info    worker     ready model=tiny ms=7",
        ),
        ('{"event": "bare"}', "info               bare"),
        ('{"event": "e", "path": "/\\u001b[2J"}', "info               e path=/\\x1b[2J"),
        ('{"event": "e", "exception": "A\\nB"}', "info               e\nA\nB"),
    ],
)
def test_a_json_line_is_made_readable(line: str, text: str) -> None:
    assert loglines.readable(line).plain == text
