"""What a browser is let do: the login, its cookie, pages of others, and the line in the audit log.

The application is real, in this process; models and supervisor are not there.
"""

from __future__ import annotations

import asyncio
import dataclasses
import re
import shutil
import time
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from kronk.gateway import site
from kronk.gateway.access import sessions as rules
from kronk.gateway.access.attempts import FREE, FREE_TOGETHER
from kronk.gateway.access.auditing import AuditLog
from kronk.gateway.access.build import make_access
from kronk.gateway.access.credentials import Credential
from kronk.gateway.access.logins import Logins
from kronk.gateway.access.sessions import Sessions
from kronk.gateway.app import make_app
from kronk.gateway.middleware import Activity
from kronk.gateway.services import Services
from kronk.gateway.telemetry.telemetry import Telemetry
from kronk.shared import settings
from kronk.shared.database import Database
from kronk.shared.errors import Unauthenticated
from kronk.shared.security import audit, password
from kronk.shared.security.audit import Entry
from kronk.shared.security.keys import Keyring
from kronk.shared.security.password import Cost, Watched

RIGHT, WRONG = "correct horse battery", "wrong horse battery"
CHEAP = Cost(n=16, r=1, p=1)
LOGIN, LOGOUT, SESSION = "/v1/kronk/login", "/v1/kronk/logout", "/v1/kronk/session"
PASSWORD, AUDIT = "/v1/kronk/security/password", "/v1/kronk/security/audit"
HOST = "http://127.0.0.1:8080"


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keys of tokens, which take time to make: the same for all tests of this file."""
    folder = tmp_path_factory.mktemp("made") / "keys"
    Keyring(folder).ensure("kronk", time.time())
    return folder


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(password, "USUAL", CHEAP)


@pytest.fixture
def folder(tmp_path: Path, keys: Path) -> Path:
    """A base path that has them."""
    shutil.copytree(keys, tmp_path / "keys")
    return tmp_path


class House:
    """A gateway's application on a base path, which it can be made anew on."""

    def __init__(self, base: Path, mode: str = "protected") -> None:
        self.clock = Clock()
        self.settings = settings.resolve({"base_path": str(base), "auth_mode": mode}, {})
        self.base = self.settings.base
        self.begin()

    def begin(self) -> None:
        self.database = Database(self.base.db)
        self.access = make_access(self.settings, self.database)
        sessions = Sessions(
            self.database.table("sessions"), Watched(self.base.keys), clock=self.clock
        )
        # The one that decides is told the time, too.
        cast(Any, self.access.control)._authenticator._sessions = sessions
        self.sessions = sessions
        nothing: dict[str, Any] = dict.fromkeys(
            field.name for field in dataclasses.fields(Services)
        )
        some = {
            "settings": self.settings,
            "base": self.base,
            "activity": Activity(),
            "telemetry": Telemetry(),
            "database": self.database,
            "access": self.access.control,
            "sessions": sessions,
            "logins": Logins(self.database.table("logins"), sessions, clock=self.clock),
            "audit": AuditLog(self.base, clock=self.clock),
        }
        self.services = Services(**nothing | some)
        self.app = make_app(self.services)

    def end(self) -> None:
        self.services.audit.flush()
        asyncio.run(self.access.close())
        self.database.close()

    def ask(
        self,
        method: str,
        path: str,
        *,
        host: str = HOST,
        client: str = "192.0.2.1",
        cookie: str | None = None,
        origin: str | None = HOST,
        headers: dict[str, str] | None = None,
        **more: Any,
    ) -> httpx.Response:
        sent = {"origin": origin} if origin is not None else {}
        if cookie is not None:
            sent["cookie"] = cookie

        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, client=(client, 5))
            async with httpx.AsyncClient(transport=transport, base_url=host) as browser:
                return await browser.request(method, path, headers=sent | (headers or {}), **more)

        return asyncio.run(send())

    def log_in(self, text: str = RIGHT, **more: Any) -> httpx.Response:
        return self.ask("POST", LOGIN, json={"password": text}, **more)

    def cookie(self) -> str:
        answer = self.log_in()
        assert answer.status_code == 200, answer.text
        return answer.headers["set-cookie"].partition(";")[0]

    def is_in(self, cookie: str) -> bool:
        return self.ask("GET", AUDIT, cookie=cookie).status_code == 200

    def audited(self) -> list[Entry]:
        """The latest first."""
        self.services.audit.flush()
        return audit.read(self.base, 1000)[0]


