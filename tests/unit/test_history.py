"""How processes ended: kept in bounds, and in a file that survives whatever happens to it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kronk.shared import departures
from kronk.shared.departures import KEPT, KEPT_UNWANTED, KEPT_WANTED, MOST_TOLD, History
from kronk.shared.wire.status import Departure, Outcome
from kronk.supervisor.actions import Remember
from kronk.supervisor.cause import Exit
from kronk.supervisor.chronicle import Chronicle, HistoryFile, departed


def ended(model: str = "a", generation: int = 1, outcome: Outcome = "crashed") -> Departure:
    return Departure(
        model=model,
        generation=generation,
        pid=7,
        started=100.0,
        ready=None,
        ended=200.5,
        outcome=outcome,
        cause="SIGSEGV",
        exit_code=None,
        signal="SIGSEGV",
        out_of_memory=False,
        requests=2,
        last_lines=("GGML_ASSERT", "ü \u2028 \x00"),
        stack=("Thread 0x1", "  File"),
    )


def test_the_latest_come_first_of_one_model_or_of_all() -> None:
    history = History()
    for generation, model in enumerate("abab"):
        history.add(ended(model, generation))
    assert [one.generation for one in history.latest(None, 3)] == [3, 2, 1]
    assert [one.generation for one in history.latest("a", 9)] == [2, 0]
    assert history.latest("c", 9) == ()


def test_unloads_do_not_drive_out_crashes() -> None:
    history = History()
    history.add(ended("a", 0))
    for generation in range(1, 1000):
        history.add(ended("a", generation, "unloaded"))
    told = history.latest("a", MOST_TOLD)
    assert [one.generation for one in told] == [*range(999, 999 - KEPT_WANTED, -1), 0]


def test_neither_one_model_nor_all_of_them_are_kept_for_ever() -> None:
    history = History()
    for generation in range(1000):
        history.add(ended("a", generation))
    assert len(history) == KEPT_UNWANTED
    for generation in range(1000):
        history.add(ended(f"m{generation}", generation))
    assert len(history) == KEPT


def test_a_line_comes_back_as_it_was() -> None:
    line = departures.to_line(ended())
    assert "\n" not in line
    assert departures.from_line(line) == ended()


def test_a_line_of_another_version_is_read_as_far_as_it_goes() -> None:
    row = json.loads(departures.to_line(ended()))
    del row["stack"]
    row["weather"] = "fine"
    assert departures.from_line(json.dumps(row)) == dataclasses.replace(ended(), stack=())


GOOD = json.loads(departures.to_line(ended()))


@pytest.mark.parametrize(
    "line",
    [
        "",
        "{",
        "null",
        "[]",
        "[" * 100_000,
        "{}",
        json.dumps({key: value for key, value in GOOD.items() if key != "ended"}),
        json.dumps(GOOD | {"outcome": "bored"}),
        json.dumps(GOOD | {"model": 5}),
        json.dumps(GOOD | {"requests": 10**30}),
        json.dumps(GOOD | {"requests": True}),
        json.dumps(GOOD | {"last_lines": [5]}),
        json.dumps(GOOD | {"last_lines": "text"}),
        json.dumps(GOOD | {"stack": {}}),
        json.dumps(GOOD | {"cause": "\ud800"}),
        json.dumps(GOOD | {"ended": float("nan")}),
        json.dumps(GOOD | {"started": float("inf")}),
    ],
)
def test_a_damaged_line_says_nothing(line: str) -> None:
    assert departures.from_line(line) is None


@given(st.binary(max_size=300), st.integers(0, 5))
def test_whatever_is_in_the_file_the_good_lines_are_read(damage: bytes, at: int) -> None:
    lines = [departures.to_line(ended("a", number)).encode() for number in range(5)]
    lines.insert(at, damage)
    kept = []
    for line in b"\n".join(lines).decode(errors="replace").split("\n"):
        found = departures.from_line(line)
        if found is not None:
            kept.append(found.generation)
    assert kept == [0, 1, 2, 3, 4]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.jsonl"


def generations(path: Path) -> list[int]:
    return [one.generation for one in departures.read(path).all()]


def test_a_file_that_is_not_there_or_no_file_is_an_empty_history(path: Path) -> None:
    assert generations(path) == []
    path.mkdir()
    assert generations(path) == []


def test_a_half_written_line_costs_itself_alone(path: Path) -> None:
    HistoryFile(path).write(departures.to_line(ended("a", 1)))
    with path.open("ab") as file:
        file.write(departures.to_line(ended("a", 2)).encode()[:50])
    HistoryFile(path).write(departures.to_line(ended("a", 3)))
    assert generations(path) == [1, 3]


def test_a_file_is_shortened_to_what_is_kept(path: Path) -> None:
    file = HistoryFile(path, most_lines=100)
    for generation in range(1000):
        file.write(departures.to_line(ended("a", generation)))
    lines = path.read_bytes().splitlines()
    assert len(lines) <= 100
    assert generations(path)[-KEPT_UNWANTED:] == list(range(1000 - KEPT_UNWANTED, 1000))


def test_a_file_of_an_earlier_run_is_shortened_too(path: Path) -> None:
    path.write_bytes(b"rubbish\n" * 1000)
    HistoryFile(path, most_lines=100).write(departures.to_line(ended("a", 1)))
    assert len(path.read_bytes().splitlines()) == 1


def remember(generation: int, exit: Exit) -> Remember:
    return Remember("a", generation, 10.0, 12.0, 30.0, "crashed", "SIGKILL", exit, 2)


def test_an_end_gets_the_times_of_the_wall_clock() -> None:
    exit = Exit(-9, ("last",), stack=("Thread",), out_of_memory="cgroup")
    departure = departed(remember(4, exit), 77, 1_000_030.0)
    assert (departure.started, departure.ready) == (1_000_010.0, 1_000_012.0)
    assert departure.ended == 1_000_030.0
    assert (departure.signal, departure.exit_code) == ("SIGKILL", None)
    assert (departure.out_of_memory, departure.stack) == (True, ("Thread",))


@pytest.mark.parametrize(
    ("exit", "code", "signal"),
    [(Exit(3), 3, None), (Exit(-6), None, "SIGABRT"), (Exit(None), None, None)],
)
def test_an_exit_is_a_code_or_a_signal(exit: Exit, code: int | None, signal: str | None) -> None:
    departure = departed(remember(4, exit), None, 0.0)
    assert (departure.exit_code, departure.signal) == (code, signal)


def test_a_history_survives_the_supervisor(path: Path) -> None:
    first = Chronicle(path)
    first.add(remember(1, Exit(-9)), 7)
    first.add(remember(2, Exit(-9)), 8)
    first.close()
    second = Chronicle(path)
    second.add(remember(3, Exit(-9)), 9)
    told = second.latest("a")
    second.close()
    assert [one.generation for one in told] == [3, 2, 1]
    assert generations(path) == [1, 2, 3]
