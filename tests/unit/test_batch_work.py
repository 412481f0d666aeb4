"""Batches in this process: supervisor and worker are scripted, everything else is real."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fakes.batch_town import BROKEN, BUSY, LINES, Town, request
from kronk.gateway.batches import attempts, runner
from kronk.gateway.batches.answering import AT_ONCE
from kronk.gateway.batches.records import Batch, Counts, Event, Fault, Status, Tokens
from kronk.gateway.batches.results import Results
from kronk.gateway.batches.store import Batches
from kronk.gateway.recovery import Policy
from kronk.shared.errors import Conflict


@pytest.fixture
def town(tmp_path: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Town]:
    usual = attempts.wait_before_retry

    def at_once(*arguments: Any) -> float | None:
        return None if usual(*arguments) is None else 0.0

    # As often as ever, without the waits.
    monkeypatch.setattr(attempts, "wait_before_retry", at_once)
    monkeypatch.setattr(runner, "_FIRST_REST", 0.0)
    town = Town(tmp_path / "town", tiny)
    yield town
    town.database.close()


def expect_all_answered(town: Town, batch: Batch) -> None:
    assert batch.status is Status.COMPLETED
    assert batch.counts == Counts(LINES, LINES, 0)
    answers, errors = town.results(batch)
    assert not errors
    texts = {
        name: row["response"]["body"]["choices"][0]["message"]["content"]
        for name, row in answers.items()
    }
    assert texts == {f"r{n}": f"re line {n}" for n in range(1, LINES + 1)}


def test_each_line_runs_once_some_at_a_time_behind_everybody_else(town: Town) -> None:
    batch = town.finish(town.submit())
    expect_all_answered(town, batch)
    assert set(town.asked.values()) == {1}
    assert len(town.asked) == LINES
    assert 1 < town.most_at_once <= AT_ONCE
    assert town.priorities == {"batch"}
    assert batch.tokens == Tokens(prompt=5 * LINES, completion=2 * LINES)
    assert batch.model == "tiny"


def test_a_busy_server_is_waited_for(town: Town) -> None:
    town.grant = lambda count: BUSY if count <= 200 else None
    expect_all_answered(town, town.finish(town.submit()))


def test_a_worker_that_dies_is_waited_for(town: Town) -> None:
    def script(prompt: str, attempt: int) -> bool:
        if prompt == "line 5" and attempt == 1:
            town.kill_worker()
            return False
        return True

    town.script = script
    expect_all_answered(town, town.finish(town.submit()))
    assert town.asked["line 5"] == 2


def test_a_line_that_kills_its_worker_is_given_up(town: Town) -> None:
    def script(prompt: str, attempt: int) -> bool:
        if prompt == "line 5":
            town.kill_worker()
            return False
        return True

    town.script = script
    batch = town.finish(town.submit())
    assert (batch.status, batch.counts) == (Status.COMPLETED, Counts(LINES, LINES - 1, 1))
    answers, errors = town.results(batch)
    assert len(answers) == LINES - 1
    (row,) = errors.values()
    assert row["custom_id"] == "r5"
    assert row["response"]["status_code"] == 503
    assert row["response"]["body"]["error"]["code"] == "model_crashed"
    assert town.asked["line 5"] == 3


def test_a_line_that_kills_its_worker_is_found_out_where_requests_are_resumed(town: Town) -> None:
    town.policy = Policy()

    def script(prompt: str, attempt: int) -> bool:
        if prompt == "line 5":
            town.kill_worker()
            return False
        return True

    town.script = script
    batch = town.finish(town.submit())
    assert (batch.status, batch.counts) == (Status.COMPLETED, Counts(LINES, LINES - 1, 1))
    answers, errors = town.results(batch)
    assert len(answers) == LINES - 1
    (row,) = errors.values()
    # What it died of, and not that it is refused since.
    assert row["response"]["body"]["error"]["code"] == "model_crashed"
    assert "SIGSEGV" in row["response"]["body"]["error"]["message"]
    assert town.asked["line 5"] == 3
    assert town.exchange.recoveries.quarantined == 1


def test_an_answer_that_takes_too_long_is_given_up(town: Town) -> None:
    town.write_timeout = 0.05
    town.script = lambda prompt, _: prompt != "line 2"
    batch = town.finish(town.submit(request(2)))
    assert batch.counts == Counts(1, 0, 1)
    _, errors = town.results(batch)
    assert errors["r2"]["response"] is None
    assert errors["r2"]["error"]["code"] == "request_timeout"
    assert town.asked["line 2"] == 2


def test_a_model_that_cannot_be_loaded_fails_the_batch_and_keeps_its_answers(town: Town) -> None:
    town.grant = lambda count: BROKEN if count > 10 else None
    batch = town.finish(town.submit())
    assert batch.status is Status.FAILED
    assert batch.faults == (Fault("model_failed", "bad file", None, "body.model"),)
    answers, errors = town.results(batch)
    # One that was granted may still be at its work when the others have failed for good.
    assert len(answers) == batch.counts.completed
    assert 1 <= len(answers) <= 10
    assert not errors


def test_a_bug_in_a_line_is_that_lines_failure(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = attempts.perform

    async def broken(services: Any, operation: Any, by: Any, name: str) -> bytes:
        if "line 3" in str(operation.jobs[0].ask):
            raise RuntimeError("a bug")
        return await usual(services, operation, by, name)

    monkeypatch.setattr(attempts, "perform", broken)
    batch = town.finish(town.submit())
    assert batch.counts == Counts(LINES, LINES - 1, 1)
    _, errors = town.results(batch)
    assert errors["r3"]["response"]["status_code"] == 500
    assert "a bug" not in json.dumps(errors)


def test_what_is_wrong_with_lines_does_not_stop_the_others(town: Town) -> None:
    lines = [request(1), request(2, top_p=7), request(3, stream=True), request(4)]
    batch = town.finish(town.submit(*lines))
    answers, errors = town.results(batch)
    assert set(answers) == {"r1", "r4"}
    assert [errors[name]["response"]["body"]["error"]["param"] for name in ("r2", "r3")] == [
        "top_p",
        "stream",
    ]


@pytest.mark.parametrize("seen", [*range(0, LINES, 3), LINES])
def test_a_life_may_end_at_any_answer(town: Town, seen: int) -> None:
    name = town.submit()

    async def until_seen() -> None:
        reached = asyncio.Event()
        town.on_answer = lambda count: reached.set() if count >= seen else None
        if seen:
            await reached.wait()

    town.live(until_seen)
    town.on_answer = lambda count: None
    expect_all_answered(town, town.finish(name))
    # What was in flight runs again, and nothing else.
    assert sum(town.asked.values()) <= LINES + AT_ONCE


@pytest.mark.parametrize("seen", [*range(1, LINES, 3), LINES])
def test_a_cancel_may_come_at_any_answer(town: Town, seen: int) -> None:
    name = town.submit()
    ends: list[Batch] = []

    async def cancel_at() -> None:
        reached = asyncio.Event()
        town.on_answer = lambda count: reached.set() if count >= seen else None
        await reached.wait()
        try:
            assert (await town.batches.advance(name, Event.CANCEL)).status is Status.CANCELLING
        except Conflict:
            # It was just ready.
            assert seen == LINES
        ends.append(await town.end_of(name))

    town.live(cancel_at)
    (batch,) = ends
    answers, errors = town.results(batch)
    assert len(answers) + len(errors) == LINES
    assert len(answers) == batch.counts.completed
    assert {row["error"]["code"] for row in errors.values()} <= {"batch_cancelled"}
    if batch.status is Status.COMPLETED:
        assert not errors
    else:
        assert batch.status is Status.CANCELLED


def test_a_cancel_that_nobody_could_carry_out_is_carried_out_in_the_next_life(town: Town) -> None:
    name = town.submit()
    asyncio.run(Batches(town.database.table("batches"), town.files).advance(name, Event.CANCEL))
    batch = town.finish(name)
    assert batch.status is Status.CANCELLED
    # Nothing had been looked at.
    assert (batch.has_output, batch.has_errors, batch.counts) == (False, False, Counts())
    assert not town.asked


def test_a_window_that_ended_while_nobody_was_there_ends_the_batch(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = town.submit(window=0)
    batch = town.finish(name)
    assert batch.status is Status.EXPIRED
    answers, errors = town.results(batch)
    assert not answers
    assert len(errors) == LINES
    assert {row["error"]["code"] for row in errors.values()} == {"batch_expired"}
    assert batch.counts == Counts(LINES, 0, 0)


def test_a_disk_that_is_full_interrupts_and_nothing_is_lost(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual, calls = Results.append, [0]

    def append(self: Results, rows: Any) -> None:
        calls[0] += 1
        if calls[0] in (2, 4):
            # As far as it went.
            usual(self, [])
            for file in self._files.values():
                file.write(b'{"id": "batch_req_')
                file.flush()
            raise OSError(28, "No space left on device")
        usual(self, rows)

    monkeypatch.setattr(Results, "append", append)
    expect_all_answered(town, town.finish(town.submit()))
    assert calls[0] > 4


def test_a_disk_that_hangs_and_fails_while_the_gateway_stops_keeps_nobody(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual, failed = Results.append, threading.Event()

    def append(self: Results, rows: Any) -> None:
        if not failed.is_set():
            failed.wait(30)
            raise OSError(5, "Input/output error")
        usual(self, rows)

    async def until_all_wait_for_it() -> None:
        reached = asyncio.Event()
        # As many as the writer has and the queue holds, and one more.
        town.on_answer = lambda count: reached.set() if count == AT_ONCE + 2 else None
        await reached.wait()
        town.on_answer = lambda count: None
        asyncio.get_running_loop().call_later(0.05, failed.set)

    monkeypatch.setattr(Results, "append", append)
    name = town.submit()
    town.live(until_all_wait_for_it)
    expect_all_answered(town, town.finish(name))


def test_an_input_that_is_gone_fails_the_batch(town: Town) -> None:
    name = town.submit()
    town.files.delete(asyncio.run(town_batches(town).now(name)).input_file)
    batch = town.finish(name)
    assert batch.status is Status.FAILED
    (fault,) = batch.faults
    assert fault.code == "input_file_not_found"


def town_batches(town: Town) -> Batches:
    return Batches(town.database.table("batches"), town.files)


def test_batches_are_run_in_the_order_they_came_two_at_a_time(town: Town) -> None:
    names = [
        town.submit(*(request(100 * batch + n) for n in range(1, LINES + 1)))
        for batch in range(1, 5)
    ]

    async def all_ends() -> None:
        for name in names:
            assert (await town.end_of(name)).status is Status.COMPLETED

    town.live(all_ends)
    order = [int(prompt.removeprefix("line ")) // 100 for prompt in town.asked]
    first = {batch: order.index(batch) for batch in (1, 2, 3, 4)}
    last = {batch: len(order) - order[::-1].index(batch) for batch in (1, 2, 3, 4)}
    # Where the first two end together, the next two begin together.
    assert set(sorted(first, key=lambda batch: first[batch])[:2]) == {1, 2}
    assert first[3] >= min(last[1], last[2])
    assert first[4] >= sorted(last[batch] for batch in (1, 2, 3))[1]


def test_no_more_than_so_many_lines_are_in_flight(town: Town) -> None:
    names = [town.submit() for _ in range(3)]

    async def wait_until_full() -> None:
        full = asyncio.Event()
        town.on_lease = lambda running: full.set() if running == 2 * AT_ONCE else None
        await full.wait()

    town.script = lambda prompt, attempt: False
    town.live(wait_until_full)
    town.script = lambda prompt, attempt: True
    for name in names:
        expect_all_answered(town, town.finish(name))
    assert town.most_at_once == 2 * AT_ONCE


def test_two_gateways_never_run_batches_at_the_same_time(town: Town) -> None:
    name = town.submit()

    async def both() -> None:
        # The first has the lock from the start.
        second = asyncio.create_task(town.make_runner().run())
        try:
            await town.end_of(name)
        finally:
            second.cancel()
            await asyncio.gather(second, return_exceptions=True)

    town.live(both)
    assert set(town.asked.values()) == {1}
    # The lock goes with its holder: another life can have it.
    expect_all_answered(town, town.finish(name))
