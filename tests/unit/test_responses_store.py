"""Stored responses in a real database: found until they are deleted or too old."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import lmdb
import pytest

from kronk.gateway.dialects.paging import Paging
from kronk.gateway.dialects.responses.ids import response_name
from kronk.gateway.dialects.responses.listing import items_query, page
from kronk.gateway.dialects.responses.stored import Stored
from kronk.gateway.responses.store import ResponseStore
from kronk.shared.database import Database, Table
from kronk.shared.errors import InvalidArgument
from kronk.shared.security.identity import OPEN

BORN = 1_700_000_000
DAY = 86400.0


class Clock:
    def __init__(self) -> None:
        self.now = float(BORN)

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "db")
    yield database
    database.close()


@pytest.fixture
def store(database: Database, clock: Clock) -> ResponseStore:
    return ResponseStore(database, DAY, clock)


def stored(at: int = BORN, number: int = 0) -> Stored:
    name = response_name(at, number.to_bytes(20))
    output = [{"id": "msg_2", "type": "message"}]
    return Stored({"id": name, "output": output}, [{"id": "msg_1", "type": "message"}], 10)


def put(store: ResponseStore, *many: Stored) -> list[str]:
    for one in many:
        asyncio.run(store.of(OPEN).put(one))
    return [one.response["id"] for one in many]


def test_what_is_put_is_found_and_the_whole_of_it(store: ResponseStore) -> None:
    one = stored()
    (name,) = put(store, one)
    assert store.of(OPEN).find(name) == one
    assert [item["id"] for item in one.conversation] == ["msg_1", "msg_2"]


@pytest.mark.parametrize("name", ["", "x", "resp_", "resp_" + "0" * 600, "\0", "\udcff"])
def test_what_is_no_name_is_not_found(store: ResponseStore, name: str) -> None:
    assert store.of(OPEN).find(name) is None
    assert not asyncio.run(store.of(OPEN).delete(name))


def test_what_is_deleted_is_gone_and_cannot_be_deleted_again(store: ResponseStore) -> None:
    name, other = put(store, stored(number=1), stored(number=2))
    assert asyncio.run(store.of(OPEN).delete(name))
    assert store.of(OPEN).find(name) is None
    assert not asyncio.run(store.of(OPEN).delete(name))
    assert store.of(OPEN).find(other) is not None


def test_responses_are_there_for_the_next_gateway(tmp_path: Path) -> None:
    first = Database(tmp_path / "db")
    (name,) = put(ResponseStore(first, 0), stored())
    first.close()
    second = Database(tmp_path / "db")
    assert ResponseStore(second, 0).of(OPEN).find(name) == stored()
    second.close()


def test_what_is_too_old_is_not_found(store: ResponseStore, clock: Clock) -> None:
    (name,) = put(store, stored())
    clock.now += DAY
    assert store.of(OPEN).find(name) is not None
    clock.now += 1
    assert store.of(OPEN).find(name) is None
    assert not asyncio.run(store.of(OPEN).delete(name))


def test_nothing_is_ever_too_old_without_an_age(database: Database, clock: Clock) -> None:
    store = ResponseStore(database, 0, clock)
    (name,) = put(store, stored(at=1))
    assert store.sweep() == 0
    assert store.of(OPEN).find(name) is not None


def test_a_sweep_removes_what_is_too_old_and_nothing_else(
    database: Database, store: ResponseStore, clock: Clock
) -> None:
    old = put(store, *(stored(BORN - 10 + at, at) for at in range(5)))
    young = put(store, *(stored(BORN + at, at) for at in range(5)))
    clock.now = BORN + DAY - 6
    assert store.sweep() == 4
    clock.now = BORN + DAY - 0.5
    assert store.sweep() == 1
    assert store.sweep() == 0
    assert list(database.table("responses").names()) == young
    assert all(store.of(OPEN).find(name) is None for name in old)


def test_a_sweep_of_many_takes_several_turns(store: ResponseStore, clock: Clock) -> None:
    put(store, *(stored(BORN, number) for number in range(300)))
    clock.now += DAY + 1
    assert [store.sweep(), store.sweep(), store.sweep()] == [256, 44, 0]


def test_a_full_disk_costs_what_would_be_kept_and_not_the_answer(
    store: ResponseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(table: Table, key: str, record: object) -> None:
        raise lmdb.MapFullError("full")

    monkeypatch.setattr(Table, "put", full)
    (name,) = put(store, stored())
    assert store.of(OPEN).find(name) is None


# Pages.

ITEMS = [{"id": f"i{number}"} for number in range(5)]


@pytest.mark.parametrize(
    ("asked", "ids", "more"),
    [
        (Paging(), ["i4", "i3", "i2", "i1", "i0"], False),
        (Paging(order="asc"), ["i0", "i1", "i2", "i3", "i4"], False),
        (Paging(2), ["i4", "i3"], True),
        (Paging(2, after="i3"), ["i2", "i1"], True),
        (Paging(2, after="i1"), ["i0"], False),
        (Paging(2, "asc", "i2"), ["i3", "i4"], False),
        (Paging(2, "asc", "i4"), [], False),
    ],
)
def test_a_page_begins_behind_the_last_of_the_page_before(
    asked: Paging, ids: list[str], more: bool
) -> None:
    found = page(ITEMS, asked)
    assert [item["id"] for item in found["data"]] == ids
    assert found["has_more"] is more
    first, last = (ids[0], ids[-1]) if ids else ("", "")
    assert (found["first_id"], found["last_id"]) == (first, last)


def test_a_page_behind_an_unknown_item_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="'after'"):
        page(ITEMS, Paging(after="i9"))


def test_queries_are_read() -> None:
    assert items_query({}) == Paging(20, "desc", None)
    asked = {
        "limit": "100",
        "order": "asc",
        "after": "x",
        "include[]": "message.output_text.logprobs",
    }
    assert items_query(asked) == Paging(100, "asc", "x")


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "101"}, "limit"),
        ({"limit": "x"}, "limit"),
        ({"limit": "-1"}, "limit"),
        ({"limit": "1" * 5000}, "limit"),
        ({"limit": "\u0661"}, "limit"),
        ({"order": "up"}, "order"),
        ({"include": "x"}, "include"),
    ],
)
def test_wrong_queries_are_refused_by_name(query: dict[str, str], param: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        items_query(query)
    assert caught.value.param == param
