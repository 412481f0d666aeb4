"""Statistics of models: they outlive servers, and count nothing twice."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import lmdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import reports
from harness.reports import MODEL
from kronk.cli import main as cli
from kronk.cli.statistics import page
from kronk.cli.statistics import table as shown
from kronk.gateway.link import Link
from kronk.gateway.telemetry.report import RunReport
from kronk.gateway.telemetry.statistics import StatisticsKeeper
from kronk.shared import exits
from kronk.shared.database import Database, Table
from kronk.shared.errors import NotFound, Timeout
from kronk.shared.paths import BasePath
from kronk.shared.telemetry import statistics_table
from kronk.shared.telemetry.statistics import (
    Statistics,
    add,
    from_record,
    take_over,
    to_record,
    told,
)
from kronk.shared.wire.status import ModelCounters
from kronk.shared.wire.to_gateway import Status

NOW = 1_700_000_000.0
SERVER = NOW - 100.0


def counters(**more: Any) -> ModelCounters:
    return ModelCounters(MODEL, **more)


def status(*models: ModelCounters, since: float = SERVER) -> Status:
    return Status(1, False, (), (), counters=models, since=since)


class Supervisor:
    """What a keeper needs of a link."""

    def __init__(self) -> None:
        self.answer: Status | None = status()

    async def status(self, seconds: float) -> Status:
        if self.answer is None:
            raise Timeout("the supervisor did not answer")
        return self.answer


class Desk:
    """A keeper over a real database; `run` is one gateway's life."""

    def __init__(self, folder: Path) -> None:
        self.base = BasePath(folder)
        self.database = Database(self.base.db)
        self.table: Table = self.database.table(statistics_table.TABLE)
        self.supervisor = Supervisor()
        self.keeper = self.restart()

    def restart(self) -> StatisticsKeeper:
        self.keeper = StatisticsKeeper(self.table, cast(Link, self.supervisor), lambda: NOW)
        return self.keeper

    def write(self, *runs: RunReport) -> None:
        for run in runs:
            self.keeper.run_ended(run)
        asyncio.run(self.keeper.write())

    def of(self, model: str = MODEL) -> dict[str, Any]:
        return statistics_table.one_of(self.table, model)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.database.close()


def test_what_a_model_was_asked_is_told_with_its_means(desk: Desk) -> None:
    cut = reports.done(outcome="cancelled", usage=None, timings=None)
    desk.write(reports.done(), reports.done(), cut)
    found = desk.of()
    assert (found["requests"], found["done"], found["cancelled"]) == (3, 2, 1)
    assert (found["prompt_tokens"], found["cached_tokens"]) == (300, 120)
    assert (found["completion_tokens"], found["reasoning_tokens"]) == (33, 6)
    assert found["ttft_seconds"] == {"count": 3, "avg": 1.5, "min": 1.5, "max": 1.5}
    assert found["prefill_tokens_per_second"]["avg"] == 80.0
    assert found["decode_tokens_per_second"]["avg"] == 5.0
    assert found["contexts"] == [{"up_to": 1024, "tokens": 20, "tokens_per_second": 5.0}]
    assert (found["first_used"], found["last_used"]) == (NOW, NOW)


def test_errors_count_by_code_and_what_is_no_model_is_nobodys(desk: Desk) -> None:
    failed = reports.done(outcome="failed", usage=None, timings=None, error=NotFound("it is gone"))
    lone = reports.attempt(granted=None, generation=None, model=None, first=None)
    unknown = reports.done(job=reports.chat("made-up"), attempts=(lone,), outcome="failed")
    desk.write(failed, unknown)
    assert desk.of()["errors"] == {"not_found": 1}
    assert [one["model"] for one in statistics_table.everything(desk.table)] == [MODEL]


def test_the_next_gateway_goes_on_where_the_last_one_was(desk: Desk) -> None:
    desk.supervisor.answer = status(counters(loads=1, load_seconds=2.0, exits={"SIGSEGV": 1}))
    desk.write(reports.done())
    desk.restart()
    desk.write(reports.done())
    found = desk.of()
    assert found["requests"] == 2
    assert found["crashes"] == {"SIGSEGV": 1}
    assert found["load_seconds"]["count"] == 1


def test_another_server_counts_anew_and_is_added(desk: Desk) -> None:
    once = {"loads": 1, "load_seconds": 2.0, "load_min": 2.0, "load_max": 2.0}
    desk.supervisor.answer = status(counters(**once, evictions={"ttl": 3}))
    desk.write()
    desk.restart()
    desk.supervisor.answer = status(counters(**once, evictions={"ttl": 1}), since=NOW)
    desk.write()
    found = desk.of()
    assert found["load_seconds"] == {"count": 2, "avg": 2.0, "min": 2.0, "max": 2.0}
    assert found["evictions"] == {"ttl": 4}


