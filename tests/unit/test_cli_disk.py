"""`kronk model import | index | verify | remove --local`: what they print, and how they end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from kronk.cli import removing
from kronk.cli.model import model_app
from kronk.shared.errors import InvalidArgument, KronkError

TINY = (Path(__file__).resolve().parents[1] / "models" / "tiny-chat-q8_0.gguf").read_bytes()


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Tiny-Q8_0.gguf").write_bytes(TINY)
    monkeypatch.setenv("KRONK_BASE_PATH", str(tmp_path / "base"))
    return tmp_path / "base"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(model_app, [*arguments, "--local"])


def test_a_relative_path_is_imported_verified_and_removed(base: Path) -> None:
    done = run("import", "Tiny-Q8_0.gguf", "--as", "org/tiny", "--copy")
    assert done.exit_code == 0, done.output
    assert "Tiny-Q8_0 is a model now\n  org/tiny/Tiny-Q8_0.gguf (" in done.stdout
    assert run("verify", "Tiny-Q8_0").stdout == "org/tiny/Tiny-Q8_0.gguf: as it should be\n"
    assert "1 model, 1 file\n" in run("index").stdout
    gone = run("remove", "Tiny-Q8_0")
    assert "Tiny-Q8_0 is removed: 1 file, 3.6 MiB" in gone.stdout
    assert not list(base.rglob("*.gguf"))
    assert "0 models, 0 files" in run("index").stdout


def test_an_index_of_no_models_is_no_error(base: Path) -> None:
    done = run("index")
    assert (done.exit_code, done.stdout) == (0, "0 models, 0 files\n")


def test_damage_ends_with_code_3_and_is_told_everywhere(base: Path) -> None:
    run("import", "Tiny-Q8_0.gguf", "--as", "org/tiny", "--copy")
    path = base / "models/org/tiny/Tiny-Q8_0.gguf"
    path.write_bytes(TINY[:-1] + b"x")
    listed = run("list").stdout
    assert "yes; changed since it was verified on 20" in listed
    assert "changed since it was verified: org/tiny/Tiny-Q8_0.gguf" in run("index").stdout
    verified = run("verify", "--all")
    assert verified.exit_code == 3
    assert "damaged: its sha256 is" in verified.stdout
    assert "no: damaged: its sha256 is" in run("list").stdout
    assert "cannot be loaded: Tiny-Q8_0: damaged" in run("index").stdout
    as_json = run("verify", "--all", "--json")
    assert as_json.exit_code == 3
    assert json.loads(as_json.stdout)["result"]["damaged"] == 1
    assert run("verify", "Tiny-Q8_0", "--accept").exit_code == 0
    assert run("verify", "--all").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["import", "Tiny-Q8_0.gguf", "--copy", "--move"], "--copy and --move exclude each other"),
        (["import", "nope.gguf"], "is no file"),
        (["import", "Tiny-Q8_0.gguf", "--as", "../x"], "expected ORGANISATION/FAMILY"),
        (["verify"], "expected a model's id, or --all"),
        (["verify", "a", "--all"], "expected a model's id, or --all"),
        (["verify", "nope"], "there is no model 'nope'"),
        (["remove", "nope"], "there is no model 'nope'"),
        (["import", "Tiny-Q8_0.gguf", "--detach"], "--detach leaves the work to the server"),
    ],
)
def test_what_cannot_be_done_is_an_error(base: Path, arguments: list[str], words: str) -> None:
    done = run(*arguments)
    assert isinstance(done.exception, KronkError)
    assert words in done.exception.message


def test_a_removal_is_asked_about_and_can_be_declined(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[str] = []

    def confirm(text: str, **_: Any) -> bool:
        asked.append(text)
        return False

    monkeypatch.setattr(typer, "confirm", confirm)
    with pytest.raises(typer.Exit) as ended:
        removing._ask({"model": "m", "files": ["/a.gguf", "/b.gguf"], "size_bytes": 2**20})
    assert ended.value.exit_code == 1
    assert asked == ["Delete m: 2 files, 1.0 MiB?"]
    assert "/a.gguf" in capsys.readouterr().err


def test_two_ways_of_importing_are_a_mistake_of_the_callers(base: Path) -> None:
    assert isinstance(
        run("import", "Tiny-Q8_0.gguf", "--link", "--move").exception, InvalidArgument
    )
    assert (base.parent / "Tiny-Q8_0.gguf").exists()
