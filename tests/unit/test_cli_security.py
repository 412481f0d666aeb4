"""`kronk security password` and `audit`, and the first password at the start: without a server."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from kronk.cli import first_password, launch, security_audit
from kronk.cli import main as cli
from kronk.cli.client import Admin
from kronk.shared import exits
from kronk.shared.paths import BasePath
from kronk.shared.security import audit, password
from kronk.shared.security.audit import Entry
from kronk.shared.settings_table import SETTINGS

ENV = {setting.name: setting.env for setting in SETTINGS}
CHOSEN = "correct horse battery"


def call(monkeypatch: pytest.MonkeyPatch, base: Path, *words: str, stdin: str = "") -> int:
    monkeypatch.setattr(sys, "argv", ["kronk", "security", *words, "--base-path", str(base)])
    monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
    return cli._call()


def test_a_terminal_shows_the_first_password_once_and_no_file_has_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    base = BasePath(tmp_path)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    first_password.make_and_tell(base)
    line = capsys.readouterr().out.strip().splitlines()[0]
    assert password.is_right(line.rpartition(": ")[2], password.read(base.keys))
    assert not password.first_file(base.keys).exists()
    first_password.make_and_tell(base)
    assert capsys.readouterr().out == ""


def test_without_a_terminal_the_path_is_said_until_the_first_login(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = BasePath(tmp_path)
    path = password.first_file(base.keys)
    for _ in range(2):
        first_password.make_and_tell(base)
        said = capsys.readouterr().out
        assert str(path) in said and path.read_text().strip() not in said
    password.forget_first(base.keys)
    first_password.make_and_tell(base)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("flags", "is_told"),
    [
        ({}, False),
        ({"auth_mode": "management"}, True),
        ({"auth_enabled": "true"}, True),
        ({"auth_host": "https://auth", "auth_token": "t"}, False),
    ],
)
def test_a_start_says_where_the_operators_token_is(
    flags: dict[str, str],
    is_told: bool,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(launch, "detached", lambda _: Admin("http://127.0.0.1:1"))
    for name, value in (flags | {"base_path": str(tmp_path)}).items():
        monkeypatch.setenv(ENV[name], value)
    monkeypatch.setattr(sys, "argv", ["kronk", "server", "start", "-d"])
    assert cli._call() == exits.OK
    assert (str(BasePath(tmp_path).admin_token) in capsys.readouterr().out) == is_told


def test_a_reset_shows_the_new_password(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert call(monkeypatch, tmp_path, "password", "reset", "--local", "--json") == exits.OK
    made = json.loads(capsys.readouterr().out)["password"]
    assert password.is_right(made, password.read(tmp_path / "keys"))
    [entry], _ = audit.read(BasePath(tmp_path), 10)
    assert (entry.action, entry.via, entry.result) == ("change_password", "local", "done")


def test_a_password_is_set_from_stdin_and_not_repeated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code = call(monkeypatch, tmp_path, "password", "set", "--local", stdin=f"{CHOSEN}\nmore\n")
    said = capsys.readouterr()
    assert code == exits.OK and CHOSEN not in said.out + said.err
    assert password.is_right(CHOSEN, password.read(tmp_path / "keys"))


@pytest.mark.parametrize("typed", ["", "\n", "short\n", "x" * 2000])
def test_what_is_no_password_changes_nothing(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    typed: str,
) -> None:
    code = call(monkeypatch, tmp_path, "password", "set", "--local", stdin=typed)
    said = capsys.readouterr().err
    assert code == exits.USAGE and said.startswith("error: ") and said.count("\n") == 1
    assert password.read(tmp_path / "keys") is None


@pytest.mark.parametrize("words", [("password", "reset"), ("audit",)])
def test_without_a_server_the_error_names_local(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
) -> None:
    assert call(monkeypatch, tmp_path, *words, "--api-host", "127.0.0.1:1") == 1
    assert "--local" in capsys.readouterr().err


def row(**facts: Any) -> dict[str, Any]:
    empty = dict.fromkeys(
        ("target", "subject", "name", "via", "client", "status", "code", "request_id", "route")
    )
    known = {"time": "x", "action": "load", "result": "done", "suppressed": 0, "id": "a"}
    return empty | known | facts


@pytest.mark.parametrize(
    ("facts", "cells"),
    [
        ({}, ("x", "-", "-", "load", "-", "done")),
        (
            {"name": "ann", "subject": "s", "via": "token", "client": "::1", "status": 200},
            ("x", "ann (token)", "::1", "load", "-", "done (200)"),
        ),
        ({"subject": "s-1", "via": "token"}, ("x", "s-1 (token)", "-", "load", "-", "done")),
        (
            {"via": "anonymous", "result": "refused", "code": "c", "status": 401, "suppressed": 7},
            ("x", "anonymous", "-", "load", "-", "refused (401, c, 7 more before)"),
        ),
        ({"target": "a\x1b[31mb\n"}, ("x", "-", "-", "load", "a?[31mb?", "done")),
    ],
)
def test_a_line_of_the_audit_log_for_people(facts: dict[str, Any], cells: tuple[str, ...]) -> None:
    assert security_audit.cells(row(**facts)) == cells


def test_the_audit_log_is_shown_with_the_latest_last(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert call(monkeypatch, tmp_path, "audit", "--local") == exits.OK
    assert capsys.readouterr().out == "nothing has been administered yet\n"
    for number in range(5):
        audit.append(BasePath(tmp_path), Entry("load", target=f"m{number}"))
    assert call(monkeypatch, tmp_path, "audit", "--local", "-n", "2") == exits.OK
    _, *lines = capsys.readouterr().out.splitlines()
    assert [line.split()[5] for line in lines] == ["m3", "m4"]
    assert call(monkeypatch, tmp_path, "audit", "--local", "--json") == exits.OK
    assert [row["target"] for row in json.loads(capsys.readouterr().out)] == [
        f"m{number}" for number in range(5)
    ]


def test_following_begins_with_the_last_lines_and_goes_on_with_new_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(security_audit, "_POLL_SECONDS", 0.0)
    states = iter([["a", "b", "c"], ["a", "b", "c"], ["b", "c", "d", "e"], ["e", "f"]])
    found = security_audit._followed(2, lambda most: [{"id": name} for name in next(states)])
    assert [next(found)["id"] for _ in range(5)] == ["b", "c", "d", "e", "f"]


def test_what_a_command_takes_off_the_disk_is_in_the_audit_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tmp_path / "models" / "test" / "tiny" / "Tiny.gguf"
    model.parent.mkdir(parents=True)
    model.write_bytes(b"GGUF")
    words = ["kronk", "model", "remove", "Tiny", "--local", "--yes", "--base-path", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", words)
    assert cli._call() == exits.OK, capsys.readouterr().err
    [entry], _ = audit.read(BasePath(tmp_path), 10)
    assert (entry.action, entry.target, entry.name) == ("remove", "Tiny", audit.operator())