@pytest.fixture
def house(folder: Path) -> Any:
    house = House(folder)
    password.change(house.base.keys, RIGHT, CHEAP)
    yield house
    house.end()


# The session.


def test_who_logs_in_is_an_administrator_until_he_logs_out(house: House) -> None:
    assert house.ask("GET", AUDIT).status_code == 401
    answer = house.log_in()
    assert answer.status_code == 200
    body = answer.json()
    assert body["user"] == {
        "subject": rules.ADMIN.subject,
        "name": "admin",
        "admin": True,
        "via": "session",
    }
    assert body["expires"] == int(house.clock.now + rules.IDLE)
    cookie = answer.headers["set-cookie"].partition(";")[0]
    assert house.is_in(cookie)
    assert house.ask("GET", SESSION, cookie=cookie).json() == body
    left = house.ask("POST", LOGOUT, cookie=cookie)
    assert left.status_code == 200 and left.json()["user"] is None
    assert "Max-Age=0" in left.headers["set-cookie"]
    assert not house.is_in(cookie)
    # What is over is over: the cookie of an old page is nobody's.
    assert house.ask("GET", SESSION, cookie=cookie).json()["user"] is None
    assert house.ask("POST", LOGOUT, cookie=cookie).status_code == 200


def test_the_cookie_is_for_this_server_and_not_for_scripts(house: House) -> None:
    attributes = house.log_in().headers["set-cookie"].split("; ")
    assert re.fullmatch(r"kronk_session=[\w-]{43}", attributes[0])
    assert set(attributes[1:]) == {"HttpOnly", "Max-Age=43200", "Path=/", "SameSite=strict"}


def test_over_tls_the_cookie_is_bound_to_the_host(house: House) -> None:
    host = "https://127.0.0.1:8080"
    attributes = house.log_in(host=host, origin=host).headers["set-cookie"].split("; ")
    assert attributes[0].startswith("__Host-kronk_session=")
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=strict"} <= set(attributes)
    assert not [one for one in attributes if one.startswith("Domain")]
    assert house.ask("GET", AUDIT, host=host, cookie=attributes[0]).status_code == 200


def test_the_database_has_no_cookie(house: House) -> None:
    value = house.cookie().partition("=")[2]
    [(key, record)] = list(house.database.table("sessions").items())
    assert value not in f"{key} {record}" and re.fullmatch(r"[0-9a-f]{64}", key)


def test_a_session_outlives_the_process(house: House) -> None:
    cookie = house.cookie()
    house.end()
    house.begin()
    assert house.is_in(cookie)


def test_a_session_ends_when_it_was_not_used(house: House) -> None:
    cookie = house.cookie()
    house.clock.now += rules.IDLE - 1
    assert house.is_in(cookie)
    house.clock.now += rules.IDLE - 1
    assert house.is_in(cookie)
    house.clock.now += rules.IDLE + 1
    assert not house.is_in(cookie)


def test_a_session_ends_however_much_it_is_used(house: House) -> None:
    cookie = house.cookie()
    for _ in range(11):
        house.clock.now += 3600
        assert house.is_in(cookie)
    house.clock.now += 3600
    assert not house.is_in(cookie)


def test_what_runs_for_a_session_may_go_on_until_somebody_ends_it(house: House) -> None:
    known = cast(Any, house.access.control)._authenticator
    value = house.cookie().partition("=")[2]
    identity = asyncio.run(known.identify(Credential("session", value)))
    house.clock.now += rules.LIFETIME + 1
    asyncio.run(known.recheck(identity))
    asyncio.run(house.sessions.end(value))
    with pytest.raises(Unauthenticated, match="the session was ended"):
        asyncio.run(known.recheck(identity))


def test_sessions_that_are_over_are_cleared_away_and_the_others_bounded(house: House) -> None:
    first = house.cookie()
    house.clock.now += rules.LIFETIME + 1
    cookies = [asyncio.run(house.sessions.begin(_id(house))) for _ in range(105)]
    assert len(list(house.database.table("sessions").names())) == 100
    assert not house.is_in(first)
    assert house.sessions.find(cookies[-1]) is not None


def test_another_password_ends_all_sessions_at_once(house: House) -> None:
    cookie = house.cookie()
    password.change(house.base.keys, "battery staple!", CHEAP)
    assert not house.is_in(cookie)
    assert house.log_in().status_code == 401
    assert house.log_in("battery staple!").status_code == 200


