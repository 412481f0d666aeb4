"""Who may do what: every route that exists, in every mode, for every kind of caller."""

from __future__ import annotations

import asyncio
import dataclasses
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from starlette.types import Message, Scope

from harness.access_table import KINDS, MAY, NOTHING, combinations, identity, status
from harness.routes import WEBSOCKET, methods_of, served
from kronk.gateway.access.control import AccessControl
from kronk.gateway.access.known import Known, OwnTokens
from kronk.gateway.access.policy.embedded import Embedded
from kronk.gateway.access.policy.policy import Policy
from kronk.gateway.access.router import gate_of
from kronk.gateway.access.rules import CLASSES, Access, Gate
from kronk.gateway.access.sessions import Sessions
from kronk.gateway.app import make_app
from kronk.gateway.middleware import Activity
from kronk.gateway.services import Services
from kronk.gateway.telemetry.telemetry import Telemetry
from kronk.shared import settings
from kronk.shared.database import Database
from kronk.shared.errors import CallerError
from kronk.shared.paths import BasePath
from kronk.shared.security import password, tokens
from kronk.shared.security.identity import Identity
from kronk.shared.security.keys import Keyring
from kronk.shared.settings import Mode

ORIGIN = "http://127.0.0.1:11435"


class LetIn(CallerError):
    """Raised where a request has passed: nothing of its route is run."""

    status = 299


class Nobody:
    """Counts no calls, and writes nothing down."""

    async def admit(self, identity: Identity, access: Access, once: str | None = None) -> Any:
        raise LetIn("let in")

    def request_over(self, scope: Scope, record: Any) -> None:
        pass


class Callers:
    """Real tokens of every kind, and a real login."""

    def __init__(self, base: BasePath) -> None:
        self._keyring = Keyring(base.keys)
        self._keyring.ensure("kronk", time.time())
        self._revoked: set[str] = set()
        self._issued: dict[tuple[str, str | None], str] = {}
        password.change(base.keys, "a long password", password.Cost(n=16, p=1))
        sessions = Sessions(Database(base.db).table("sessions"), password.Watched(base.keys))
        stored = sessions.password.current()
        assert stored is not None
        self.cookie = asyncio.run(sessions.begin(stored.id))
        own = OwnTokens(self._keyring, "kronk", self._revoked.__contains__)
        self.known = Known(own, sessions)

    def headers(self, kind: str, access: Access) -> list[tuple[bytes, bytes]]:
        """What somebody of that kind sends to a route of that access."""
        if kind in NOTHING:
            return []
        if kind == "session":
            cookie = f"kronk_session={self.cookie}".encode()
            return [(b"cookie", cookie), (b"origin", ORIGIN.encode())]
        return [(b"authorization", f"Bearer {self._token(kind, access)}".encode())]

    def _token(self, kind: str, access: Access) -> str:
        key = (kind, access.endpoint)
        if key not in self._issued:
            self._issued[key] = "garbage" if kind == "garbage" else self._issue(kind, access)
        return self._issued[key]

    def _issue(self, kind: str, access: Access) -> str:
        # Those that are no good would be allowed everything if they were.
        now = time.time() - (7200 if kind == "expired" else 0)
        found = tokens.issue(
            self._keyring,
            "kronk",
            duration=3600,
            grants=identity(kind, access).grants,
            admin=kind in ("admin", "expired", "revoked"),
            now=now,
        )
        if kind == "revoked":
            self._revoked.add(found.claims.subject)
        return found.token