def test_nothing_is_written_where_nothing_has_happened(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.supervisor.answer = status(counters(loads=1, load_seconds=2.0))
    desk.write(reports.done())
    writes: list[str] = []

    def upsert(key: str, made: Callable[..., Any]) -> None:
        writes.append(key)

    monkeypatch.setattr(desk.table, "upsert", upsert)
    desk.write()
    assert writes == []


def test_runs_are_kept_while_the_supervisor_does_not_answer(desk: Desk) -> None:
    desk.supervisor.answer = None
    desk.write(reports.done())
    assert desk.of()["requests"] == 1


def test_what_the_disk_does_not_take_is_written_later(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(key: str, made: Callable[..., Any]) -> None:
        raise lmdb.MapFullError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(desk.table, "upsert", full)
        desk.write(reports.done())
    desk.write(reports.done())
    assert desk.of()["requests"] == 2


def test_a_reset_forgets_and_counts_nothing_again(desk: Desk) -> None:
    desk.supervisor.answer = status(counters(loads=4, load_seconds=8.0, exits={"stuck": 1}))
    desk.write(reports.done())
    assert asyncio.run(desk.keeper.reset(MODEL)) == 1
    desk.restart()
    desk.write()
    assert statistics_table.everything(desk.table) == []
    desk.supervisor.answer = status(counters(loads=5, load_seconds=9.0, exits={"stuck": 1}))
    desk.write()
    found = desk.of()
    assert (found["load_seconds"]["count"], found["crashes"]) == (1, {})
    with pytest.raises(NotFound):
        asyncio.run(desk.keeper.reset("another"))


DAMAGED = [
    None,
    {},
    {"done": "many", "tokens": [1], "ttft": [1, 2], "errors": {"x": -3}, "server": None},
    {"done": float("nan"), "loads": {"a": 1}, "seen": 7, "contexts": 1, "first_used": "now"},
    {"ttft": [1, "a", None, []], "context_seconds": {"1024": "x"}, "peak_rss_bytes": 1e999},
]


@pytest.mark.parametrize("record", DAMAGED)
def test_a_damaged_record_is_as_none(record: dict[str, Any] | None) -> None:
    statistics = from_record(record)
    add(statistics, from_record(record))
    take_over(statistics, counters(loads=1, load_seconds=1.0), SERVER)
    assert told(MODEL, statistics)["requests"] == 0
    assert from_record(to_record(statistics)).loads.count == 1


names = st.sampled_from(["a", "b", "c"])


@given(st.lists(st.tuples(st.integers(0, 5), st.dictionaries(names, st.integers(0, 5)))))
def test_what_is_taken_over_is_what_was_counted_however_often_it_is_told(
    steps: list[tuple[int, dict[str, int]]],
) -> None:
    total, loads, exits_seen = Statistics(), 0, dict.fromkeys("abc", 0)
    for more, ends in steps:
        loads += more
        for name, count in ends.items():
            exits_seen[name] += count
        told_now = counters(loads=loads, load_seconds=float(loads), exits=dict(exits_seen))
        for _ in range(2):
            take_over(total, told_now, SERVER)
            total = from_record(to_record(total))
    assert total.loads.count == loads
    assert total.crashes.total() == sum(exits_seen.values())


def test_the_table_and_the_page_say_what_a_model_costs(desk: Desk) -> None:
    desk.supervisor.answer = status(
        counters(loads=1, load_seconds=2.0, load_min=2.0, load_max=2.0, exits={"SIGSEGV": 1})
    )
    desk.write(reports.done())
    head, line = shown([desk.of()])
    assert head.split()[0] == "MODEL"
    assert line.split()[:8] == [MODEL, "1", "0", "100", "60", "%", "11", "1.50"]
    text = "\n".join(page(desk.of()))
    assert "60 % cached" in text
    assert "1 SIGSEGV" in text
    assert "1024" in text


def call(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["kronk", "model", "stats", *words])
    try:
        return cli._call()
    except SystemExit as ended:
        return int(ended.code or 0)


def test_the_command_reads_and_forgets_without_a_server(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.write(reports.done())
    desk.database.close()
    here = ("--local", "--base-path", str(desk.base.root))
    assert call(monkeypatch, *here) == exits.OK
    assert MODEL in capsys.readouterr().out
    assert call(monkeypatch, MODEL, *here, "--json") == exits.OK
    assert '"requests": 1' in capsys.readouterr().out
    assert call(monkeypatch, MODEL, *here, "--reset") == exits.OK
    assert call(monkeypatch, *here) == exits.OK
    assert "no model has been used yet" in capsys.readouterr().out
    assert call(monkeypatch, "another", *here) == 1
    assert capsys.readouterr().err.startswith("error: ")
    desk.database = Database(desk.base.db)
