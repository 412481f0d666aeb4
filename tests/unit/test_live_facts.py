"""What a live state says, who sees what of it, and what happened between two of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.live import EVERYBODY, facts, model, viewer, waiter
from kronk.gateway.jobs.records import Fault, Job, State
from kronk.gateway.live.facts import MOST_WAITERS, plain, state_of
from kronk.gateway.live.happenings import between
from kronk.shared.wire.status import Departure, ModelStatus, Outcome, SlotStats

NO_CONFIGS: dict[str, Any] = {}


def departure(outcome: Outcome, cause: str, name: str = "tiny") -> Departure:
    return Departure(
        model=name,
        generation=7,
        pid=107,
        started=900.0,
        ready=901.0,
        ended=999.5,
        outcome=outcome,
        cause=cause,
        exit_code=None,
        signal=None,
        out_of_memory=False,
        requests=0,
        last_lines=(),
    )


def job(state: State, error: Fault | None = None) -> Job:
    return Job("job-1", "pull", {}, "pull tiny", "tiny", 1.0, state, 900.0, 905.0, error=error)


# The state.


def test_processes_are_ours_and_the_models() -> None:
    state = state_of(facts(model("tiny"), model("far", host="box", generation=8)), 3)
    rows = [(row["role"], row["model"], row["host"], row["fds"]) for row in state["processes"]]
    assert rows == [
        ("supervisor", None, None, 20),
        ("worker", "tiny", None, None),
        ("worker", "far", "box", None),
    ]
    assert state["server"]["uptime"] == 600.0
    assert state["sequence"] == 3


def test_a_pid_of_another_host_is_not_looked_up_here() -> None:
    # The pid of our own supervisor, which is somebody else's there.
    far = model("far", host="box", pid=10)
    [_, row] = state_of(facts(far), 1)["processes"]
    assert (row["pid"], row["cpu_percent"], row["rss_bytes"]) == (10, None, 5000)


def test_the_queue_is_in_its_order_with_those_that_wait_in_the_worker_counted() -> None:
    waiters = (waiter("c", "tiny", None), waiter("b", "tiny", 2), waiter("a", "tiny", 1))
    [row] = state_of(facts(model("tiny", queued=5), waiters=waiters), 1)["queue"]
    assert [one["request"] for one in row["requests"]] == ["a", "b", "c"]
    assert row["waiting"] == 5


def test_a_long_queue_is_told_in_part() -> None:
    waiters = tuple(waiter(str(number), "tiny", number) for number in range(3 * MOST_WAITERS))
    [row] = state_of(facts(waiters=waiters), 1)["queue"]
    assert row["waiting"] == 3 * MOST_WAITERS
    assert len(row["requests"]) == MOST_WAITERS


def test_throughput_is_the_sum_of_what_runs() -> None:
    state = state_of(
        facts(model("a"), model("b", tokens_per_second=5.5), model("c", generation=None)), 1
    )
    assert state["throughput"] == {"tokens_per_second": 25.5, "models": {"a": 20.0, "b": 5.5}}


def test_dataclasses_become_what_json_has() -> None:
    assert plain((SlotStats(1, "idle", 2), {"a": 1}, None)) == [
        {
            "index": 1,
            "phase": "idle",
            "rows": 2,
            "prompt": 0,
            "prompt_done": 0,
            "generated": 0,
            "request": "",
        },
        {"a": 1},
        None,
    ]


# Who sees what.


def test_whose_a_request_is_only_administrators_see() -> None:
    state = state_of(facts(model("tiny"), waiters=(waiter("a", "tiny", 1),)), 1)

    def owners(seen: Any) -> set[str | None]:
        slots = {slot["by"] for row in seen["models"] for slot in row["slots"]}
        return slots | {one["by"] for row in seen["queue"] for one in row["requests"]}

    assert owners(viewer(admin=True).view(state, NO_CONFIGS)) == {"Anna"}
    assert owners(EVERYBODY.view(state, NO_CONFIGS)) == {"Anna"}
    assert owners(viewer().view(state, NO_CONFIGS)) == {None}
    # It was not taken out of what others see.
    assert owners(state) == {"Anna"}


def test_models_that_a_token_does_not_grant_are_nowhere() -> None:
    waiters = (waiter("a", "secret", 1), waiter("b", "team-a", 1))
    known = facts(model("secret", queued=1), model("team-a"), waiters=waiters)
    seen = viewer(("team-*",)).view(state_of(known, 1), NO_CONFIGS)
    assert "secret" not in repr(seen)
    assert [row["model"] for row in seen["models"]] == ["team-a"]
    assert [row["role"] for row in seen["processes"]] == ["supervisor", "worker"]


def test_viewers_who_may_see_the_same_are_the_same() -> None:
    assert viewer(("a",)) == viewer(("a",))
    assert hash(viewer(("a",))) == hash(viewer(("a",)))
    assert len({viewer(), viewer(("a",)), viewer(("b",)), viewer(admin=True)}) == 4


# What happened.


CHANGES: tuple[tuple[str, ModelStatus | None, ModelStatus, list[str]], ...] = (
    ("new and loading", None, model("tiny", "loading"), ["model.loading"]),
    ("loaded within a second", None, model("tiny"), ["model.ready"]),
    ("ready", model("tiny", "loading"), model("tiny"), ["model.ready"]),
    ("still ready", model("tiny"), model("tiny", tokens_per_second=3.0), []),
    ("begins to end", model("tiny"), model("tiny", "draining"), ["model.draining"]),
    ("does not end after all", model("tiny", "draining"), model("tiny"), []),
    ("another process", model("tiny"), model("tiny", generation=8), ["model.ready"]),
    ("the next load", model("tiny"), model("tiny", "loading", 8), ["model.loading"]),
    ("waits", model("tiny"), model("tiny", "backoff", None), []),
)


@pytest.mark.parametrize(
    ("before", "after", "kinds"), [row[1:] for row in CHANGES], ids=[r[0] for r in CHANGES]
)
def test_states_of_models_are_told_when_they_change(
    before: ModelStatus | None, after: ModelStatus, kinds: list[str]
) -> None:
    then = facts(*([] if before is None else [before]))
    assert [one.kind for one in between(then, facts(after))] == kinds


ENDS: tuple[tuple[Outcome, str, str, str], ...] = (
    ("unloaded", "unused for its TTL (exit 0)", "model.unloaded", "info"),
    ("unloaded", "made room for another model (exit 0)", "model.evicted", "info"),
    ("unloaded", "models take more memory than was expected", "model.evicted", "info"),
    ("crashed", "killed by SIGSEGV", "model.crashed", "error"),
    ("killed", "no heartbeat for 30 s", "model.killed", "error"),
    ("failed", "the file is damaged", "model.failed", "error"),
)


@pytest.mark.parametrize(("outcome", "cause", "kind", "level"), ENDS)
def test_ends_of_processes_are_told_with_their_cause(
    outcome: Outcome, cause: str, kind: str, level: str
) -> None:
    now = facts(model("tiny", "loading", 8), departures=(departure(outcome, cause),))
    end, after = between(facts(model("tiny")), now)
    assert (end.kind, end.level, end.reason, end.time) == (kind, level, cause, 999.5)
    assert cause in end.message
    # What ended comes before what took its place.
    assert after.kind == "model.loading"


@pytest.mark.parametrize(
    ("state", "error", "kind", "words"),
    [
        (State.DONE, None, "job.done", "pull tiny is done."),
        (State.CANCELLED, None, "job.cancelled", "pull tiny was cancelled."),
        (State.FAILED, Fault("x", "no such file"), "job.failed", "pull tiny failed: no such file"),
    ],
)
def test_ends_of_jobs_are_told(state: State, error: Fault | None, kind: str, words: str) -> None:
    [one] = between(facts(), facts(ended_jobs=(job(state, error),)))
    assert (one.kind, one.message, one.job, one.seconds) == (kind, words, "job-1", 5.0)


def test_that_the_server_stops_is_told_once() -> None:
    stopping = facts(draining=True)
    assert [one.kind for one in between(facts(), stopping)] == ["drain.begun"]
    assert between(stopping, stopping) == []


STATES = st.sampled_from(["absent", "loading", "ready", "draining", "backoff", "failed"])
ROWS = st.lists(
    st.builds(model, st.sampled_from("ab"), STATES, st.integers(1, 3)),
    max_size=2,
    unique_by=lambda row: row.model,
)


@given(ROWS, ROWS)
def test_nothing_happens_while_nothing_changes_and_only_what_there_is_changes(
    before: list[ModelStatus], after: list[ModelStatus]
) -> None:
    then, now = facts(*before), facts(*after)
    assert between(now, replace(now, time=now.time + 1.0)) == []
    told = between(then, now)
    assert {one.model for one in told} <= {row.model for row in after}
    assert len(told) == len({one.model for one in told})
