"""The `kronk` command as a whole: its errors, exit codes and start-up."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from kronk.cli import main as cli
from kronk.shared.errors import InvalidArgument, ServerError


def kronk(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "kronk.cli.main", *arguments],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        env={"KRONK_BASE_PATH": str(folder / "base"), "KRONK_WEB_API_HOST": "127.0.0.1:9"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["srver"], 2, "Did you mean 'server'"),
        (["--nope"], 2, "No such option: --nope; see `kronk --help`"),
        (["server", "strat"], 2, "Did you mean 'start'"),
        (["server", "start", "--cache-ttl=5x"], 2, "--cache-ttl: expected a duration"),
        (["server", "start", "--spare=maybe"], 2, "--spare: expected true or false"),
        (["server", "start", "--model-config-file=/none.yaml"], 2, "/none.yaml"),
        (["server", "stop", "--timeout=soon"], 2, "--timeout: expected a duration"),
        (["server", "logs"], 1, "there is no log yet"),
        (["server", "logs", "--level", "loud"], 2, "--level: expected debug, info, warning or"),
        (["server", "logs", "--since", "soon"], 2, "--since: expected a duration such as"),
        (["server", "logs", "--local", "--api-host", "h:1"], 2, "--local reads the files here"),
        (["ps"], 1, "no server answers at http://127.0.0.1:9; start one with `kronk server start`"),
        (["ps", "--api-host=here"], 2, "--api-host: expected host:port"),
        (["ps", "--watch", "--json"], 2, "exclude each other"),
        (["run"], 2, "Missing argument"),
        (["run", "m", " "], 2, "the prompt is empty"),
        (["run", "m", "hello"], 1, "no server answers"),
        (["run", "m", "not UTF-8: \udcff"], 1, "no server answers"),
        (["run", "m", "-"], 2, "the prompt is empty"),
    ],
)
def test_an_error_is_one_line_and_an_exit_code(
    arguments: list[str], code: int, words: str, tmp_path: Path
) -> None:
    done = kronk(*arguments, folder=tmp_path)
    assert done.returncode == code
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert words in done.stderr


def test_a_server_that_does_not_run_is_stopped_without_complaint(tmp_path: Path) -> None:
    done = kronk("server", "stop", folder=tmp_path)
    assert done.returncode == 0
    assert "not running" in done.stdout


def test_a_bad_model_config_file_names_file_model_and_key(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text("models:\n  a/b:\n    n_batchh: 5\n")
    done = kronk("server", "start", "--model-config-file=m.yaml", folder=tmp_path)
    assert done.returncode == 2
    assert f"{tmp_path}/m.yaml:3:5: models.a/b.n_batchh: no such key" in done.stderr


def test_a_mistyped_variable_is_pointed_out(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from kronk.cli import server

    monkeypatch.setenv("KRONK_MODELS_CACHE", "3")
    server._warn_of_unknown_variables()
    assert "did you mean KRONK_MODELS_IN_CACHE?" in capsys.readouterr().err


def test_help_and_version_load_no_heavy_library() -> None:
    code = (
        "import sys; from kronk.cli import main\n"
        "heavy = {'fastapi', 'httpx', 'llama_cpp', 'numpy', 'prompt_toolkit', 'psutil', 'zmq'}\n"
        "sys.argv = ['kronk', '--help']\n"
        "try: main.main()\n"
        "except SystemExit as end: assert not end.code\n"
        "print('heavy:', sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True)
    assert done.stdout.endswith("heavy: []\n"), done.stdout + done.stderr
    for name in cli.COMMANDS:
        assert name in done.stdout


@pytest.mark.parametrize(
    ("raised", "code", "line"),
    [
        (InvalidArgument("bad\nfield"), 2, "error: bad field\n"),
        (ServerError("broke"), 1, "error: broke\n"),
        (KeyboardInterrupt(), 130, ""),
        (FileNotFoundError(2, "No such file", "/x"), 1, "error: /x: No such file\n"),
        (
            ValueError("oops"),
            1,
            "error: a bug in Kronk: ValueError: oops; KRONK_LOG_LEVEL=debug shows where\n",
        ),
    ],
    ids=lambda case: type(case).__name__,
)
def test_whatever_is_raised_is_one_line(
    raised: BaseException,
    code: int,
    line: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(**_: object) -> None:
        raise raised

    monkeypatch.delenv("KRONK_LOG_LEVEL", raising=False)
    monkeypatch.setattr(cli, "app", fail)
    assert cli._call() == code
    assert capsys.readouterr().err == line


def test_a_reader_that_leaves_early_is_no_error() -> None:
    script = f"{sys.executable} -P -m kronk.cli.main --help | true"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert done.stderr == ""