class Gateway:
    """The application, of which all that decides is real."""

    def __init__(self, folder: Path) -> None:
        values = settings.resolve({"base_path": str(folder)}, {})
        nobody: Any = Nobody()
        parts: dict[str, Any] = dict.fromkeys(field.name for field in dataclasses.fields(Services))
        parts |= {
            "settings": values,
            "activity": Activity(),
            "telemetry": Telemetry(),
            "audit": nobody,
        }
        self.services = Services(**parts)
        self.app = make_app(self.services)
        self.callers = Callers(values.base)
        self.source = Embedded()

    def enter(self, mode: Any) -> None:
        policy = Policy(mode, "kronk", self.source)
        access = AccessControl(mode, self.callers.known, policy, Nobody())
        self.app.state.services = dataclasses.replace(self.services, access=access)

    def gates(self) -> Iterator[tuple[str, str, Gate]]:
        for route in self.app.state.routes:
            gate = gate_of(route.endpoint)
            for method in methods_of(route):
                yield method, route.path, gate

    async def status(
        self,
        method: str,
        gate: Gate,
        kind: str,
        headers: list[tuple[bytes, bytes]] | None = None,
    ) -> int:
        found: list[int] = []

        async def receive() -> Message:
            raise AssertionError("the body is read before it is decided who may")

        async def send(message: Message) -> None:
            # A WebSocket is refused by an answer like any other's.
            if message["type"].endswith("http.response.start"):
                found.append(message["status"])

        if headers is None:
            headers = self.callers.headers(kind, gate.access)
        await self.app(_scope(method, gate.path, headers), receive, send)
        [answer] = found
        return answer


def _scope(method: str, path: str, headers: list[tuple[bytes, bytes]]) -> Scope:
    path = re.sub(r"\{[^}]*\}", "x", path)
    is_socket = method == WEBSOCKET
    return {
        "type": "websocket" if is_socket else "http",
        "subprotocols": [],
        "extensions": {"websocket.http.response": {}} if is_socket else {},
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "ws" if is_socket else "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", ORIGIN.removeprefix("http://").encode()), *headers],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 11435),
    }


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Gateway:
    return Gateway(tmp_path_factory.mktemp("gateway"))


def test_the_table_has_every_class_in_every_mode() -> None:
    assert set(MAY) == set(get_args(Mode))
    assert {frozenset(classes) for classes in MAY.values()} == {frozenset(CLASSES)}
    assert len(list(combinations())) == 4 * len(CLASSES) * len(KINDS)


def test_every_route_that_is_served_has_a_class(gateway: Gateway) -> None:
    """`gate_of` fails for one that has none."""
    gated = {(method, path) for method, path, _ in gateway.gates()}
    assert gated == served()
    for method, path, gate in gateway.gates():
        assert (gate.method, gate.path) == ("GET" if method == WEBSOCKET else method, path)


@pytest.mark.parametrize("mode", sorted(MAY))
def test_every_route_lets_in_whom_the_table_says_and_nobody_else(
    mode: str, gateway: Gateway
) -> None:
    async def run() -> dict[tuple[str, str, str], tuple[int, int]]:
        gateway.enter(mode)
        wrong = {}
        for method, path, gate in gateway.gates():
            for kind in KINDS:
                expected = status(mode, gate.access.kind, kind)
                found = await gateway.status(method, gate, kind)
                if found != (299 if expected == 200 else expected):
                    wrong[method, path, kind] = (expected, found)
        return wrong

    assert asyncio.run(run()) == {}


@pytest.mark.parametrize("kind", KINDS)
def test_asking_for_the_head_of_an_answer_is_asking_for_it(kind: str, gateway: Gateway) -> None:
    async def run() -> tuple[int, int]:
        gateway.enter("protected")
        path = "/v1/kronk/ps"
        [gate] = [gate for _, found, gate in gateway.gates() if found == path]
        return await gateway.status("HEAD", gate, kind), await gateway.status("GET", gate, kind)

    head, get = asyncio.run(run())
    assert head == get


@pytest.mark.parametrize(
    ("origin", "status"), [(ORIGIN, 299), ("http://127.0.0.1:9", 403), (None, 403)]
)
def test_a_login_opens_a_websocket_from_our_own_page_alone(
    origin: str | None, status: int, gateway: Gateway
) -> None:
    """Whatever `--cors-allowed-origins` says: a browser puts the cookie on anybody's."""

    async def run() -> int:
        gateway.enter("protected")
        [gate] = [gate for method, _, gate in gateway.gates() if method == WEBSOCKET]
        cookie = f"kronk_session={gateway.callers.cookie}".encode()
        headers = [(b"cookie", cookie), *([(b"origin", origin.encode())] if origin else [])]
        return await gateway.status(WEBSOCKET, gate, "session", headers)

    assert asyncio.run(run()) == status
