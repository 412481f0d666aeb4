"""`kronk security`: keys and tokens by command, on files and through a server."""

from __future__ import annotations

import fcntl
import io
import json
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import structlog

from kronk.cli import main as cli
from kronk.cli.client import find_server
from kronk.cli.security_tokens import in_go
from kronk.shared import exits
from kronk.shared.errors import PermissionDenied, Unauthenticated
from kronk.shared.paths import BasePath
from kronk.shared.security import audit
from kronk.shared.security.keys import Keyring

UUID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
Call = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KRONK_TOKEN", "KRONK_WEB_API_HOST", "KRONK_AUTH_ISSUER"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def usual_log() -> Iterator[None]:
    yield
    structlog.reset_defaults()


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    def call(*words: str, stdin: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["kronk", "security", *words])
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        try:
            code = cli._call()
        except SystemExit as ended:
            code = int(ended.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


@pytest.fixture
def local(call: Call, tmp_path: Path) -> Call:
    return lambda *words, stdin="": call(
        *words, "--local", "--base-path", str(tmp_path), stdin=stdin
    )


def create(local: Call, *words: str) -> dict[str, Any]:
    code, out, _ = local("token", "create", "--duration", "24h", "--json", *words)
    assert code == exits.OK
    return dict(json.loads(out))


def test_without_keys_it_is_said_what_makes_them(local: Call, tmp_path: Path) -> None:
    code, out, err = local("key", "list")
    assert (code, out) == (1, "") and "kronk server start --auth-enabled" in err
    assert not (tmp_path / "keys").exists()


def test_keys_are_listed_as_the_manual_has_it(local: Call, tmp_path: Path) -> None:
    assert local("key", "create")[0] == exits.OK
    code, out, _ = local("key", "list")
    head, master, signer = out.splitlines()
    assert (code, head) == (exits.OK, "KEY ID                                  CREATED")
    assert master.split() == ["master", master[40:]] and master.endswith("Z")
    assert signer[36:40] == "    " and len(signer) == 60
    rows = json.loads(local("key", "list", "--json")[1])
    assert [row["id"] for row in rows] == ["master", signer[:36]]
    assert [row["object"] for row in rows] == ["kronk.key"] * 2


def test_a_key_is_made_and_deleted_by_its_id(local: Call) -> None:
    local("key", "create")
    made = json.loads(local("key", "create", "--json")[1])["id"]
    assert local("key", "delete", "--keyid", made)[0] == exits.OK
    assert made not in local("key", "list")[1]
    code, _, err = local("key", "delete", "--keyid", made)
    assert code == 1 and "there is no key" in err
    code, _, err = local("key", "delete", "--keyid", "master")
    assert code == exits.USAGE and "the master key cannot be deleted" in err
    code, _, err = local("key", "delete")
    assert code == exits.USAGE and "--keyid" in err


def test_keys_need_no_database(local: Call, tmp_path: Path) -> None:
    (tmp_path / "db").write_text("broken")
    made = json.loads(local("key", "create", "--json")[1])["id"]
    assert local("key", "delete", "--keyid", made)[0] == exits.OK
    assert len(json.loads(local("key", "list", "--json")[1])) == 1
    assert local("token", "list")[0] == 1


def test_a_token_is_told_as_the_manual_has_it(local: Call) -> None:
    words = ("--duration", "720h", "--endpoints", "embeddings,chat-completions:1000/day")
    code, out, err = local("token", "create", *words)
    *lines, token = out.splitlines()
    assert code == exits.OK and "master.pem" in err
    assert lines == [
        "Token create",
        "  Duration: 720h0m0s",
        "  Endpoints: map[chat-completions:{1000 day} embeddings:{0 unlimited}]",
        "TOKEN:",
    ]
    code, out, _ = local("token", "inspect", token)
    assert code == exits.OK and out.startswith("good\n") and "  iss: kronk" in out


def test_what_else_a_token_grants_is_told_too(local: Call) -> None:
    words = "--endpoints embeddings --models Qwen3-*,Tiny --tokens 100000/day --concurrency 2"
    words += " --name Anna --duration 90m"
    _, out, _ = local("token", "create", *words.split())
    assert out.splitlines()[1:-2] == [
        "  Duration: 1h30m0s",
        "  Endpoints: map[embeddings:{0 unlimited}]",
        "  Models: Qwen3-*,Tiny",
        "  Tokens: 100000/day",
        "  Concurrency: 2",
        "  Name: Anna",
    ]
    _, out, _ = local("token", "list")
    assert "embeddings models:Qwen3-*,Tiny tokens:100000/day concurrency:2" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--endpoints", "chat-completion"), "did you mean chat-completions?"),
        (("--endpoints", "embeddings:5/week"), "1000/day"),
        (("--endpoints", "embeddings", "--models", "../x"), "models"),
        (("--endpoints", "embeddings", "--tokens", "1000"), "1000/day"),
        (("--endpoints", "embeddings", "--concurrency", "0"), "concurrency"),
        (("--admin", "--endpoints", "embeddings"), "no limits"),
        ((), "endpoints"),
    ],
)
def test_a_token_that_cannot_be_is_an_error_of_one_line(
    local: Call, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    code, out, err = local("token", "create", "--duration", "24h", *words)
    assert (code, out) == (exits.USAGE, "") and said in err and err.count("\n") == 1
    # And nothing was made on the way.
    assert not (tmp_path / "keys").exists()


@pytest.mark.parametrize("duration", ["", "24", "1 day", "0", "-5h", "1000000h"])
def test_a_duration_that_is_none_is_an_error(local: Call, duration: str) -> None:
    code, _, err = local("token", "create", f"--duration={duration}", "--endpoints", "rerank")
    assert code == exits.USAGE and "duration" in err


def test_durations_are_written_as_go_does() -> None:
    assert [in_go(each) for each in (86400, 5400, 61, 59, 31_536_000)] == [
        "24h0m0s", "1h30m0s", "1m1s", "59s", "8760h0m0s",
    ]  # fmt: skip


def test_a_token_is_looked_into_and_revoked_without_standing_in_the_command(local: Call) -> None:
    made = create(local, "--endpoints", "rerank")
    line = f"{made['token']}\n"
    assert local("token", "inspect", "-", stdin=line)[0] == exits.OK
    code, out, _ = local("token", "revoke", "-", "--reason", "lost", stdin=line)
    assert code == exits.OK and made["subject"] in out
    code, out, _ = local("token", "inspect", "-", stdin=line)
    assert code == 1 and out.startswith("not good: revoked\n")
    assert "revoked" in local("token", "list")[1]
    code, _, err = local("token", "inspect", "-", stdin="")
    assert code == exits.USAGE and "got nothing" in err


def test_a_subject_is_revoked_and_a_stranger_with_a_warning(local: Call) -> None:
    made = create(local, "--endpoints", "rerank")
    code, out, err = local("token", "revoke", made["subject"], "--json")
    assert code == exits.OK and json.loads(out)["known"] and not err
    code, _, err = local("token", "revoke", "00000000-0000-4000-8000-000000000000")
    assert code == exits.OK and err.startswith("warning: no token of this subject")
    code, _, err = local("token", "revoke", "nonsense")
    assert code == exits.USAGE and "no token of this server" in err


def test_what_a_stranger_wrote_into_a_token_does_not_steer_the_terminal(local: Call) -> None:
    local("key", "create")
    forged = ".".join(("eyJraWQiOiJcdTAwMWJbMm0ifQ", "eyJcdTAwMWJbMm0iOiJcdTAwMWJbMm0ifQ", "x"))
    code, out, _ = local("token", "inspect", forged)
    assert code == 1 and "\x1b" not in out and "?[2m" in out


def test_what_is_done_to_files_is_audited(local: Call, tmp_path: Path) -> None:
    made = create(local, "--endpoints", "rerank")
    local("key", "delete", "--keyid", made["key"])
    local("token", "revoke", made["subject"])
    found, _ = audit.read(BasePath(tmp_path), 10)
    assert [each.action for each in found] == ["revoke_token", "delete_key", "create_token"]
    assert [each.target for each in found] == [made["subject"], made["key"], made["subject"]]
    assert {(each.via, each.result) for each in found} == {("local", "done")}
    local("key", "delete", "--keyid", "master")
    ((failed, *_), _) = audit.read(BasePath(tmp_path), 1)
    assert (failed.target, failed.result, failed.code) == ("master", "failed", "invalid_argument")
    assert made["token"] not in (tmp_path / "logs" / "audit.jsonl").read_text()


def test_tokens_are_of_the_issuer_that_the_server_was_started_with(
    local: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Keyring(tmp_path / "keys").ensure("house", 1.0)
    token = create(local, "--endpoints", "rerank")["token"]
    assert "  iss: house" in local("token", "inspect", token)[1]
    monkeypatch.setenv("KRONK_AUTH_ISSUER", "other")
    assert local("token", "inspect", token)[1].startswith("not good: another issuer")


def test_the_settings_in_force_are_shown(
    local: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    local("key", "create")
    monkeypatch.setenv("KRONK_AUTH_ENABLED", "true")
    (tmp_path / "keys").chmod(0o755)
    _, out, _ = local("sec")
    rows = dict(line.split("   ", 1) for line in out.splitlines())
    assert rows["mode"].strip() == "protected" and rows["policy"].strip() == "shipped"
    assert "its mode is 0755, not 0700" in rows["keys folder"]
    assert rows["operator's token"].strip() == "good"
    told = json.loads(local("sec", "--json")[1])
    assert (told["mode"], told["keys"], told["issuer"]) == ("protected", 2, "kronk")


def test_warnings_of_the_files_are_not_part_of_what_is_printed(local: Call, tmp_path: Path) -> None:
    local("key", "create")
    (tmp_path / "keys" / "odd.pem").write_text("x")
    code, out, err = local("key", "list", "--json")
    assert code == exits.OK and len(json.loads(out)) == 2
    assert "odd.pem" in err


# Through a server.


class Canned(BaseHTTPRequestHandler):
    """Answers by what `Authorization` says, and keeps it."""

    seen: list[str | None]

    def do_GET(self) -> None:
        token = self.headers["Authorization"]
        self.seen.append(token)
        status, code = (200, "") if token else (401, "unauthenticated")
        if token == "Bearer weak":
            status, code = 403, "permission_denied"
        error = {"error": {"code": code, "message": "endpoint not authorized"}}
        body = json.dumps({"data": []} if status == 200 else error).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def seen(tmp_path: Path) -> Iterator[list[str | None]]:
    """A server of the base path that lives, and what it was sent."""
    base = BasePath(tmp_path)
    handler = type("Handler", (Canned,), {"seen": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    base.run.mkdir()
    base.keys.mkdir()
    base.admin_token.write_text("operators\n")
    base.server_file.write_text(
        json.dumps({"pid": os.getpid(), "api": f"127.0.0.1:{server.server_port}"})
    )
    base.pid_file.write_text(str(os.getpid()))
    yield handler.seen  # type: ignore[attr-defined]
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def lives(seen: list[str | None], tmp_path: Path) -> Iterator[None]:
    with BasePath(tmp_path).pid_file.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.mark.usefixtures("lives")
def test_the_operator_on_the_host_needs_to_export_nothing(
    seen: list[str | None], tmp_path: Path
) -> None:
    find_server(None, str(tmp_path)).get("/x")
    assert seen == ["Bearer operators"]


@pytest.mark.usefixtures("lives")
def test_a_token_of_the_environment_goes_before_the_operators(
    seen: list[str | None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KRONK_TOKEN", "mine")
    find_server(None, str(tmp_path)).get("/x")
    assert seen == ["Bearer mine"]


def test_the_operators_token_is_not_sent_to_whoever_is_at_a_dead_servers_address(
    seen: list[str | None], tmp_path: Path
) -> None:
    with pytest.raises(Unauthenticated):
        find_server(None, str(tmp_path)).get("/x")
    assert seen == [None]


@pytest.mark.usefixtures("lives")
def test_the_operators_token_is_not_sent_to_another_server(tmp_path: Path) -> None:
    assert find_server("127.0.0.1:1", str(tmp_path)).token is None
    assert find_server("http://127.0.0.1:1", str(tmp_path)).token is None
    assert find_server("https://example.com", str(tmp_path)).token is None


@pytest.mark.usefixtures("lives")
def test_a_token_file_that_cannot_be_read_is_no_error(
    seen: list[str | None], tmp_path: Path
) -> None:
    BasePath(tmp_path).admin_token.write_bytes(b"\xff")
    assert find_server(None, str(tmp_path)).token is None


def test_a_refusal_names_the_file_with_the_operators_token(
    seen: list[str | None], tmp_path: Path
) -> None:
    server = find_server(None, str(tmp_path))
    command = f"export KRONK_TOKEN=$(cat {BasePath(tmp_path).admin_token})"
    with pytest.raises(Unauthenticated, match=re.escape(command)):
        server.get("/x")
    with pytest.raises(PermissionDenied, match=re.escape(command)):
        replace(server, token="weak").get("/x")


def test_without_a_server_the_error_names_local(call: Call, tmp_path: Path) -> None:
    code, _, err = call("key", "list", "--api-host", "127.0.0.1:1", "--base-path", str(tmp_path))
    assert code == 1 and "--local" in err
