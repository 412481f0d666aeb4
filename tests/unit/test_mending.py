"""A broken database is put aside, with the files it has the records of, and another one begun."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from kronk.gateway import mending
from kronk.gateway.probe_database import look
from kronk.shared.database import Database
from kronk.shared.errors import ServerError
from kronk.shared.security.counters import Counters
from kronk.shared.security.grants import Limit


@pytest.fixture
def house(tmp_path: Path) -> Path:
    database = Database(tmp_path / "db")
    table = database.table("responses")
    for number in range(50):
        table.put(f"resp_{number:03}", {"n": number, "text": "x" * (number * 200)})
    database.close()
    (tmp_path / "db/model-sizes.json").write_text("{}")
    (tmp_path / "files").mkdir()
    (tmp_path / "files/file-1").write_text("uploaded")
    return tmp_path


def data(house: Path) -> Path:
    return house / "db/data.mdb"


def truncated(house: Path) -> None:
    data(house).write_bytes(data(house).read_bytes()[:20_000])


def shortened(house: Path) -> None:
    data(house).write_bytes(data(house).read_bytes()[:100])


def garbage(house: Path) -> None:
    data(house).write_bytes(random.Random(1).randbytes(data(house).stat().st_size))


def zeros(house: Path) -> None:
    data(house).write_bytes(bytes(data(house).stat().st_size))


def pages(house: Path) -> None:
    whole = bytearray(data(house).read_bytes())
    whole[2 * 4096 :] = random.Random(2).randbytes(len(whole) - 2 * 4096)
    data(house).write_bytes(whole)


def folder(house: Path) -> None:
    data(house).unlink()
    data(house).mkdir()


def gone(house: Path) -> None:
    data(house).unlink()


DAMAGE = (truncated, shortened, garbage, zeros, pages, folder, gone)


@pytest.mark.parametrize("damage", DAMAGE, ids=[damage.__name__ for damage in DAMAGE])
def test_a_broken_database_is_put_aside_with_its_files(
    house: Path, damage: Callable[[Path], None]
) -> None:
    damage(house)
    mending.mend(house / "db", house / "files")
    [kept] = house.glob("db.broken-*")
    assert (kept / "files/file-1").read_text() == "uploaded"
    assert not (house / "files").exists()
    # What other processes keep there stays.
    assert (house / "db/model-sizes.json").exists()
    database = Database(house / "db")
    assert list(database.table("responses").names()) == []
    database.close()
    # Once is enough.
    mending.mend(house / "db", house / "files")
    assert len(list(house.glob("db.broken-*"))) == 1


def test_a_good_database_is_left_alone(house: Path) -> None:
    mending.mend(house / "db", house / "files")
    assert not list(house.glob("*.broken-*"))
    database = Database(house / "db")
    assert len(list(database.table("responses").items())) == 50
    # Also while somebody has it open.
    mending.mend(house / "db", house / "files")
    assert not list(house.glob("*.broken-*"))
    database.close()


def test_there_need_be_nothing(tmp_path: Path) -> None:
    mending.mend(tmp_path / "db", tmp_path / "files")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["db/lock.mdb", "db/jobs.lock", "files/.lock", "db", "files"])
def test_what_is_in_the_way_is_put_aside(house: Path, name: str) -> None:
    path = house / name
    if "/" in name:
        path.unlink(missing_ok=True)
        (path / "below").mkdir(parents=True)
    else:
        shutil.rmtree(path)
        path.write_text("a file")
        if name == "db":
            shutil.rmtree(house / "files")
    mending.mend(house / "db", house / "files")
    [kept] = house.glob("*.broken-*")
    assert kept.is_file() if "/" not in name else (kept / path.name / "below").is_dir()
    Database(house / "db").close()


def test_no_damage_to_a_page_ends_the_gateway(house: Path) -> None:
    whole, dice = data(house).read_bytes(), random.Random(3)
    for _ in range(6):
        broken = bytearray(whole)
        at = dice.randrange(len(whole) - 600)
        broken[at : at + 600] = dice.randbytes(600)
        data(house).write_bytes(broken)
        mending.mend(house / "db", house / "files")
        database = Database(house / "db")
        records = [record for _, record in database.table("responses").items()]
        assert len(records) <= 50
        database.close()
        shutil.rmtree(house / "db")
        (house / "db").mkdir()


def test_a_slow_or_absent_probe_is_no_broken_database(
    house: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for command in (("/nowhere",), ("sh", "-c", "exit 1"), ("sh", "-c", "kill -9 $$")):
        monkeypatch.setattr(mending, "COMMAND", command)
        mending.mend(house / "db", house / "files")
        assert not list(house.glob("*.broken-*"))


def test_a_database_that_cannot_be_opened_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "db").write_text("a file")
    with pytest.raises(ServerError, match="cannot be opened"):
        Database(tmp_path / "db")
    assert look(tmp_path / "nowhere") is None


def test_a_damaged_record_counts_as_gone(tmp_path: Path) -> None:
    database = Database(tmp_path / "db")
    table = database.table("files")
    table.put("good", {"n": 1})
    table.put("bad", {"n": 2})
    with table._environment.begin(table._db, write=True) as transaction:
        transaction.put(b"bad", b"\x80garbage")
        transaction.put(b"list", b"[1]")
    assert table.get("bad") is None and table.get("list") is None
    assert table.change("bad", lambda record: record) is None
    assert dict(table.items()) == {"good": {"n": 1}}
    database.close()


@pytest.fixture
def counted(tmp_path: Path) -> Path:
    counters = Counters(tmp_path / "db/counters")
    for _ in range(3):
        counters.charge("ann", "rerank", Limit(5, "year"), 1e9)
    counters.save()
    for number in range(2000):
        counters.charge(str(number), "rerank", Limit(5, "year"), 1e9)
    counters.close()
    return tmp_path


def left(house: Path) -> int:
    counters = Counters(house / "db/counters")
    try:
        limit = Limit(5, "year")
        return sum(counters.charge("ann", "rerank", limit, 1e9).allowed for _ in range(9))
    finally:
        counters.close()


def test_counters_that_are_good_are_left_alone(counted: Path) -> None:
    mending.mend_counters(counted / "db/counters")
    assert not list((counted / "db").glob("*broken*"))
    assert left(counted) == 2


@pytest.mark.parametrize("damage", [truncated, shortened, garbage, zeros, pages, folder])
def test_in_the_place_of_broken_counters_comes_their_copy(
    counted: Path, damage: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{__name__}.data", lambda house: house / "db/counters/data.mdb")
    damage(counted)
    mending.mend_counters(counted / "db/counters")
    assert len(list((counted / "db").glob("counters.broken-*"))) == 1
    assert left(counted) == 2, "what was used up by then stays used"


def test_counters_begin_anew_when_their_copy_is_broken_too(counted: Path) -> None:
    for name in ("data.mdb", "saved.mdb"):
        (counted / "db/counters" / name).write_bytes(b"nothing" * 2000)
    mending.mend_counters(counted / "db/counters")
    assert left(counted) == 5


def test_there_may_be_no_counters_yet(tmp_path: Path) -> None:
    mending.mend_counters(tmp_path / "db/counters")
    assert not (tmp_path / "db").exists()
