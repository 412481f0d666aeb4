"""What is stored belongs to somebody, and is not there for anybody else."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute

from harness.subjects import ADMIN, ANN, ANONYMOUS, BOB, EVERYBODY, OPEN
from kronk.gateway.access.router import gate_of
from kronk.gateway.app import ROUTES
from kronk.gateway.batches import shares
from kronk.gateway.batches import store as batches_module
from kronk.gateway.batches.endpoints import GATES
from kronk.gateway.batches.files import Files, StoredFile
from kronk.gateway.batches.makers import NOBODY, from_json, identity_of, maker_of
from kronk.gateway.batches.names import BATCH, FILE, new_name
from kronk.gateway.batches.records import Batch, Status, to_json
from kronk.gateway.batches.requests import ENDPOINTS as BATCHED
from kronk.gateway.batches.requests import BatchRequest
from kronk.gateway.batches.store import Batches
from kronk.gateway.dialects.paging import Paging
from kronk.gateway.dialects.responses.ids import RANDOM_BYTES, response_name
from kronk.gateway.dialects.responses.stored import Stored
from kronk.gateway.responses.store import ResponseStore
from kronk.shared.database import Database
from kronk.shared.errors import KronkError, NotFound, RateLimited, TooLarge
from kronk.shared.security.grants import Grants, Limit
from kronk.shared.security.identity import Identity

NOW = 1000.0
# Who made a thing, and who sees it.
SEEN = [
    (ANN, {ANN.subject, ADMIN.subject, "open"}),
    (BOB, {BOB.subject, ADMIN.subject, "open"}),
    (ADMIN, {ADMIN.subject, "open"}),
    # Nobody's in particular, as what earlier versions have left.
    (ANONYMOUS, {"anonymous", ADMIN.subject, "open"}),
    (OPEN, {"anonymous", ADMIN.subject, "open"}),
]
seen_by = pytest.mark.parametrize(("maker", "seers"), SEEN, ids=lambda x: getattr(x, "label", ""))


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "db")
    yield database
    database.close()


@pytest.fixture
def files(tmp_path: Path, database: Database) -> Files:
    return Files(tmp_path / "files", database.table("files"))


@pytest.fixture
def batches(database: Database, files: Files) -> Batches:
    return Batches(database.table("batches"), files)


def who(identity: Identity) -> str:
    return identity.subject or identity.via


def refusal(call: Any) -> tuple[type[KronkError], str, str | None]:
    with pytest.raises(KronkError) as caught:
        call()
    return type(caught.value), caught.value.message, caught.value.param


def a_file(files: Files, owner: str | None, size: int = 5) -> StoredFile:
    file = StoredFile(new_name(FILE), size, 900, "a.jsonl", "batch", None, owner)
    files.path(file.id).parent.mkdir(exist_ok=True)
    files.path(file.id).write_bytes(b"hello")
    files.add(file)
    return file


def made(batches: Batches, files: Files, maker: Identity) -> Batch:
    asked = BatchRequest(
        a_file(files, maker.subject).id, "/v1/embeddings", "24h", 86400, None, None
    )
    return asyncio.run(batches.create(asked, maker))


@seen_by
def test_a_response_is_its_askers(database: Database, maker: Identity, seers: set[str]) -> None:
    store = ResponseStore(database, 0)
    name = response_name(1, bytes(RANDOM_BYTES))
    stored = Stored({"id": name, "output": []}, [], 1)
    asyncio.run(store.of(maker).put(stored))
    assert {who(one) for one in EVERYBODY if store.of(one).find(name) == stored} == seers
    for one in EVERYBODY:
        if who(one) not in seers:
            assert store.of(one).find(name) is None
            assert not asyncio.run(store.of(one).delete(name))
    assert asyncio.run(store.of(maker).delete(name))


@seen_by
def test_a_file_is_its_uploaders(files: Files, maker: Identity, seers: set[str]) -> None:
    file, nowhere = a_file(files, maker.subject), new_name(FILE)
    assert {who(one) for one in EVERYBODY if files.all(NOW, one)} == seers
    for one in EVERYBODY:
        if who(one) in seers:
            assert files.get(file.id, NOW, one) == file
        else:
            kind, message, param = refusal(lambda one=one: files.get(nowhere, NOW, one))
            same = kind, message.replace(nowhere, file.id), param
            assert refusal(lambda one=one: files.get(file.id, NOW, one)) == same


@seen_by
def test_a_batch_is_its_makers(
    batches: Batches, files: Files, maker: Identity, seers: set[str]
) -> None:
    batch, nowhere = made(batches, files, maker), new_name(BATCH)
    for one in EVERYBODY:
        page, _ = asyncio.run(batches.page(Paging(), one))
        assert bool(page) is (who(one) in seers)
        for ask in (batches.get, batches.cancel):
            if who(one) not in seers:
                kind, message, param = refusal(lambda a=ask, o=one: asyncio.run(a(nowhere, o)))
                same = kind, message.replace(nowhere, batch.id), param
                assert refusal(lambda a=ask, o=one: asyncio.run(a(batch.id, o))) == same
            elif ask == batches.get:
                assert asyncio.run(ask(batch.id, one)).id == batch.id
    assert asyncio.run(batches.now(batch.id)).status is Status.VALIDATING
    assert asyncio.run(batches.cancel(batch.id, maker)).status is Status.CANCELLING


def test_the_file_of_another_is_no_input(batches: Batches, files: Files) -> None:
    file, nowhere = a_file(files, ANN.subject), new_name(FILE)

    def create(name: str, identity: Identity) -> Batch:
        asked = BatchRequest(name, "/v1/embeddings", "24h", 86400, None, None)
        return asyncio.run(batches.create(asked, identity))

    kind, message, param = refusal(lambda: create(nowhere, BOB))
    assert (kind, param) == (NotFound, "input_file_id")
    assert refusal(lambda: create(file.id, BOB)) == (
        kind,
        message.replace(nowhere, file.id),
        param,
    )
    assert create(file.id, ANN).owner == ANN.subject
    # An administrator's batch is the administrator's, whoever's file it reads.
    assert create(file.id, ADMIN).owner == ADMIN.subject


def test_a_cursor_of_somebody_else_is_as_good_as_one_that_never_was(
    batches: Batches, files: Files
) -> None:
    first, other, last = (made(batches, files, maker) for maker in (ANN, BOB, ANN))
    for order, expected in (("asc", [last.id]), ("desc", [first.id])):
        page, more = asyncio.run(batches.page(Paging(20, order, other.id), ANN))  # type: ignore[arg-type]
        assert ([batch.id for batch in page], more) == (expected, False)


def test_records_of_earlier_versions_are_nobodys(
    database: Database, batches: Batches, files: Files
) -> None:
    batch = made(batches, files, OPEN)
    record = to_json(batch)
    del record["made_by"]
    database.table("batches").put(batch.id, record)
    old = asyncio.run(batches.now(batch.id))
    assert (old.owner, old.made_by) == (None, NOBODY)
    with pytest.raises(NotFound):
        asyncio.run(batches.get(batch.id, ANN))
    stored = {"id": new_name(FILE), "bytes": 1, "created_at": 1, "filename": "a", "purpose": "b"}
    database.table("files").put(str(stored["id"]), stored)
    assert files.get(str(stored["id"]), NOW, ADMIN).owner is None
    with pytest.raises(NotFound):
        files.get(str(stored["id"]), NOW, ANN)
    name = response_name(1, bytes(RANDOM_BYTES))
    response = {"response": {"id": name, "output": []}, "items": [], "size": 1}
    database.table("responses").put(name, response)
    store = ResponseStore(database, 0)
    assert store.of(ADMIN).find(name) is not None
    assert store.of(ANN).find(name) is None


# Who a batch runs for.


LIMITED = Identity(
    "33333333-3333-4333-8333-333333333333",
    "carl",
    grants=Grants({"embeddings": Limit(3, "day")}, ("tiny*",), Limit(100, "month"), 2),
    key="a-key",
    expires=5.0,
    via="delegated",
)


@pytest.mark.parametrize("identity", [ANN, ADMIN, LIMITED, ANONYMOUS], ids=lambda one: one.label)
def test_a_batch_runs_for_its_maker_whose_token_may_have_expired(
    batches: Batches, files: Files, identity: Identity
) -> None:
    name = made(batches, files, identity).id
    then = identity_of(asyncio.run(batches.now(name)).made_by, is_open=False)
    assert then.expires is None
    for field in ("subject", "name", "admin", "grants", "key", "via"):
        assert getattr(then, field) == getattr(identity, field)


def test_what_was_made_while_nobody_was_asked_is_nobodys_once_somebody_is() -> None:
    assert identity_of(maker_of(OPEN), is_open=False) == ANONYMOUS
    assert identity_of(from_json(None), is_open=False) == ANONYMOUS
    assert identity_of(maker_of(ANN), is_open=True) == OPEN


def test_a_line_needs_what_its_route_needs() -> None:
    served = [route for part in ROUTES for route in part.router.routes]
    gates = [gate_of(route.endpoint) for route in served if isinstance(route, APIRoute)]
    asked = {gate.path: replace(gate, name="") for gate in gates if gate.method == "POST"}
    assert {path: asked[path] for path in BATCHED} == GATES
    assert set(BATCHED) == set(GATES)


# How much is one's share.


def test_nobody_fills_the_disk_for_everybody(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shares, "MOST_BYTES", 100)
    a_file(files, ANN.subject, 60)
    one, two = (files.shares.arrival(ANN) for _ in range(2))
    one.expect(40)
    with pytest.raises(TooLarge, match="41 bytes more"):
        one.expect(41)
    # What is on its way counts, though nobody has said how large it will be.
    one.take(30)
    two.take(10)
    with pytest.raises(TooLarge):
        two.take(1)
    two.close()
    one.take(10)
    one.check()
    a_file(files, ANN.subject, 1)
    with pytest.raises(TooLarge, match="61 bytes"):
        one.check()
    one.close()
    one.close()
    assert files.shares.arriving(str(ANN.subject), 0) == 0
    for other in (BOB, ADMIN, OPEN, ANONYMOUS):
        arrival = files.shares.arrival(other)
        arrival.expect(100)
        arrival.take(100)
        arrival.check()
    monkeypatch.setattr(shares, "MOST_FILES", 2)
    with pytest.raises(TooLarge, match="may have 2"):
        files.shares.arrival(ANN)


def test_nobody_takes_all_places_for_batches(
    batches: Batches, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches_module, "MOST_UNFINISHED_OF_ONE", 2)
    for _ in range(2):
        made(batches, files, ANN)
    with pytest.raises(RateLimited, match="2 batches of yours"):
        made(batches, files, ANN)
    for other in (BOB, ADMIN, OPEN, OPEN, OPEN):
        made(batches, files, other)