@pytest.mark.parametrize("value", ["", "x", "x" * 4000, "\x7f", "../../etc", "\xff"])
def test_what_is_no_session_is_nobodys(house: House, value: str) -> None:
    cookie = f"kronk_session={value}".encode("latin-1")
    answer = house.ask("GET", AUDIT, headers=cast(Any, {"cookie": cookie}))
    assert answer.status_code == 401
    assert "www-authenticate" in answer.headers


def test_a_token_goes_before_the_cookie(house: House) -> None:
    cookie = house.cookie()
    bad = {"authorization": "Bearer nonsense"}
    assert house.ask("GET", AUDIT, cookie=cookie, headers=bad).status_code == 401
    assert house.ask("GET", SESSION, cookie=cookie, headers=bad).json()["user"] is None
    master = (house.base.keys / "master.jwt").read_text().strip()
    good = {"authorization": f"Bearer {master}"}
    told = house.ask("GET", SESSION, cookie="kronk_session=x", headers=good).json()
    assert told["user"]["via"] == "token" and told["user"]["admin"] is True
    # With a token no page of ours is needed.
    answer = house.ask("POST", PASSWORD, origin=None, json={"password": RIGHT}, headers=good)
    assert answer.status_code == 200


def test_everybody_may_ask_who_he_is(house: House) -> None:
    assert house.ask("GET", SESSION).json() == {
        "object": "kronk.session",
        "mode": "protected",
        "login": True,
        "user": None,
        "expires": None,
    }


# Pages of others.


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        (HOST, HOST, 200),
        ("http://localhost", "http://localhost", 200),
        ("http://127.0.0.1:80", "http://127.0.0.1", 200),
        ("http://LocalHost:8080", "http://localhost:8080", 200),
        (HOST, None, 403),
        (HOST, "null", 403),
        (HOST, "", 403),
        (HOST, "http://127.0.0.1:3000", 403),
        (HOST, "https://127.0.0.1:8080", 403),
        (HOST, "http://localhost:8080", 403),
        (HOST, "http://evil.example", 403),
        (HOST, "http://127.0.0.1:8080.evil.example", 403),
    ],
)
def test_a_session_changes_things_from_our_own_pages_only(
    house: House, host: str, origin: str | None, status: int
) -> None:
    cookie = house.cookie()
    answer = house.ask(
        "POST", PASSWORD, host=host, origin=origin, cookie=cookie, json={"password": RIGHT}
    )
    assert answer.status_code == status, answer.text
    if status == 403:
        assert answer.json()["error"]["code"] == "permission_denied"
        # And it looks at things from wherever it is let.
        assert house.is_in(cookie)


def test_two_origins_are_none(house: House) -> None:
    cookie = house.cookie()

    async def send() -> int:
        transport = httpx.ASGITransport(house.app)
        async with httpx.AsyncClient(transport=transport, base_url=HOST) as browser:
            headers = [("origin", HOST), ("origin", HOST), ("cookie", cookie)]
            answer = await browser.post(PASSWORD, headers=headers, json={"password": RIGHT})
            return answer.status_code

    assert asyncio.run(send()) == 403


def test_another_page_cannot_log_anybody_out_or_in(house: House) -> None:
    cookie = house.cookie()
    evil = "http://127.0.0.1:3000"
    assert house.ask("POST", LOGOUT, cookie=cookie, origin=evil).status_code == 403
    assert house.is_in(cookie)
    assert house.log_in(origin=evil).status_code == 403
    # A program has no origin, and a form cannot say that it is JSON.
    assert house.log_in(origin=None).status_code == 200
    body = b'{"password": "correct horse battery"}'
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        answer = house.ask("POST", LOGIN, content=body, headers={"content-type": kind})
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, "Content-Type")


# Guessing.


def test_a_wrong_password_and_none_are_told_in_the_same_words(folder: Path) -> None:
    house = House(folder)
    none = house.log_in()
    password.change(house.base.keys, RIGHT, CHEAP)
    wrong = house.log_in(WRONG)
    assert none.status_code == wrong.status_code == 401
    assert none.json() == wrong.json()
    assert wrong.json()["error"]["message"] == "wrong password"
    assert "set-cookie" not in wrong.headers
    house.end()


