"""Keys and tokens by the API, in a gateway that asks for tokens with its real authenticator."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest

from fakes.access import Unlimited
from kronk.gateway.access import token_requests as forms
from kronk.gateway.access.auditing import AuditLog
from kronk.gateway.access.build import make_access, make_administration
from kronk.gateway.access.control import AccessControl
from kronk.gateway.access.credentials import Credential
from kronk.gateway.access.known import OwnTokens
from kronk.gateway.access.rules import Gate
from kronk.gateway.app import make_app
from kronk.gateway.middleware import Activity
from kronk.gateway.services import Services
from kronk.gateway.telemetry.telemetry import Telemetry
from kronk.shared import settings
from kronk.shared.database import Database
from kronk.shared.errors import PermissionDenied, Unauthenticated
from kronk.shared.security import audit
from kronk.shared.security.identity import Identity
from kronk.shared.security.keys import Keyring
from kronk.shared.security.registry import Registry

BASE = "/v1/kronk/security"
STRANGER = "00000000-0000-4000-8000-000000000000"


class Door:
    """Good tokens may do what is not administration."""

    def __init__(self, tokens: OwnTokens) -> None:
        self._tokens = tokens

    async def identify(self, credential: Credential) -> Identity:
        return await self._tokens.identify(credential.text)

    async def recheck(self, identity: Identity) -> None:
        raise AssertionError("nothing is left to be done here")

    problem: str | None = None

    async def check(self, gate: Gate, identity: Identity, problem: Unauthenticated | None) -> None:
        if problem or identity.subject is None:
            raise problem or Unauthenticated("unauthorized: no authorization header")
        if gate.access.kind == "administration" and not identity.admin:
            raise PermissionDenied("endpoint not authorized")


class House:
    """A gateway in this process, without a supervisor."""

    def __init__(self, folder: Path, **given: str) -> None:
        self.settings = settings.resolve({"base_path": str(folder), **given}, {})
        self.base = self.settings.base
        self.database = Database(self.base.db)
        self.keyring = Keyring(self.base.keys)
        self.keyring.ensure("kronk", time.time())
        door: Any = Door(OwnTokens(self.keyring, "kronk", Registry(self.database).is_revoked))
        self.audit = AuditLog(self.base)
        nothing: dict[str, Any] = {field.name: None for field in fields(Services)}
        some: dict[str, Any] = {
            "settings": self.settings,
            "base": self.base,
            "activity": Activity(),
            "telemetry": Telemetry(),
            "audit": self.audit,
            "database": self.database,
            "access": AccessControl(self.settings.mode, door, door, Unlimited()),
            "administration": make_administration(self.settings, self.database),
        }
        self.app = make_app(Services(**nothing | some))
        self.operator = self.keyring.admin_file.read_text().strip()

    def ask(
        self, method: str, path: str, body: Any = None, token: str | None = None
    ) -> httpx.Response:
        headers = {"authorization": f"Bearer {token or self.operator}"}

        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(
                transport=transport, base_url="http://127.0.0.1", headers=headers
            ) as client:
                return await client.request(method, f"{BASE}{path}", json=body)

        return asyncio.run(send())

    def good(self, method: str, path: str, schema: Any, body: Any = None) -> Any:
        answer = self.ask(method, path, body)
        assert answer.status_code == 200, answer.text
        jsonschema.validate(answer.json(), schema)
        return answer.json()

    def token(self, **more: Any) -> dict[str, Any]:
        wish = {"duration": "1h", "endpoints": ["rerank:5/day"], "name": "Anna"} | more
        return dict(self.good("POST", "/tokens", forms.CREATED, wish))


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    made = House(tmp_path_factory.mktemp("house"), auth_enabled="true")
    yield made
    made.database.close()


def test_keys_are_made_listed_and_deleted(house: House) -> None:
    before = house.good("GET", "/keys", forms.listed(forms.KEY))["data"]
    made = house.good("POST", "/keys", forms.KEY)
    listed = house.good("GET", "/keys", forms.listed(forms.KEY))["data"]
    assert listed == [before[0], made, *before[1:]] and before[0]["id"] == "master"
    house.good("DELETE", f"/keys/{made['id']}", forms.DELETED)
    assert house.ask("GET", "/keys").json()["data"] == before


@pytest.mark.parametrize(
    ("kid", "status", "param"),
    [("master", 400, "keyid"), (STRANGER, 404, "keyid"), ("..%2f..%2fetc", 404, None),
     ("a" * 3000, 404, "keyid"), ("master.pem", 404, "keyid"), ("%00", 404, "keyid")],
)  # fmt: skip
def test_what_is_no_key_to_be_deleted_is_said(
    house: House, kid: str, status: int, param: str | None
) -> None:
    before = house.keyring.list()
    answer = house.ask("DELETE", f"/keys/{kid}")
    assert (answer.status_code, answer.json()["error"]["param"]) == (status, param)
    assert house.keyring.list() == before


def test_a_token_is_told_once_and_works(house: House) -> None:
    made = house.token(models=["Qwen3-*"], tokens="1000/day", concurrency=2)
    answer = house.ask("GET", "/whoami", token=made["token"])
    assert answer.headers["cache-control"] == "no-store"
    jsonschema.validate(answer.json(), forms.WHO)
    assert answer.json() == {
        "object": "kronk.identity",
        "subject": made["subject"],
        "name": "Anna",
        "admin": False,
        "via": "token",
        "expires": made["expires"],
        "endpoints": {"rerank": {"limit": 5, "window": "day"}},
        "models": ["Qwen3-*"],
        "tokens": {"limit": 1000, "window": "day"},
        "concurrency": 2,
    }
    listing = house.ask("GET", "/tokens")
    jsonschema.validate(listing.json(), forms.TOKENS)
    (row,) = (row for row in listing.json()["data"] if row["subject"] == made["subject"])
    operator = house.ask("GET", "/whoami").json()["subject"]
    assert row["issued_by"] == f"master ({operator})" and made["token"] not in listing.text


def test_a_token_is_not_for_caches(house: House) -> None:
    wish = {"duration": "1h", "endpoints": ["rerank"]}
    assert house.ask("POST", "/tokens", wish).headers["cache-control"] == "no-store"


def test_a_revoked_token_is_worth_nothing_at_once(house: House) -> None:
    made = house.token()
    assert house.ask("GET", "/whoami", token=made["token"]).status_code == 200
    gone = house.good(
        "POST", "/tokens/revoke", forms.REVOKED, {"subject": made["subject"], "reason": "lost"}
    )
    assert (gone["reason"], gone["known"]) == ("lost", True)
    refused = house.ask("GET", "/whoami", token=made["token"])
    assert (refused.status_code, refused.json()["error"]["message"]) == (401, "invalid token")
    assert house.good("GET", "/revocations", forms.REVOCATIONS)["data"][0] == {
        name: gone[name] for name in gone if name not in ("known", "replaced")
    }
    seen = house.good("POST", "/tokens/inspect", forms.INSPECTION, {"token": made["token"]})
    assert (seen["good"], seen["reason"]) == (False, "revoked")


def test_a_deleted_key_ends_its_tokens_at_once(house: House) -> None:
    old = house.token()
    house.ask("POST", "/keys")
    new = house.token()
    house.ask("DELETE", f"/keys/{old['key']}")
    assert house.ask("GET", "/whoami", token=old["token"]).status_code == 401
    assert house.ask("GET", "/whoami", token=new["token"]).status_code == 200
    rows = house.good("GET", "/tokens", forms.TOKENS)["data"]
    states = {row["subject"]: row["state"] for row in rows}
    assert (states[old["subject"]], states[new["subject"]]) == ("without key", "good")


def test_one_may_revoke_oneself(house: House) -> None:
    token = house.token(admin=True, endpoints=None)["token"]
    assert house.ask("POST", "/tokens/revoke", {"token": token}, token).status_code == 200
    assert house.ask("GET", "/keys", token=token).status_code == 401


def test_an_operator_who_revokes_his_own_token_has_another_one(tmp_path: Path) -> None:
    house = House(tmp_path, auth_enabled="true")
    gone = house.good("POST", "/tokens/revoke", forms.REVOKED, {"token": house.operator})
    assert (gone["known"], gone["replaced"]) == (True, True)
    assert house.ask("GET", "/keys").status_code == 401
    other = house.keyring.admin_file.read_text().strip()
    assert house.ask("GET", "/keys", token=other).status_code == 200


def test_an_operators_token_that_was_revoked_is_made_anew_at_the_start(tmp_path: Path) -> None:
    house = House(tmp_path, auth_enabled="true")
    old = house.keyring.admin_file.read_bytes()
    house.ask("POST", "/tokens/revoke", {"token": house.operator})
    # As somebody does who brings a backup back.
    house.keyring.admin_file.write_bytes(old)
    house.database.close()
    again = House(tmp_path, auth_enabled="true")
    access = make_access(again.settings, again.database)
    access.limits.stop()
    other = again.keyring.admin_file.read_text().strip()
    assert again.ask("GET", "/keys", token=other).status_code == 200


def test_what_is_no_token_is_inspected_and_not_revoked(house: House) -> None:
    seen = house.good("POST", "/tokens/inspect", forms.INSPECTION, {"token": "nonsense"})
    assert seen == {
        "object": "kronk.inspection",
        "good": False,
        "reason": "not a token",
        "key": None,
        "claims": None,
    }
    answer = house.ask("POST", "/tokens/revoke", {"token": "a-secret.b.c"})
    assert answer.status_code == 400 and "a-secret" not in answer.text


def test_without_a_signing_key_the_remedy_is_said(house: House) -> None:
    for key in house.keyring.list()[1:]:
        house.keyring.delete(key.kid)
    answer = house.ask("POST", "/tokens", {"duration": "1h", "endpoints": ["rerank"]})
    assert answer.status_code == 409
    assert "kronk security key create" in answer.json()["error"]["message"]
    assert house.ask("POST", "/keys").status_code == 200
    house.token()


def test_the_settings_in_force_are_told_without_secrets(house: House) -> None:
    told = house.good("GET", "", forms.OVERVIEW)
    assert (told["mode"], told["keys_folder_fault"]) == ("protected", None)
    assert told["keys"] == len(house.keyring.list())
    assert told["policy_problem"] is None


def test_a_token_that_is_no_admins_administers_nothing(house: House) -> None:
    token = house.token()["token"]
    for method, path in (
        ("GET", ""), ("GET", "/keys"), ("POST", "/keys"), ("DELETE", f"/keys/{STRANGER}"),
        ("DELETE", "/keys/master"), ("GET", "/tokens"), ("POST", "/tokens"),
        ("POST", "/tokens/inspect"), ("POST", "/tokens/revoke"), ("GET", "/revocations"),
    ):  # fmt: skip
        assert house.ask(method, path, token=token).status_code == 403, path


def test_what_was_done_is_audited_with_its_target(house: House) -> None:
    key = house.ask("POST", "/keys").json()["id"]
    made = house.token()
    house.ask("POST", "/tokens/revoke", {"token": made["token"]})
    house.ask("DELETE", f"/keys/{key}")
    house.audit.flush()
    found, _ = audit.read(house.base, 3)
    assert [(each.action, each.target) for each in found] == [
        ("delete_key", key),
        ("revoke_token", made["subject"]),
        ("create_token", made["subject"]),
    ]
    assert {each.name for each in found} == {"master"}
    assert made["token"] not in house.base.audit_file.read_text()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"auth_mode": "open"}, "use --local"),
        ({"auth_host": "https://other.example:8080", "auth_token": "t"}, "https://other.example"),
    ],
)
def test_keys_and_tokens_are_not_made_where_they_mean_nothing(
    tmp_path: Path, given: dict[str, str], said: str
) -> None:
    house = House(tmp_path, **given)
    for method, path, body in (
        ("GET", "/keys", None),
        ("POST", "/keys", None),
        ("DELETE", f"/keys/{STRANGER}", None),
        ("GET", "/tokens", None),
        ("POST", "/tokens", {"duration": "1h", "admin": True}),
        ("POST", "/tokens/revoke", {"subject": STRANGER}),
        ("GET", "/revocations", None),
    ):
        answer = house.ask(method, path, body)
        assert answer.status_code == 409, path
        assert said in answer.json()["error"]["message"]
    assert len(house.keyring.list()) == 2
    house.database.close()
