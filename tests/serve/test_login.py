"""The browser's login on a real server: from its first start to the reset of the password."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from harness.server import KRONK, Server, environment, kronk, running_server
from harness.waiting import PATIENCE, wait_until

PROTECTED = "--auth-enabled"
RELOAD, AUDIT = "/v1/kronk/reload", "/v1/kronk/security/audit"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("login")


@pytest.fixture(scope="module")
def first(base: Path) -> Path:
    return base / "keys" / "first-password"


class Browser:
    """A page of the server's own, with the cookies that a browser keeps."""

    def __init__(self, server: Server, cookies: httpx.Cookies | None = None) -> None:
        self._server = server
        self.cookies = cookies or httpx.Cookies()

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        headers = {"origin": self._server.url}
        with httpx.Client(
            base_url=self._server.url, cookies=self.cookies, headers=headers, timeout=PATIENCE
        ) as client:
            answer = client.request(method, path, **more)
            self.cookies = client.cookies
        return answer

    def log_in(self, password: str) -> httpx.Response:
        return self.ask("POST", "/v1/kronk/login", json={"password": password})


@pytest.fixture(scope="module")
def told(base: Path, first: Path) -> Iterator[dict[str, Any]]:
    """What a first server and the one after it came to; the second still runs."""
    found: dict[str, Any] = {}
    with running_server(base, {}, None, PROTECTED) as server:
        found["said"] = (base / "stdout.txt").read_text()
        found["mode"] = stat.S_IMODE(first.stat().st_mode)
        found["password"] = first.read_text().strip()
        browser = Browser(server)
        found["without"] = browser.ask("POST", RELOAD).status_code
        found["wrong"] = browser.log_in("wrong horse battery").status_code
        found["first after a wrong one"] = first.exists()
        found["login"] = browser.log_in(found["password"]).status_code
        found["with"] = browser.ask("POST", RELOAD).status_code
        browser.ask("POST", "/v1/kronk/logout")
        found["logged out"] = browser.ask("POST", RELOAD).status_code
        again = browser.log_in(found["password"])
        found["set-cookie"] = again.headers["set-cookie"]
        assert server.alarms() == []
    with running_server(base, {}, None, PROTECTED) as server:
        found["said again"] = (base / "stdout.txt").read_text()
        yield found | {"server": server, "browser": Browser(server, browser.cookies)}


def test_the_first_password_is_in_a_file_whose_path_is_said(
    told: dict[str, Any], first: Path
) -> None:
    assert str(first) in told["said"] and told["password"] not in told["said"]
    assert told["mode"] == 0o600
    assert told["first after a wrong one"] is True


def test_who_logs_in_with_it_administers_until_he_logs_out(
    told: dict[str, Any], first: Path
) -> None:
    steps = ("without", "wrong", "login", "with", "logged out")
    assert [told[step] for step in steps] == [401, 401, 200, 200, 401]
    assert not first.exists()
    assert "HttpOnly" in told["set-cookie"] and "SameSite=strict" in told["set-cookie"]


def test_a_restart_keeps_the_session_and_the_password(told: dict[str, Any]) -> None:
    assert "first-password" not in told["said again"]
    assert told["browser"].ask("POST", RELOAD).status_code == 200
    page = told["browser"].ask("GET", "/").text
    assert told["password"] not in page


def test_the_audit_log_is_read_by_cookie_by_token_and_from_the_file(
    told: dict[str, Any], base: Path
) -> None:
    server: Server = told["server"]
    by_cookie = told["browser"].ask("GET", f"{AUDIT}?limit=1000").json()["data"]
    token = (base / "keys" / "master.jwt").read_text().strip()
    command = [KRONK, "security", "audit", "-n", "1000", "--json", f"--base-path={base}"]
    done = subprocess.run(
        command,
        env=environment(server.mark) | {"KRONK_TOKEN": token},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    by_token = json.loads(done.stdout)
    local = json.loads(kronk(*command[1:], "--local").stdout)
    assert by_cookie[::-1] == by_token == local
    actions = [(row["action"], row["result"]) for row in local]
    assert actions[:6] == [
        ("reload", "refused"),
        ("login", "refused"),
        ("login", "done"),
        ("reload", "done"),
        ("logout", "done"),
        ("reload", "refused"),
    ]
    table = kronk("security", "audit", "--local", f"--base-path={base}").stdout.splitlines()
    assert table[0].split() == ["TIME", "WHO", "FROM", "ACTION", "TARGET", "RESULT"]
    assert "admin (session)" in table[3] and "127.0.0.1" in table[3]


def test_a_reset_on_the_machine_ends_the_session_at_once(told: dict[str, Any], base: Path) -> None:
    browser: Browser = told["browser"]
    assert browser.ask("POST", RELOAD).status_code == 200
    done = kronk("security", "password", "reset", "--local", f"--base-path={base}")
    assert done.returncode == 0, done.stderr
    made, ended = done.stdout.splitlines()
    assert ended == "all sessions have ended"
    assert browser.ask("POST", RELOAD).status_code == 401
    assert browser.log_in(told["password"]).status_code == 401
    assert browser.log_in(made).status_code == 200
    assert browser.ask("POST", RELOAD).status_code == 200

    def changes() -> list[Any]:
        rows = browser.ask("GET", AUDIT).json()["data"]
        return [row for row in rows if row["action"] == "change_password"]

    [change] = wait_until(changes, "the command's line")
    assert (change["via"], change["client"], change["result"]) == ("local", None, "done")
    secrets = [told["password"], made, *browser.cookies.values()]
    for path in (base / "logs").iterdir():
        text = path.read_text(errors="replace")
        assert not [secret for secret in secrets if secret in text], path
    assert stat.S_IMODE(os.stat(base / "logs" / "audit.jsonl").st_mode) == 0o600