def test_after_some_failures_one_has_to_wait_even_over_a_restart(house: House) -> None:
    for _ in range(FREE):
        assert house.log_in(WRONG).status_code == 401
    refused = house.log_in()
    assert refused.status_code == 429 and refused.headers["retry-after"] == "60"
    assert refused.json()["error"]["message"] == "too many failed logins; try again in 1m"
    house.end()
    house.begin()
    assert house.log_in().status_code == 429
    assert house.log_in(client="192.0.2.2").status_code == 200
    house.clock.now += 60
    assert house.log_in().status_code == 200
    assert house.log_in(WRONG).status_code == 401


def test_a_new_password_forgets_the_failures(house: House) -> None:
    for _ in range(FREE + 1):
        house.log_in(WRONG)
    password.change(house.base.keys, "battery staple!", CHEAP)
    assert house.log_in("battery staple!").status_code == 200


def test_many_at_once_have_no_more_tries_than_one_after_the_other(house: House) -> None:
    async def flood() -> list[int]:
        transport = httpx.ASGITransport(house.app, client=("192.0.2.1", 5))
        async with httpx.AsyncClient(transport=transport, base_url=HOST) as browser:
            asked = [browser.post(LOGIN, json={"password": WRONG}) for _ in range(40)]
            return [answer.status_code for answer in await asyncio.gather(*asked)]

    found = asyncio.run(flood())
    assert (found.count(401), found.count(429)) == (FREE, 40 - FREE)


def test_an_attacker_with_many_addresses_does_not_lock_the_operator_out(house: House) -> None:
    house.cookie()
    for number in range(FREE_TOGETHER):
        assert house.log_in(WRONG, client=f"198.51.100.{number}").status_code == 401
    assert house.log_in(WRONG, client="198.51.100.99").status_code == 429
    assert house.log_in().status_code == 200


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "password"),
        ({"password": 5}, "password"),
        ({"password": None}, "password"),
        ({"password": RIGHT, "remember": True}, "remember"),
        ({"password": "x" * 1025}, "password"),
    ],
)
def test_what_is_no_login_is_refused_and_counts_for_nothing(
    house: House, body: dict[str, Any], param: str
) -> None:
    for _ in range(FREE + 1):
        answer = house.ask("POST", LOGIN, json=body)
        assert answer.status_code == 400 and answer.json()["error"]["param"] == param
        assert "xxxx" not in answer.text
    assert house.log_in().status_code == 200


# Changing it.


def test_an_administrator_gets_a_new_password_and_is_logged_out(house: House) -> None:
    cookie = house.cookie()
    answer = house.ask("POST", PASSWORD, cookie=cookie, json={})
    assert answer.headers["cache-control"] == "no-store"
    made = answer.json()["password"]
    assert not house.is_in(cookie)
    assert house.log_in(made).status_code == 200


def test_a_password_that_is_chosen_is_not_told_and_not_too_short(house: House) -> None:
    cookie = house.cookie()
    refused = house.ask("POST", PASSWORD, cookie=cookie, json={"password": "short"})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "password")
    assert house.is_in(cookie)
    answer = house.ask("POST", PASSWORD, cookie=cookie, json={"password": "battery staple!"})
    assert answer.json() == {"object": "kronk.password", "password": None}
    assert house.log_in("battery staple!").status_code == 200


def test_the_first_login_takes_the_file_of_the_first_password_away(folder: Path) -> None:
    house = House(folder)
    made = password.ensure(house.base.keys, is_shown=False)
    assert made is not None
    house.log_in(WRONG)
    assert password.first_file(house.base.keys).exists()
    assert house.log_in(made).status_code == 200
    assert not password.first_file(house.base.keys).exists()
    house.end()


# The audit log.


def test_logins_and_changes_are_in_the_audit_log(house: House) -> None:
    house.log_in(WRONG)
    cookie = house.cookie()
    house.ask("POST", PASSWORD, cookie=cookie, json={"password": "short"})
    house.ask("POST", LOGOUT, cookie=cookie)
    told = [
        (entry.action, entry.result, entry.status, entry.code, entry.via, entry.name, entry.client)
        for entry in house.audited()[::-1]
    ]
    client = "192.0.2.1"
    assert told == [
        ("login", "refused", 401, "unauthenticated", "anonymous", None, client),
        ("login", "done", 200, None, "session", "admin", client),
        ("change_password", "failed", 400, "invalid_argument", "session", "admin", client),
        ("logout", "done", 200, None, "session", "admin", client),
    ]
    lines = house.base.audit_file.read_text()
    assert WRONG not in lines and RIGHT not in lines and cookie.partition("=")[2] not in lines


