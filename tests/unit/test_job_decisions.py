"""Which jobs begin, which are tried again, and which are forgotten."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kronk.gateway.jobs.decisions import DIED, INTERRUPTED, due, next_look, to_forget, verdict
from kronk.gateway.jobs.records import (
    NEXT,
    OVER,
    Event,
    Fault,
    Job,
    State,
    advance,
    from_json,
    job_object,
    to_json,
)
from kronk.shared.errors import Conflict
from kronk.shared.jobs.kinds import LANES, Kind

KINDS = {
    "pull": Kind("pull", "a:b", ("x",), "t"),
    "scan": Kind("scan", "a:b", ("x",), "t", lane="disk"),
}
STATES = st.sampled_from(list(State))


def job(number: int, kind: str = "pull", target: str | None = None, **more: Any) -> Job:
    return Job(f"job-{number}", kind, {}, "t", target or f"{kind}:{number}", number, **more)


def names(jobs: list[Job]) -> list[str]:
    return [one.id for one in jobs]


@pytest.mark.parametrize(
    ("jobs", "running", "expected"),
    [
        ([], [], []),
        ([job(1), job(2), job(3)], [], ["job-1", "job-2"]),
        ([job(3), job(1), job(2)], [], ["job-1", "job-2"]),
        ([job(2), job(3)], [job(1)], ["job-2"]),
        ([job(3)], [job(1), job(2)], []),
        # Another lane does not wait for downloads.
        ([job(3), job(4, "scan"), job(5, "scan")], [job(1), job(2)], ["job-4"]),
        # One at a time for each target, also where the first has only just been cancelled.
        ([job(2, target="a"), job(3)], [job(1, target="a")], ["job-3"]),
        ([job(1, target="a"), job(2, target="a")], [], ["job-1"]),
        # One that rests lets others by.
        ([job(1, not_before=101.0), job(2)], [], ["job-2"]),
        ([job(1, not_before=100.0)], [], ["job-1"]),
        # The clock was set back: nobody asked for a rest of a day.
        ([job(1, not_before=86_500.0)], [], ["job-1"]),
        # What is not queued is not begun.
        ([job(1, state=State.RUNNING), job(2, state=State.CANCELLED)], [], []),
        # A kind of another version is begun, to be told that it is unknown.
        ([job(1, "else")], [], ["job-1"]),
    ],
)
def test_jobs_begin_in_order_as_their_lane_and_target_are_free(
    jobs: list[Job], running: list[Job], expected: list[str]
) -> None:
    assert names(due(jobs, running, KINDS, 100.0)) == expected


@given(
    st.lists(st.tuples(st.sampled_from(["pull", "scan", "else"]), st.integers(0, 5), STATES)),
    st.integers(0, 4),
)
def test_never_more_than_a_lane_has_and_never_two_of_a_target(
    rows: list[tuple[str, int, State]], split: int
) -> None:
    jobs = [
        job(at, kind, f"{kind}:{target}", state=state)
        for at, (kind, target, state) in enumerate(rows)
    ]
    running = due([replace(one, state=State.QUEUED) for one in jobs[:split]], [], KINDS, 0.0)
    begun = due(jobs[split:], running, KINDS, 0.0)
    together = [*running, *begun]
    assert len({one.target for one in together}) == len(together)
    for lane, most in LANES.items():
        kinds = {"disk": ("scan", "else"), "download": ("pull",)}[lane]
        assert sum(one.kind in kinds for one in together) <= most


def test_the_next_look_is_when_the_first_rest_is_over() -> None:
    assert next_look([job(1), job(2)], 100.0) is None
    resting = [job(1, not_before=105.0), job(2, not_before=103.0), job(3, not_before=90.0)]
    assert next_look(resting, 100.0) == 3.0
    assert next_look([replace(resting[1], state=State.CANCELLED)], 100.0) is None


@pytest.mark.parametrize(
    ("code", "failures", "got_on", "event", "wait"),
    [
        ("fetch_failed", 0, False, Event.REST, 2.0),
        ("fetch_failed", 3, False, Event.REST, 16.0),
        ("fetch_failed", 5, False, Event.REST, 64.0),
        ("fetch_failed", 6, False, Event.FAIL, 0.0),
        # A line that breaks now and then is no reason to give up.
        ("fetch_failed", 6, True, Event.REST, 2.0),
        (DIED, 2, False, Event.REST, 8.0),
        (DIED, 3, False, Event.FAIL, 0.0),
        (INTERRUPTED, 4, False, Event.REST, 0.0),
        (INTERRUPTED, 10, False, Event.FAIL, 0.0),
        ("not_found", 0, True, Event.FAIL, 0.0),
        ("invalid_argument", 0, False, Event.FAIL, 0.0),
        ("wrong_content", 0, True, Event.FAIL, 0.0),
        ("disk_full", 0, True, Event.FAIL, 0.0),
        ("fetch_refused", 0, False, Event.FAIL, 0.0),
        ("internal", 0, False, Event.FAIL, 0.0),
    ],
)
def test_what_may_pass_is_tried_again_and_nothing_else(
    code: str, failures: int, got_on: bool, event: Event, wait: float
) -> None:
    found = verdict(Fault(code, "why"), failures, got_on=got_on)
    assert (found.event, found.wait) == (event, wait)


def test_who_asks_to_be_left_alone_is() -> None:
    fault = Fault("fetch_failed", "busy")
    assert verdict(fault, 0, got_on=False, asked=90.0).wait == 90.0
    assert verdict(fault, 4, got_on=False, asked=1.0).wait == 32.0
    assert verdict(fault, 0, got_on=False, asked=1e9).wait == 600.0


def test_the_oldest_and_the_many_are_forgotten_and_nothing_that_is_not_over() -> None:
    over = [job(at, state=State.DONE, ended=100.0 + at) for at in range(5)]
    live = [job(7), job(8, state=State.RUNNING)]
    assert to_forget([*over, *live], 110.0, 3, 1000.0) == ["job-1", "job-0"]
    assert to_forget([*over, *live], 110.0, 9, 7.0) == ["job-2", "job-1", "job-0"]
    assert to_forget(live, 1e12, 0, 0.0) == []


@given(STATES, st.sampled_from(list(Event)))
def test_a_change_has_a_row_or_is_refused(state: State, event: Event) -> None:
    before = job(1, state=state, rate=5.0, eta=2.0, ended=1.0 if state in OVER else None)
    if event not in NEXT[state]:
        with pytest.raises(Conflict, match=f"it is {state}"):
            advance(before, event, 9.0)
        return
    after = advance(before, event, 9.0)
    assert after.state is NEXT[state][event]
    assert (after.ended is not None) == after.is_over
    assert from_json(to_json(after) | {"of_another_version": 1}) == after
    assert job_object(after)["state"] == after.state


def test_cancelling_twice_changes_nothing() -> None:
    once = advance(job(1, state=State.RUNNING), Event.CANCEL, 5.0)
    assert advance(once, Event.CANCEL, 9.0) is once


def test_each_start_is_an_attempt_and_the_first_one_its_beginning() -> None:
    first = advance(job(1), Event.START, 5.0)
    again = advance(advance(first, Event.REST, 6.0), Event.START, 7.0)
    assert (again.started, again.attempts) == (5.0, 2)


def test_a_job_that_rests_says_why_and_until_when() -> None:
    told = job_object(job(1, error=Fault("fetch_failed", "no line"), not_before=70.0))
    assert told["retry_at"] == 70.0
    assert told["error"] == {"code": "fetch_failed", "message": "no line"}
    assert job_object(job(1))["retry_at"] is None
