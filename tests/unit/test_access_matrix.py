"""Who may do what: every route that exists, in every mode, for every kind of caller."""

from __future__ import annotations

import asyncio
import dataclasses
import re
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, get_args

import pytest
from starlette.types import Message, Scope

from harness.access_table import BAD, KINDS, MAY, NOTHING, combinations, identity, status
from harness.routes import served
from kronk.gateway.access.control import AccessControl
from kronk.gateway.access.credentials import Credential
from kronk.gateway.access.policy.embedded import Embedded
from kronk.gateway.access.policy.policy import Policy
from kronk.gateway.access.router import gate_of
from kronk.gateway.access.rules import CLASSES, Access, Gate
from kronk.gateway.app import make_app
from kronk.gateway.middleware import Activity
from kronk.gateway.services import Services
from kronk.shared.errors import CallerError, Unauthenticated
from kronk.shared.security.identity import Identity
from kronk.shared.settings import Mode


class LetIn(CallerError):
    """Raised where a request has passed: nothing of its route is run."""

    status = 299


class Callers:
    """Knows the tokens of these tests, which are the names of kinds. What they grant depends on the
    route, so it is told which one is tried."""

    access: Access

    async def identify(self, credential: Credential) -> Identity:
        if credential.text in BAD:
            raise Unauthenticated(reason=credential.text)
        assert credential.kind == ("session" if credential.text == "session" else "token")
        return identity(credential.text.replace("_", " "), self.access)

    async def recheck(self, identity: Identity) -> None:
        raise AssertionError("nothing is done later here")


class Nobody:
    async def admit(self, identity: Identity, access: Access) -> Any:
        raise LetIn("let in")


class Unheard:
    def request_over(self, scope: Scope, record: Any) -> None:
        pass


class Gateway:
    """The application, of which only the decision is real."""

    def __init__(self) -> None:
        settings: Any = SimpleNamespace(cors_allowed_origins=(), mode="open")
        nothing: dict[str, Any] = dict.fromkeys(
            field.name for field in dataclasses.fields(Services)
        )
        some = {"settings": settings, "activity": Activity(), "audit": Unheard()}
        self.services = Services(**nothing | some)
        self.app = make_app(self.services)
        self.callers = Callers()
        self.source = Embedded()

    def enter(self, mode: Any) -> None:
        policy = Policy(mode, "kronk", self.source)
        access = AccessControl(mode, self.callers, policy, Nobody())
        self.app.state.services = dataclasses.replace(self.services, access=access)

    def gates(self) -> Iterator[tuple[str, str, Gate]]:
        for route in self.app.state.routes:
            gate = gate_of(route.endpoint)
            for method in route.methods:
                yield method, route.path, gate

    async def status(self, method: str, path: str, kind: str) -> int:
        found: list[int] = []

        async def receive() -> Message:
            raise AssertionError("the body is read before it is decided who may")

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                found.append(message["status"])

        await self.app(_scope(method, path, kind), receive, send)
        [answer] = found
        return answer


def _scope(method: str, path: str, kind: str) -> Scope:
    path = re.sub(r"\{[^}]*\}", "x", path)
    headers = [(b"host", b"localhost"), (b"content-type", b"application/json")]
    if kind == "session":
        headers.append((b"cookie", b"kronk_session=session"))
        headers.append((b"origin", b"http://localhost"))
    elif kind not in NOTHING:
        headers.append((b"authorization", b"Bearer " + kind.replace(" ", "_").encode()))
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 11435),
    }


@pytest.fixture(scope="module")
def gateway() -> Gateway:
    return Gateway()


def test_the_table_has_every_class_in_every_mode() -> None:
    assert set(MAY) == set(get_args(Mode))
    assert {frozenset(classes) for classes in MAY.values()} == {frozenset(CLASSES)}
    assert len(list(combinations())) == 4 * len(CLASSES) * len(KINDS)


def test_every_route_that_is_served_has_a_class(gateway: Gateway) -> None:
    """`gate_of` fails for one that has none."""
    gated = {(method, path) for method, path, _ in gateway.gates()}
    assert gated == served()
    for method, path, gate in gateway.gates():
        assert (gate.method, gate.path) == (method, path)


@pytest.mark.parametrize("mode", sorted(MAY))
def test_every_route_lets_in_whom_the_table_says_and_nobody_else(
    mode: str, gateway: Gateway
) -> None:
    async def run() -> dict[tuple[str, str, str], tuple[int, int]]:
        gateway.enter(mode)
        wrong = {}
        for method, path, gate in gateway.gates():
            gateway.callers.access = gate.access
            for kind in KINDS:
                expected = status(mode, gate.access.kind, kind)
                found = await gateway.status(method, path, kind)
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
        gateway.callers.access = gate.access
        return await gateway.status("HEAD", path, kind), await gateway.status("GET", path, kind)

    head, get = asyncio.run(run())
    assert head == get
