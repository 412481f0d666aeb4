"""Every route that takes the id of something stored: what is somebody else's is not there."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any, cast

import httpx
import openai
import pytest
from fastapi.routing import APIRoute

from harness.routes import PLAIN_ROUTES
from harness.subjects import ADMIN, ANN, ANONYMOUS, BOB
from kronk.gateway.access.auditing import AuditLog
from kronk.gateway.access.control import AccessControl
from kronk.gateway.access.credentials import Credential
from kronk.gateway.access.router import gate_of
from kronk.gateway.access.rules import Gate
from kronk.gateway.app import ROUTES, make_app
from kronk.gateway.batches.files import Files, StoredFile
from kronk.gateway.batches.makers import maker_of
from kronk.gateway.batches.names import BATCH, CONVERSATION, FILE, PROMPT, new_name
from kronk.gateway.batches.records import Batch, to_json
from kronk.gateway.batches.store import Batches
from kronk.gateway.dialects.responses.ids import RANDOM_BYTES, response_name
from kronk.gateway.dialects.responses.stored import Stored
from kronk.gateway.library.library import make_library
from kronk.gateway.library.prompt_requests import New as NewPrompt
from kronk.gateway.library.requests import New
from kronk.gateway.middleware import Activity
from kronk.gateway.operations import input_tokens_operation, responses_operation
from kronk.gateway.responses.store import ResponseStore
from kronk.gateway.services import Services
from kronk.gateway.telemetry.telemetry import Telemetry
from kronk.shared import settings
from kronk.shared.database import Database
from kronk.shared.errors import KronkError, PermissionDenied, Unauthenticated
from kronk.shared.security.grants import UNLIMITED, Grants
from kronk.shared.security.identity import Identity
from tests.fakes.access import Unlimited

CHAT = "/v1/chat/completions"
# May not chat.
CARL = Identity(
    "33333333-3333-4333-8333-333333333333",
    grants=Grants(dict.fromkeys(("batches", "embeddings"), UNLIMITED)),
)
TOKENS = {"ann": ANN, "bob": BOB, "carl": CARL, "admin": ADMIN}


class Known:
    """Tokens are names; who has one needs its grants."""

    async def identify(self, credential: Credential) -> Identity:
        return TOKENS[credential.text]

    async def recheck(self, identity: Identity) -> None:
        pass

    problem: str | None = None

    async def check(self, gate: Gate, identity: Identity, problem: Unauthenticated | None) -> None:
        if identity.is_limited and gate.access.endpoint not in identity.grants.endpoints:
            raise PermissionDenied("endpoint not authorized")


class Street:
    """A gateway in this process, without a supervisor, and what somebody has stored in it."""

    def __init__(self, folder: Path) -> None:
        self.settings = settings.resolve({"base_path": str(folder)}, {})
        base = self.settings.base
        self.database = Database(base.db)
        self.files = Files(base.files, self.database.table("files"))
        self.responses = ResponseStore(self.database, 0)
        self.batches = Batches(self.database.table("batches"), self.files)
        self.library = make_library(self.database)
        known = Known()
        nothing: dict[str, Any] = {field.name: None for field in fields(Services)}
        services = Services(
            **nothing
            | {
                "settings": self.settings,
                "base": base,
                "activity": Activity(),
                "telemetry": Telemetry(),
                "audit": AuditLog(base),
                "database": self.database,
                "responses": self.responses,
                "files": self.files,
                "batches": self.batches,
                "library": self.library,
                "access": AccessControl("management", known, known, Unlimited()),
            }
        )
        self.app = make_app(services)
        self._count = 0

    def client(self, token: str | None) -> httpx.AsyncClient:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        transport = httpx.ASGITransport(self.app)
        return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", headers=headers)

    def ask(self, token: str | None, method: str, path: str, **more: Any) -> httpx.Response:
        async def send() -> httpx.Response:
            async with self.client(token) as client:
                return await client.request(method, path, **more)

        return asyncio.run(send())

    # What is stored, and names of the same form that nothing has.

    def response(self, owner: Identity) -> str:
        name = self.no_response()
        item = {"id": name.replace("resp_", "msg_") + "0000", "type": "message", "role": "user"}
        item["content"] = cast(Any, [{"type": "input_text", "text": "a secret"}])
        answer = {"id": name, "output": [], "object": "response"}
        asyncio.run(self.responses.of(owner).put(Stored(answer, [item], 10)))
        return name

    def conversation(self, owner: Identity) -> str:
        document = {"version": 1, "head": None, "nodes": {}, "settings": {"x": "a secret"}}
        return self.library.conversations.of(owner).create(New(document)).id

    def prompt(self, owner: Identity) -> str:
        return self.library.prompts.of(owner).create(NewPrompt("a secret", "a secret")).id

    def no_response(self) -> str:
        self._count += 1
        return response_name(1_700_000_000, self._count.to_bytes(RANDOM_BYTES))

    def file(self, owner: Identity) -> str:
        draft = self.files.draft()
        draft.write(b"a secret")
        draft.sync()
        self.files.add(StoredFile(draft.id, 8, 900, "a", "batch", None, owner.subject))
        draft.close()
        return draft.id

    def batch(self, owner: Identity) -> str:
        made = Batch(
            new_name(BATCH),
            CHAT,
            self.file(owner),
            "24h",
            900,
            10**10,
            new_name(FILE),
            new_name(FILE),
            made_by=maker_of(owner),
        )
        self.database.table("batches").put(made.id, to_json(made))
        return made.id


# What a route's parameter names: how to make one, and a name of one that is not there.
OWNED: dict[str, tuple[Callable[[Street, Identity], str], Callable[[Street], str]]] = {
    "response_id": (Street.response, Street.no_response),
    "file_id": (Street.file, lambda street: new_name(FILE)),
    "batch_id": (Street.batch, lambda street: new_name(BATCH)),
    "prompt_id": (Street.prompt, lambda street: new_name(PROMPT)),
    "conversation_id": (Street.conversation, lambda street: new_name(CONVERSATION)),
}


def routes_with_ids() -> list[tuple[str, str]]:
    """Method and path of each that a subject without further rights reaches, and that has a
    parameter. Whoever adds one says here whose the thing is that it names."""
    served = [route for part in ROUTES for route in part.router.routes]
    gates = [gate_of(route.endpoint) for route in served if isinstance(route, APIRoute)]
    return [
        (gate.method, gate.path)
        for gate in gates
        if gate.access.kind == "inference" and "{" in gate.path
    ]


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Street]:
    street = Street(tmp_path_factory.mktemp("street"))
    yield street
    street.database.close()


def told(answer: httpx.Response, name: str) -> tuple[int, bytes, list[tuple[str, str]]]:
    """All of an answer but the ids of request and thing."""
    headers = [pair for pair in answer.headers.items() if "request-id" not in pair[0]]
    return answer.status_code, answer.content.replace(name.encode(), b"ID"), sorted(headers)


def test_each_route_with_an_id_is_known_to_these_tests() -> None:
    paths = {path for _, path in routes_with_ids()}
    assert {path.partition("{")[2].partition("}")[0] for path in paths} == set(OWNED)
    # The tables of all routes have them all, too.
    assert paths <= {route.path for route in PLAIN_ROUTES if route.missing}


@pytest.mark.parametrize(("method", "path"), routes_with_ids())
def test_what_is_somebody_elses_is_not_there_byte_for_byte(
    street: Street, method: str, path: str
) -> None:
    parameter = path.partition("{")[2].partition("}")[0]
    make, invent = OWNED[parameter]
    name, nowhere = make(street, ANN), invent(street)
    url = path.replace(f"{{{parameter}}}", "NAME")
    for stranger in ("bob", None):
        mine = street.ask(stranger, method, url.replace("NAME", name))
        none = street.ask(stranger, method, url.replace("NAME", nowhere))
        assert mine.status_code == 404
        assert told(mine, name) == told(none, nowhere)
    # Not because it is not there: those who may see it are told something else.
    for friend in ("admin", "ann"):
        name = make(street, ANN)
        assert street.ask(friend, method, url.replace("NAME", name)).status_code != 404


@pytest.mark.parametrize(("method", "path"), routes_with_ids())
def test_what_nobody_in_particular_has_stored_is_not_for_those_with_a_name(
    street: Street, method: str, path: str
) -> None:
    parameter = path.partition("{")[2].partition("}")[0]
    make, _ = OWNED[parameter]
    for who, is_there in (("ann", False), (None, True), ("admin", True)):
        url = path.replace(f"{{{parameter}}}", make(street, ANONYMOUS))
        assert (street.ask(who, method, url).status_code != 404) is is_there


@pytest.mark.parametrize("field", ["previous_response_id", "item_reference"])
@pytest.mark.parametrize("route", ["/v1/responses", "/v1/responses/input_tokens"])
def test_the_response_of_another_cannot_be_continued(
    street: Street, route: str, field: str
) -> None:
    name, nowhere = street.response(ANN), street.no_response()

    def body(response: str) -> dict[str, Any]:
        if field == "previous_response_id":
            return {"model": "tiny", "input": "go on", field: response}
        reference = response.replace("resp_", "msg_") + "0000"
        return {"model": "tiny", "input": [{"type": field, "id": reference}]}

    def core(answer: httpx.Response, response: str) -> Any:
        return told(answer, response.removeprefix("resp_"))

    mine = street.ask("bob", "POST", route, json=body(name))
    none = street.ask("bob", "POST", route, json=body(nowhere))
    assert mine.status_code in (400, 404)
    assert core(mine, name) == core(none, nowhere)
    makers: dict[str, Callable[..., Any]] = {
        "/v1/responses": responses_operation,
        "/v1/responses/input_tokens": input_tokens_operation,
    }
    for identity, is_found in ((ANN, True), (ADMIN, True), (BOB, False)):
        parse = partial(makers[route], json.dumps(body(name)).encode())
        try:
            operation = parse(store=street.responses.of(identity))
        except KronkError:
            assert not is_found
        else:
            assert is_found
            assert "a secret" in str(operation.jobs[0].ask)


def test_the_file_of_another_is_no_batchs_input(street: Street) -> None:
    name, nowhere = street.file(ANN), new_name(FILE)

    def submit(who: str, file: str) -> httpx.Response:
        body = {"input_file_id": file, "endpoint": CHAT, "completion_window": "24h"}
        return street.ask(who, "POST", "/v1/batches", json=body)

    mine, none = submit("bob", name), submit("bob", nowhere)
    assert mine.status_code == 404
    assert told(mine, name) == told(none, nowhere)
    assert submit("ann", name).status_code == 200


def test_a_batch_needs_the_grant_of_its_endpoint_before_its_file_is_looked_for(
    street: Street,
) -> None:
    def submit(file: str, endpoint: str) -> httpx.Response:
        body = {"input_file_id": file, "endpoint": endpoint, "completion_window": "24h"}
        return street.ask("carl", "POST", "/v1/batches", json=body)

    told = {submit(file, CHAT).text for file in (street.file(CARL), street.file(ANN), "file-x")}
    assert [json.loads(text)["error"]["code"] for text in told] == ["permission_denied"]
    assert submit(street.file(CARL), "/v1/embeddings").status_code == 200


@pytest.mark.parametrize(
    ("path", "make"), [("/v1/files", Street.file), ("/v1/batches", Street.batch)]
)
def test_lists_have_ones_own_and_their_cursors_tell_nothing(
    street: Street, path: str, make: Callable[[Street, Identity], str]
) -> None:
    anns, bobs, nobodys = make(street, ANN), make(street, BOB), make(street, ANONYMOUS)

    def ids(who: str | None, **query: Any) -> set[str]:
        answer = street.ask(who, "GET", path, params=query)
        assert answer.status_code == 200
        return {one["id"] for one in answer.json()["data"]}

    # Batches have files of their own.
    for who, own in (("ann", anns), ("bob", bobs), (None, nobodys)):
        assert ids(who) & {anns, bobs, nobodys} == {own}
    assert ids("admin") >= {anns, bobs, nobodys}
    for order in ("asc", "desc"):
        for limit in (1, 2, 20):
            query = {"limit": limit, "order": order, "after": anns}
            with_anns = street.ask("bob", "GET", path, params=query)
            street_without = street.ask("bob", "GET", path, params=query | {"after": near(anns)})
            assert told(with_anns, anns) == told(street_without, near(anns))


def near(name: str) -> str:
    """A name of the same moment that nothing has."""
    return name[:-1] + ("0" if name[-1] != "0" else "1")


def test_a_file_that_an_administrators_batch_reads_does_not_tell_its_name(street: Street) -> None:
    file = street.file(ANN)
    body = {"input_file_id": file, "endpoint": CHAT, "completion_window": "24h"}
    made = street.ask("admin", "POST", "/v1/batches", json=body).json()["id"]
    refused = street.ask("ann", "DELETE", f"/v1/files/{file}")
    assert (refused.status_code, made in refused.text) == (409, False)
    assert made in street.ask("admin", "DELETE", f"/v1/files/{file}").text


def test_what_one_uploads_another_does_not_list_with_the_official_client(street: Street) -> None:
    async def both() -> None:
        def client(token: str) -> openai.AsyncOpenAI:
            http = httpx.AsyncClient(transport=httpx.ASGITransport(street.app))
            return openai.AsyncOpenAI(
                base_url="http://127.0.0.1/v1", api_key=token, http_client=http, max_retries=0
            )

        async with client("ann") as ann, client("bob") as bob:
            file = await ann.files.create(file=("in.jsonl", b"{}\n"), purpose="batch")
            batch = await ann.batches.create(
                input_file_id=file.id, endpoint=CHAT, completion_window="24h"
            )
            for client_of, is_there in ((ann, True), (bob, False)):
                files = [one.id async for one in client_of.files.list()]
                batches = [one.id async for one in client_of.batches.list()]
                assert (file.id in files, batch.id in batches) == (is_there, is_there)
            calls: list[Callable[[], Awaitable[Any]]] = [
                partial(bob.files.retrieve, file.id),
                partial(bob.files.content, file.id),
                partial(bob.files.delete, file.id),
                partial(bob.batches.retrieve, batch.id),
                partial(bob.batches.cancel, batch.id),
            ]
            for call in calls:
                with pytest.raises(openai.NotFoundError):
                    await call()

    asyncio.run(both())