def test_administration_says_what_it_was_about_and_who_was_refused(house: House) -> None:
    house.ask("DELETE", "/v1/kronk/models/org/Tiny", origin=None)
    house.ask("GET", AUDIT, origin=None, headers={"x-request-id": "mine"})
    # What only reads, and what is for everybody, is nobody's business.
    house.ask("GET", "/v1/kronk/ps", origin=None)
    house.ask("GET", SESSION, cookie=house.cookie())
    house.ask("GET", AUDIT, cookie=house.cookie())
    house.ask("GET", "/nowhere")
    logins, rest = 2, [entry for entry in house.audited()[::-1] if entry.action != "login"]
    assert len(house.audited()) == len(rest) + logins
    assert [(entry.action, entry.route, entry.target, entry.status) for entry in rest] == [
        ("remove", "DELETE /v1/kronk/models/{model:path}", "org/Tiny", 401),
        ("read_audit", f"GET {AUDIT}", None, 401),
    ]
    assert {entry.result for entry in rest} == {"refused"}
    assert rest[1].request_id == "mine"


def test_who_is_refused_again_and_again_does_not_fill_the_disk(house: House) -> None:
    for _ in range(100):
        house.ask("DELETE", "/v1/kronk/models/Tiny", origin=None)
    assert len(house.audited()) == 20
    house.clock.now += 3.0
    house.ask("DELETE", "/v1/kronk/models/Tiny", origin=None)
    assert house.audited()[0].suppressed == 80
    # What is let in is written, however much was refused.
    house.clock.now += 0.5
    house.log_in()
    assert house.audited()[0].action == "login"


def test_the_audit_log_is_read_in_pages(house: House) -> None:
    cookie = house.cookie()
    for _ in range(5):
        house.ask("POST", PASSWORD, cookie=cookie, json={"password": "short"})
    first = house.ask("GET", f"{AUDIT}?limit=4", cookie=cookie).json()
    assert (len(first["data"]), first["has_more"]) == (4, True)
    rest = house.ask("GET", f"{AUDIT}?limit=4&after={first['data'][-1]['id']}", cookie=cookie)
    assert [row["action"] for row in rest.json()["data"]] == ["change_password", "login"]
    assert rest.json()["has_more"] is False
    wrong = house.ask("GET", f"{AUDIT}?limit=0", cookie=cookie)
    assert (wrong.status_code, wrong.json()["error"]["param"]) == (400, "limit")


def test_a_disk_that_is_no_use_holds_no_administrator_up(house: House) -> None:
    cookie = house.cookie()
    house.services.audit.flush()
    house.base.audit_file.unlink()
    house.base.audit_file.mkdir()
    answer = house.ask("POST", PASSWORD, cookie=cookie, json={"password": "battery staple!"})
    assert answer.status_code == 200
    house.services.audit.flush()
    assert house.base.audit_file.is_dir()
    assert house.log_in("battery staple!").status_code == 200


# Where nobody is asked.


def test_an_open_server_has_nothing_to_log_in_for(tmp_path: Path) -> None:
    house = House(tmp_path, "open")
    assert house.log_in().status_code == 409
    # Nor may whoever reaches it choose the password of the days when it is not open any more.
    assert house.ask("POST", PASSWORD, json={"password": RIGHT}).status_code == 409
    assert password.read(house.base.keys) is None
    told = house.ask("GET", SESSION).json()
    assert (told["mode"], told["login"], told["user"]["admin"]) == ("open", False, True)
    house.end()


# The page.


def test_the_page_tells_nothing_to_who_is_not_logged_in(house: House) -> None:
    answer = house.ask("GET", "/", origin=None)
    page, policy = answer.text, answer.headers["content-security-policy"]
    scripts = policy.partition("script-src ")[2].partition(";")[0]
    if site.index() is None:
        # The plain page's own script is what the policy allows: nothing else runs.
        assert '<form id="login"' in page and 'autocomplete="current-password"' in page
        assert "'sha256-" in scripts and "unsafe" not in policy
    else:
        assert scripts == "'self'" and "<script>" not in page
    assert not re.search(r"\son\w+=|\sstyle=|javascript:", page)
    assert "localStorage" not in page and "sessionStorage" not in page
    for path in ("/v1/models", "/v1/kronk/ps"):
        assert house.ask("GET", path, origin=None).status_code == 401


def _id(house: House) -> str:
    stored = password.read(house.base.keys)
    assert stored is not None
    return stored.id
