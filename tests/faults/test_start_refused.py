"""What keeps a server from starting is said in one line, with an exit code of its own."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from harness.counting_model import counted
from harness.matrix import Row, record
from harness.server import Server, free_port, kronk

USAGE, ADDRESS_IN_USE, ALREADY_RUNNING = 2, 7, 8


def start(base: Path, *flags: str) -> tuple[int, str]:
    """Exit code and error of a `kronk server start` that must not start."""
    done = kronk("server", "start", f"--base-path={base}", *flags)
    *progress, words = done.stderr.splitlines()
    assert progress in ([], ["Starting Kronk ..."])
    assert words.startswith("error: ")
    return done.returncode, words


@pytest.mark.parametrize("mode", ["-d", "--spare=true"])
def test_a_second_server_on_a_base_path_is_refused(town: Server, mode: str) -> None:
    code, words = start(town.base, f"--api-host=127.0.0.1:{free_port()}", mode)
    assert code == ALREADY_RUNNING
    assert str(town.pid) in words
    assert str(town.base) in words
    assert "kronk server stop" in words
    assert town.text("Bystander", "from 7", max_tokens=3) == counted(7, 3)


def test_a_server_that_already_runs_is_no_error_when_told_so(town: Server) -> None:
    done = kronk("server", "start", "-d", "--reuse", f"--base-path={town.base}")
    assert done.returncode == 0, done.stderr
    assert str(town.port) in done.stdout


@pytest.mark.parametrize("mode", ["-d", "--spare=true"])
def test_an_address_in_use_is_refused(tmp_path: Path, mode: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        code, words = start(tmp_path, f"--api-host=127.0.0.1:{port}", mode)
    assert code == ADDRESS_IN_USE
    assert f"127.0.0.1:{port}" in words
    assert "--api-host" in words
    assert not (tmp_path / "run" / "server.json").exists()
    record(Row("port in use", f"start {mode}", f"refused in one line, exit code {code}", {}))


@pytest.mark.parametrize(
    ("flag", "words"),
    [
        ("--cache-ttl=banana", "--cache-ttl"),
        ("--models-in-cache=0", "--models-in-cache"),
        ("--api-host=here", "--api-host"),
        ("--log-level=loud", "--log-level"),
        ("--model-config-file=/nowhere/at/all.yaml", "/nowhere/at/all.yaml"),
        ("--no-such-flag", "--no-such-flag"),
    ],
)
def test_a_bad_flag_is_named(tmp_path: Path, flag: str, words: str) -> None:
    code, said = start(tmp_path, flag)
    assert code == USAGE
    assert words in said


@pytest.mark.parametrize(
    ("yaml", "words"),
    [
        ("models: {A: {context_windw: 1024}}", "did you mean context_window"),
        ("models: {A: {n_seq_max: many}}", "models.A.n_seq_max"),
        ("models: {A: {context_window: 1}}", "models.A.context_window"),
        ("models: [A]", "models"),
        ("{", "not YAML"),
    ],
)
def test_a_bad_key_of_the_model_config_file_is_named(tmp_path: Path, yaml: str, words: str) -> None:
    file = tmp_path / "models.yaml"
    file.write_text(yaml)
    done = kronk("server", "start", f"--base-path={tmp_path}", f"--model-config-file={file}")
    assert done.returncode == USAGE
    assert words in done.stderr
    assert str(file) in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unusable_base_path_is_named(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    code, words = start(file / "below", f"--api-host=127.0.0.1:{free_port()}")
    assert code != 0
    assert str(file / "below") in words
