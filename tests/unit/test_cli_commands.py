"""Every command there is: it has help, JSON where it prints data, codes that scripts can use, and
arguments that the shell completes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kronk.cli import completers
from kronk.cli import main as cli
from kronk.shared import exits

# What these print is for people, a script of a shell, JSON in any case, or nothing.
WITHOUT_JSON = {
    "server start",
    "server stop",
    "server reload",
    "server install-service",
    "server profile",
    "run",
    "model load",
    "model unload",
    "model pin",
    "model reset",
    "config schema",
    "batch cancel",
    "worker add",
    "worker remove",
    "completion bash",
    "completion zsh",
    "completion fish",
    "completion install",
}
# They work on the server alone: what they are about has no files, or starts one.
WITHOUT_LOCAL = {
    "server stacks", "server profile",
    "server start", "server stop", "server reload", "server install-service",
    "run", "ps", "jobs", "batch", "worker", "completion", "doctor",
    "bench", "diagnose",
    "model load", "model unload", "model pin", "model reset", "config schema",
    # Of files of this machine, whatever server there is.
    "security policy check",
}  # fmt: skip
# Of an argument that no file knows: the shell proposes files, or nothing.
FREE = {"prompt", "file", "folder", "target"}

# Arguments that are a model.
NAMING = {"model", "model_id", "source_or_id", "source"}


def leaves(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    below = getattr(command, "commands", None)
    if below is None:
        yield path, command
        return
    for name, each in below.items():
        yield from leaves(each, f"{path} {name}")


ALL = dict(leaf for name in cli.COMMANDS for leaf in leaves(cli.load(name), name))
OPTIONS = {
    path: {name for each in command.params for name in each.opts} for path, command in ALL.items()
}
ARGUMENTS = {
    path: [each for each in command.params if each.param_type_name == "argument"]
    for path, command in ALL.items()
}


def call(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["kronk", *words])
    try:
        return cli._call()
    except SystemExit as ended:
        return int(ended.code or 0)


@pytest.mark.parametrize("path", ALL)
def test_a_command_says_what_it_does(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], path: str
) -> None:
    text = ALL[path].help
    assert text and text.strip()[0].isupper() and "." in text
    hidden = [each.name for each in ALL[path].params if not getattr(each, "help", None)]
    assert [name for name in hidden if name not in ("help", "model", "prompt")] == []
    # Wide enough that nothing is wrapped.
    monkeypatch.setenv("COLUMNS", "1000")
    assert call(monkeypatch, *path.split(), "--help") == exits.OK
    shown = " ".join(capsys.readouterr().out.split())
    assert "Usage: kronk" in shown
    for each in ALL[path].params:
        # What is in brackets is easily taken for markup.
        told = " ".join((getattr(each, "help", None) or "").replace("\\[", "[").split())
        assert told in shown, each.name


@pytest.mark.parametrize("path", ALL)
def test_a_command_prints_json_where_it_prints_data(path: str) -> None:
    assert ("--json" in OPTIONS[path]) == (path not in WITHOUT_JSON)


@pytest.mark.parametrize("path", ALL)
def test_a_command_works_without_a_server_where_it_can(path: str) -> None:
    is_servers = path in WITHOUT_LOCAL or path.partition(" ")[0] in WITHOUT_LOCAL
    assert ("--local" in OPTIONS[path]) == (not is_servers)


@pytest.mark.parametrize("path", ALL)
def test_what_is_misspelt_ends_with_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], path: str
) -> None:
    assert call(monkeypatch, *path.split(), "--nonsense") == exits.USAGE
    said = capsys.readouterr().err
    assert said.startswith("error: ") and "--nonsense" in said and said.count("\n") == 1
    if any(each.required for each in ARGUMENTS[path]):
        assert call(monkeypatch, *path.split()) == exits.USAGE
        assert "Missing argument" in capsys.readouterr().err


@pytest.mark.parametrize(
    "path",
    [
        path
        for path in ALL
        if "--local" in OPTIONS[path] and NAMING & {each.name for each in ARGUMENTS[path]}
    ],
)
def test_what_is_not_there_ends_with_an_error_of_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], path: str, tmp_path: Path
) -> None:
    words = [*path.split(), "No-Such-Model", "--local", "--base-path", str(tmp_path)]
    code = call(monkeypatch, *words)
    said = capsys.readouterr()
    if path == "model history":
        # Nothing has become of it.
        assert code == exits.OK
        return
    assert code in (1, exits.USAGE)
    assert said.err.startswith("error: ") and said.err.count("\n") == 1


@pytest.mark.parametrize("path", ALL)
def test_what_an_argument_may_be_is_known_to_the_shell(path: str) -> None:
    for argument in ARGUMENTS[path]:
        is_known = completers.propose(path, argument.name) is not None
        is_new = (path, argument.name) in completers.NEW
        assert is_known or is_new or argument.name in FREE, (path, argument.name)
