"""How much one subject may store of responses."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.subjects import ADMIN, ANN, ANONYMOUS, BOB, OPEN
from kronk.gateway.dialects.responses.ids import RANDOM_BYTES, response_name
from kronk.gateway.dialects.responses.stored import Stored
from kronk.gateway.operations import responses_operation
from kronk.gateway.responses import shares as shares_module
from kronk.gateway.responses.shares import Share, Shares
from kronk.gateway.responses.store import ResponseStore
from kronk.shared.database import Database
from kronk.shared.errors import TooLarge

ASK = json.dumps({"model": "tiny", "input": "hello"}).encode()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "db")
    yield database
    database.close()


def named(number: int, born: int = 1_700_000_000) -> str:
    return response_name(born, number.to_bytes(RANDOM_BYTES))


def stored(number: int, size: int) -> Stored:
    return Stored({"id": named(number), "output": []}, [], size)


def test_nobody_stores_more_than_a_share(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shares_module, "MOST_RESPONSES", 3)
    monkeypatch.setattr(shares_module, "MOST_BYTES", 1000)
    store = ResponseStore(database, 0)
    ann = store.of(ANN)
    for number in (1, 2):
        asyncio.run(ann.put(stored(number, 400)))
    ann.check_room(200)
    with pytest.raises(TooLarge, match="2 stored responses of 800 bytes") as refused:
        ann.check_room(201)
    assert refused.value.param == "store"
    asyncio.run(ann.put(stored(3, 1)))
    asyncio.run(ResponseStore(database, 0).of(ANN).prepare())
    # It is said before anything is answered; and what is not stored needs no room.
    with pytest.raises(TooLarge):
        responses_operation(ASK, ann)
    responses_operation(json.dumps(json.loads(ASK) | {"store": False}).encode(), ann)
    for other in (BOB, ADMIN, OPEN, ANONYMOUS):
        responses_operation(ASK, store.of(other))
    assert asyncio.run(ann.delete(named(2)))
    responses_operation(ASK, ann)


def test_what_an_administrator_deletes_is_room_for_its_owner(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shares_module, "MOST_RESPONSES", 1)
    store = ResponseStore(database, 0)
    asyncio.run(store.of(ANN).put(stored(1, 10)))
    with pytest.raises(TooLarge):
        store.of(ANN).check_room(0)
    assert asyncio.run(store.of(ADMIN).delete(named(1)))
    store.of(ANN).check_room(0)


def test_the_record_of_another_is_not_even_read(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, read = ResponseStore(database, 0), list[str]()
    asyncio.run(store.of(ANN).put(stored(1, 10)))
    monkeypatch.setattr(store._table, "get", lambda name: read.append(name))
    assert store.of(BOB).find(named(1)) is None
    assert not asyncio.run(store.of(BOB).delete(named(1)))
    assert read == []
    store.of(ANN).find(named(1))
    assert read == [named(1)]


def test_what_was_stored_counts_in_the_next_life(database: Database) -> None:
    asyncio.run(ResponseStore(database, 0).of(ANN).put(stored(1, 10)))
    shares = Shares(database.table("response_shares"))
    assert not shares.is_known(str(ANN.subject))
    with pytest.raises(TooLarge, match="1 stored responses of 10 bytes"):
        shares.check(str(ANN.subject), shares_module.MOST_BYTES)
    assert shares.is_known(str(ANN.subject))


def test_what_is_too_old_is_room_again(database: Database) -> None:
    shares = Shares(database.table("response_shares"))
    for number in range(300):
        shares.add("ann", named(number, born=number), 1)
    shares.sweep(lambda name: int(name[5:13], 16) < 299)
    ((key, row),) = database.table("response_shares").items()
    assert key.endswith(named(299, born=299))
    assert row == {"bytes": 1}


@settings(max_examples=25)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 5), st.booleans()), max_size=30))
def test_the_sums_are_those_of_the_rows(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int, bool]]
) -> None:
    database = Database(tmp_path_factory.mktemp("shares"))
    try:
        table = database.table("shares")
        shares, rows = Shares(table), dict[tuple[str, int], int]()
        for subject, number, is_stored in steps:
            if is_stored and (subject, number) not in rows:
                shares.add(subject, named(number), number)
                rows[subject, number] = number
            elif not is_stored:
                shares.remove(subject, named(number))
                rows.pop((subject, number), None)
        for whose in "ab":
            mine = [size for (subject, _), size in rows.items() if subject == whose]
            expected = Share(len(mine), sum(mine))
            assert shares._sum(whose) == Shares(table)._sum(whose) == expected
    finally:
        database.close()
