"""Records in LMDB, which several processes may have open."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from kronk.shared.database import LONGEST_KEY, Database, Table, Writer


@pytest.fixture
def table(tmp_path: Path) -> Iterator[Table]:
    database = Database(tmp_path / "db")
    yield database.table("things")
    database.close()


def more(record: dict[str, Any]) -> dict[str, Any]:
    return {"count": record["count"] + 1}


def test_what_is_put_is_there_in_the_order_of_the_keys(table: Table) -> None:
    for key in ("b", "c", "a"):
        table.put(key, {"key": key})
    assert table.get("b") == {"key": "b"}
    assert [key for key, _ in table.items()] == list(table.names()) == ["a", "b", "c"]
    assert table.delete("a", "c", "x") == 2
    assert dict(table.items()) == {"b": {"key": "b"}}


@pytest.mark.parametrize("key", ["", "x", "x" * (LONGEST_KEY + 1), "\ud800"])
def test_what_is_not_there_is_not_found_whatever_its_name(table: Table, key: str) -> None:
    assert table.get(key) is None
    assert table.change(key, more) is None
    assert table.delete(key) == 0


def test_changes_of_many_at_once_all_count(table: Table) -> None:
    table.put("a", {"count": 0})
    with ThreadPoolExecutor(8) as pool:
        counts = list(pool.map(lambda _: table.change("a", more), range(40)))
    assert sorted(record["count"] for record in counts if record) == list(range(1, 41))
    assert table.get("a") == {"count": 40}


def test_a_change_that_is_refused_changes_nothing(table: Table) -> None:
    def refuse(record: dict[str, Any]) -> dict[str, Any]:
        record["count"] = 7
        raise ValueError("no")

    table.put("a", {"count": 0})
    with pytest.raises(ValueError, match="no"):
        table.change("a", refuse)
    assert table.get("a") == {"count": 0}


def test_records_outlive_the_process(tmp_path: Path) -> None:
    for expected in (None, {"count": 1}):
        database = Database(tmp_path / "db")
        assert database.table("things").get("a") == expected
        database.table("things").put("a", {"count": 1})
        database.close()


def test_several_tables_are_written_together_or_not_at_all(tmp_path: Path) -> None:
    database = Database(tmp_path / "db")
    one, two = database.table("one"), database.table("two")

    def write(writer: Writer) -> int:
        writer.put(one, "a", {"count": 1})
        writer.put(two, "a/1", {"count": 2})
        writer.put(two, "b", {"count": 3})
        assert writer.get(one, "a") == {"count": 1}
        return sum(record["count"] for _, record in writer.items(two, "a/"))

    def fail(writer: Writer) -> None:
        writer.put(one, "a", {"count": 9})
        assert writer.delete(two, "b")
        assert not writer.delete(two, "c")
        raise ValueError("no")

    assert database.together(write) == 2
    with pytest.raises(ValueError, match="no"):
        database.together(fail)
    assert (one.get("a"), two.get("b")) == ({"count": 1}, {"count": 3})
    database.close()
