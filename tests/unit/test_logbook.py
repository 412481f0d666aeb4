"""Asking the log: which lines are wanted, found backwards over rotation, and followed across it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kronk.shared.errors import InvalidArgument
from kronk.shared.logbook import reader as reading
from kronk.shared.logbook.query import Query, parse
from kronk.shared.logbook.reader import Reader
from kronk.supervisor.log_sink import RotatedFile

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
ALL = Query()


def line(**facts: Any) -> str:
    return json.dumps({"timestamp": "2026-05-01T11:59:00.500000Z", "level": "info"} | facts)


@pytest.mark.parametrize(
    ("asked", "facts", "is_taken"),
    [
        ({}, {}, True),
        ({"level": "warning"}, {"level": "info"}, False),
        ({"level": "warning"}, {"level": "warning"}, True),
        ({"level": "warning"}, {"level": "error"}, True),
        ({"level": "debug"}, {"level": "debug"}, True),
        ({"model": "m"}, {"model": "m"}, True),
        ({"model": "m"}, {"model": "other"}, False),
        ({"model": "m"}, {}, False),
        ({"process": "worker"}, {"process": "worker"}, True),
        ({"process": "worker"}, {"process": "gateway"}, False),
        ({"request": "r-1"}, {"request_id": "r-1"}, True),
        ({"request": "chatcmpl-1"}, {"request_id": "r-1", "answer_id": "chatcmpl-1"}, True),
        ({"request": "r-1"}, {"request_id": "r-10"}, False),
        ({"request": "r-1"}, {"event": "about r-1"}, False),
        ({"since": "30s"}, {}, False),
        ({"since": "2m"}, {}, True),
        ({"since": "2026-05-01T11:59:00+00:00"}, {}, True),
        ({"since": "2026-05-01T13:00:00+02:00"}, {}, True),
        ({"since": "2026-05-01T11:59:01Z"}, {}, False),
        ({"level": "error", "model": "m"}, {"level": "error", "model": "n"}, False),
    ],
)
def test_a_line_has_to_be_all_that_was_asked_for(
    asked: dict[str, str], facts: dict[str, Any], is_taken: bool
) -> None:
    assert parse(asked, NOW).takes(line(**facts)) is is_taken


@pytest.mark.parametrize("broken", ["", "no json", "[1]", '{"half', "{" * 10_000])
def test_what_is_no_record_is_taken_by_whoever_wants_all_and_by_nobody_else(broken: str) -> None:
    assert ALL.takes(broken)
    assert not parse({"level": "debug"}, NOW).takes(broken)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"level": "loud"}, "--level: expected debug, info, warning or error, got 'loud'"),
        (
            {"process": "web"},
            "--process: expected supervisor, gateway, worker or job, got 'web'",
        ),
        ({"since": "soon"}, "--since: expected a duration such as 30s, 10m or 1h30m, or a time"),
        ({"since": "10"}, "--since: expected a duration"),
        ({"since": "9" * 30 + "d"}, "--since: expected a duration"),
        ({"request": ""}, "--request: expected an id, got ''"),
        ({"model": ""}, "--model: expected a name, got ''"),
    ],
)
def test_what_is_asked_wrongly_is_refused_with_what_would_be_right(
    asked: dict[str, str], words: str
) -> None:
    with pytest.raises(InvalidArgument) as refused:
        parse(asked, NOW, prefix="--")
    assert refused.value.message.startswith(words)
    assert refused.value.param == next(iter(asked))


@pytest.fixture
def log(tmp_path: Path) -> Iterator[RotatedFile]:
    file = RotatedFile(tmp_path / "kronk.log", most_bytes=200, kept=4)
    yield file
    file.close()


def test_the_last_lines_reach_into_rotated_files(tmp_path: Path) -> None:
    log = tmp_path / "kronk.log"
    log.write_text("5\n6\nhalf")
    log.with_name("kronk.log.1").write_text("3\n4\n")
    log.with_name("kronk.log.2").write_text("1\n2\n")
    log.with_name("kronk.log.bak").write_text("no\n")
    with closing(Reader(log)) as reader:
        assert reader.last(5, ALL) == ["2", "3", "4", "5", "6"]
        assert reader.last(0, ALL) == []
        assert reader.last(50, ALL) == ["1", "2", "3", "4", "5", "6"]


def test_lines_that_match_are_searched_for_as_far_back_as_there_is_log(
    tmp_path: Path, log: RotatedFile
) -> None:
    for number in range(12):
        log.write(line(n=number, level="error" if number % 4 == 0 else "info"))
    errors = parse({"level": "error"}, NOW)
    with closing(Reader(tmp_path / "kronk.log")) as reader:
        found = [json.loads(one)["n"] for one in reader.last(2, errors)]
        everything = [json.loads(one)["n"] for one in reader.last(100, ALL)]
    assert found == [n for n in everything if n % 4 == 0][-2:]
    assert len(list(tmp_path.glob("kronk.log.*"))) == 3


def test_the_search_ends_where_all_is_older_than_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "kronk.log"
    stamps = [f"2026-05-01T11:{minute:02}:00Z" for minute in range(60)]
    log.write_text("".join(line(timestamp=stamp) + "\n" for stamp in stamps))
    seen: list[str] = []
    takes = Query.takes

    def noting(query: Query, one: str) -> bool:
        seen.append(one)
        return takes(query, one)

    monkeypatch.setattr(Query, "takes", noting)
    with closing(Reader(log)) as reader:
        found = reader.last(1000, parse({"since": "2m"}, NOW))
    assert [json.loads(one)["timestamp"] for one in found] == stamps[-2:]
    assert len(seen) < 10


def test_following_goes_on_across_rotation_truncation_and_removal(tmp_path: Path) -> None:
    log = tmp_path / "kronk.log"
    log.write_text("old\n1\nha")
    with closing(Reader(log)) as reader:
        assert reader.last(1, ALL) == ["1"]
        assert reader.more(ALL) == []
        with log.open("a") as file:
            file.write("lf\n")
        assert reader.more(ALL) == ["half"]
        log.rename(tmp_path / "kronk.log.1")
        assert reader.more(ALL) == []
        log.write_text("333\n")
        assert reader.more(ALL) == ["333"]
        log.write_text("4\n")
        assert reader.more(ALL) + reader.more(ALL) == ["4"]
        log.unlink()
        assert reader.more(ALL) == []
        log.write_text("5\n")
        assert reader.more(ALL) == ["5"]


def test_a_reader_that_slept_through_several_rotations_misses_nothing_that_is_kept(
    tmp_path: Path, log: RotatedFile
) -> None:
    log.write(line(n=0))
    with closing(Reader(tmp_path / "kronk.log")) as reader:
        reader.last(1, ALL)
        for number in range(1, 9):
            log.write(line(n=number))
        numbers = [json.loads(one)["n"] for one in reader.more(ALL)]
    assert numbers == list(range(1, 9))


def test_a_log_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    with closing(Reader(tmp_path / "kronk.log")) as reader:
        assert reader.last(5, ALL) == []
        assert reader.more(ALL) == []
        (tmp_path / "kronk.log").write_text("first\n")
        assert reader.more(ALL) == ["first"]


@given(st.lists(st.text(st.characters(blacklist_categories=["Cs"]), max_size=30), max_size=40))
def test_backwards_is_forwards_turned_round(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    log = tmp_path_factory.mktemp("log") / "kronk.log"
    lines = [json.dumps({"event": text}, ensure_ascii=False) for text in texts]
    log.write_bytes("".join(f"{one}\n" for one in lines).encode())
    block, reading._BLOCK = reading._BLOCK, 16
    try:
        with closing(Reader(log)) as reader:
            assert reader.last(1000, ALL) == lines
    finally:
        reading._BLOCK = block


def test_a_model_is_found_by_each_of_its_names() -> None:
    query = replace(Query(), models=frozenset({"org/fam/tiny", "mine"}))
    assert query.takes(line(model="mine"))
    assert query.takes(line(model="org/fam/tiny"))
    assert not query.takes(line(model="tiny"))
