"""Earlier runs of `kronk bench`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from harness.benchmarks import REPORT, report_of
from kronk.shared.benchmark import history
from kronk.shared.benchmark.history import History, opened
from kronk.shared.benchmark.run import new_id
from kronk.shared.database import Database
from kronk.shared.errors import NotFound
from kronk.shared.paths import BasePath

FIRST = report_of(100.0, id_="20260101-000000-aaaa")
SECOND = report_of(110.0, id_="20260102-000000-aabb")


@pytest.fixture
def known(tmp_path: Path) -> Iterator[History]:
    with opened(BasePath(tmp_path)) as found:
        found.add(SECOND)
        found.add(FIRST)
        yield found


def test_runs_are_listed_the_latest_first(known: History) -> None:
    assert known.runs() == [SECOND, FIRST]
    assert known.runs("Tiny") == [SECOND, FIRST]
    assert known.runs("Other") == []


@pytest.mark.parametrize(
    ("name", "found"),
    [(FIRST.id, FIRST), ("20260101", FIRST), ("aabb", SECOND), ("last", SECOND)],
)
def test_a_run_is_found_by_what_is_its_own(known: History, name: str, found: object) -> None:
    assert known.find(name) == found


@pytest.mark.parametrize(
    ("name", "words"), [("2026", "2 benchmarks"), ("zz", "there is no"), ("", "there is no")]
)
def test_a_name_that_means_no_run_or_several_is_said(known: History, name: str, words: str) -> None:
    with pytest.raises(NotFound, match=words):
        known.find(name)


def test_a_run_is_forgotten(known: History) -> None:
    assert known.delete("aaaa") == FIRST.id
    assert known.runs() == [SECOND]


def test_a_run_of_another_version_is_passed_over_and_can_be_deleted(tmp_path: Path) -> None:
    database = Database(tmp_path)
    table = database.table(history.TABLE)
    table.put("20250101-000000-0000", {"format": 99})
    known = History(table)
    assert known.runs() == []
    with pytest.raises(NotFound, match="another version"):
        known.find("last")
    assert known.delete("last") == "20250101-000000-0000"
    database.close()


def test_the_oldest_runs_make_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "KEPT", 2)
    with opened(BasePath(tmp_path)) as known:
        for number in range(4):
            known.add(replace(FIRST, id=f"{number}"))
        assert [each.id for each in known.runs()] == ["3", "2"]


@pytest.mark.parametrize(
    ("change", "is_like"),
    [
        ({}, True),
        ({"state": "incomplete"}, False),
        ({"plan": REPORT.plan}, False),
        ({"targets": REPORT.targets}, False),
        ({"id": "20270101-000000-aaaa"}, False),
    ],
)
def test_a_run_is_compared_with_the_last_that_asked_the_same(
    tmp_path: Path, change: dict[str, object], is_like: bool
) -> None:
    earlier = replace(FIRST, **change)  # type: ignore[arg-type]  # each has its own type
    with opened(BasePath(tmp_path)) as known:
        known.add(earlier)
        assert known.before(SECOND) == (earlier if is_like else None)


def test_ids_sort_as_runs_followed_each_other() -> None:
    ids = [new_id(moment) for moment in (0.0, 1.0, 86400.0, 1.8e9)]
    assert ids == sorted(ids)
    assert ids[0].startswith("19700101-000000-")
