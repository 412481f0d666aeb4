"""How long loads take: what is learnt, what is kept, and what may honestly be said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.waiting import wait_until
from kronk.supervisor import keeper
from kronk.supervisor.keeper import Keeper
from kronk.supervisor.load_times import KEPT, MOST_MODELS, LoadTime, LoadTimes, Progress, eta, parse

# Ten seconds, of which one after the weights.
KNOWN = (LoadTime(10.0, 1.0), LoadTime(9.0, 0.5), LoadTime(30.0, 9.0))
Report = tuple[float, str, float]


@pytest.mark.parametrize(
    ("known", "reports", "now", "left"),
    [
        # Nothing is known: nothing is said.
        ((), [], 1.0, None),
        ((), [(0.0, "weights", 0.0), (1.0, "weights", 0.5)], 1.0, None),
        ((), [(0.0, "weights", 0.05)], 5.0, None),
        # Its own pace, once it has one.
        ((), [(0.0, "weights", 0.0), (4.0, "weights", 0.5)], 4.0, 4.0),
        ((), [(0.0, "weights", 0.0), (4.0, "weights", 0.25)], 4.0, 12.0),
        ((), [(0.0, "weights", 0.0), (9.0, "context", 0.0)], 9.0, None),
        # What earlier loads took, the middle one of them.
        (KNOWN, [], 0.0, 10.0),
        (KNOWN, [(1.0, "weights", 0.9)], 2.0, 8.0),
        # A load that takes longer than that has no estimate.
        (KNOWN, [], 10.0, None),
        (KNOWN, [(1.0, "weights", 0.01)], 11.0, None),
        # The pace goes before, with what usually comes after the weights.
        (KNOWN, [(0.0, "weights", 0.0), (4.0, "weights", 0.25)], 4.0, 13.0),
        (KNOWN, [(0.0, "weights", 0.0), (8.0, "context", 0.0)], 8.25, 0.75),
        (KNOWN, [(0.0, "weights", 0.0), (8.0, "first_decode", 0.0)], 9.5, None),
    ],
)
def test_what_may_be_said_of_the_time_that_is_left(
    known: tuple[LoadTime, ...], reports: list[Report], now: float, left: float | None
) -> None:
    progress = Progress(0.0)
    for at, phase, fraction in reports:
        progress.report(phase, fraction, at)
    assert eta(progress, known, now) == left


def test_a_load_that_is_complete_is_the_whole_and_what_came_after_the_weights() -> None:
    progress = Progress(5.0)
    assert progress.took(6.0) == LoadTime(1.0, 0.0)
    progress.report("weights", 1.7, 6.0)
    assert progress.fraction == 1.0
    progress.report("context", 0.0, 9.0)
    progress.report("first_decode", 0.0, 10.0)
    assert progress.took(11.0) == LoadTime(6.0, 2.0)


def test_the_latest_loads_are_kept_of_the_models_that_were_loaded_last() -> None:
    times = LoadTimes()
    for number in range(KEPT + 2):
        times.note("a", LoadTime(float(number), 0.0))
    assert [load.total for load in times.of("a")] == [2.0, 3.0, 4.0, 5.0, 6.0]
    assert times.usual("a") == 4.0
    for number in range(MOST_MODELS - 1):
        times.note(str(number), LoadTime(1.0, 0.0))
    times.note("a", LoadTime(1.0, 0.0))
    times.note("new", LoadTime(1.0, 0.0))
    assert times.of("a")
    assert not times.of("0")
    assert times.usual("0") is None


def test_what_is_written_is_read_again() -> None:
    times = LoadTimes({"a": KNOWN, "org/b": KNOWN[:1]})
    again = parse(times.dump())
    assert again.of("a") == KNOWN
    assert again.of("org/b") == KNOWN[:1]
    assert again.dump() == times.dump()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"\xff",
        b"[]",
        b"{}",
        json.dumps({"version": 2, "models": {"a": [[1, 0]]}}).encode(),
        json.dumps({"version": 1, "models": []}).encode(),
        json.dumps({"version": 1, "models": {"a": [1, [1], [1, "x"], [-1, 0], None]}}).encode(),
        b'{"version": 1, "models": {"a": [[NaN, 0], [Infinity, 0], [true, false]]}}',
    ],
)
def test_a_damaged_file_is_forgotten(data: bytes) -> None:
    assert parse(data).of("a") == ()


def test_of_several_contents_the_latest_is_written(tmp_path: Path) -> None:
    path = tmp_path / "db" / "times.json"
    assert keeper.read(path) == b""
    writer = Keeper(path)
    for number in range(100):
        writer.keep(b"%d" % number)
    wait_until(lambda: keeper.read(path) == b"99", "the latest to be written")
    writer.close()


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("in the way")
    writer: Any = Keeper(file / "times.json")
    writer.keep(b"1")
    wait_until(lambda: writer._latest.empty(), "the attempt")
    writer.keep(b"2")
    writer.close()
    assert file.read_text() == "in the way"
