"""The table of live requests: one terminal event and one returned lease, whatever happens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from fakes.exchange_world import JOB, PROMPT, W, World, finish
from kronk.gateway.exchange import ATTACH_SECONDS, LAST_WORDS_SECONDS
from kronk.gateway.job import WINDOW, Job, embed, generate, inspect, load, rank
from kronk.gateway.run import Run
from kronk.shared.errors import (
    Internal,
    KronkError,
    ModelCrashed,
    NotFound,
    Overloaded,
    Timeout,
)
from kronk.shared.wire.sockets import worker_identity
from kronk.shared.wire.to_gateway import (
    Accepted,
    Attach,
    Delta,
    Done,
    Failed,
    Finished,
    Granted,
    Inspected,
    ReasoningDelta,
    Refused,
    ScoredDelta,
    Scores,
    ToolCallDelta,
    ToolCallRetracted,
    Vectors,
    WorkerLost,
)
from kronk.shared.wire.to_supervisor import LeaseRequest
from kronk.shared.wire.to_worker import (
    LISTED_AT_ONCE,
    MOST_LISTED,
    Cancel,
    Credit,
    Embed,
    Rank,
    Submit,
)
from kronk.shared.wire.values import Answer, Sampling, Want

TEXT = (Want("text"),)


@pytest.fixture
def world() -> World:
    return World()


def test_request_ids_carry_the_gateways_generation(world: World) -> None:
    first, second = world.begin()[1], world.begin()[1]
    assert (first.id >> 32, first.id & 0xFFFFFFFF) == (3, 1)
    assert second.id == first.id + 1
    assert world.supervisor == [
        LeaseRequest(first.id, "tiny", wants=TEXT, name="chatcmpl-x"),
        LeaseRequest(second.id, "tiny", wants=TEXT, name="chatcmpl-x"),
    ]


def test_a_grant_of_an_attached_worker_submits_at_once(world: World) -> None:
    run = world.submitted()
    ((worker, submit),) = world.workers
    expected = Submit(run.id, "chatcmpl-x", PROMPT, Sampling(), Answer(), None, (), WINDOW)
    assert (worker, replace(submit, draw=None)) == (W, expected)
    assert submit.draw is not None


def test_what_has_nothing_decoded_says_so_and_its_parts_need_no_credit(world: World) -> None:
    world.say(Attach())
    run = world.begin(job=inspect("tiny", PROMPT, wants=("tokens",)))[1]
    assert world.supervisor == [LeaseRequest(run.id, "tiny", purpose="inspect", name="chatcmpl-x")]
    world.exchange.on_control(Granted(run.id, W))
    parts = MOST_LISTED // LISTED_AT_ONCE
    for _ in range(parts):
        world.say(Inspected(run.id, "", (1,), (), 512))
    world.say(finish(run))
    assert len(run.take_now()) == parts
    assert run.ended == finish(run)


@pytest.mark.parametrize("worker", [W, None])
def test_what_only_wants_a_load_says_so_and_ends_with_its_grant(
    world: World, worker: int | None
) -> None:
    run = world.begin(job=replace(load("tiny"), ttl=60.0))[1]
    request = LeaseRequest(run.id, "tiny", 60.0, purpose="load", name="chatcmpl-x")
    assert world.supervisor == [request]
    world.exchange.on_control(Granted(run.id, worker))
    assert isinstance(run.ended, Done)
    assert (world.workers, world.returned()) == ([], [run.id])


def test_a_grant_waits_for_its_worker_to_attach(world: World) -> None:
    run = world.begin()[1]
    world.exchange.on_control(Granted(run.id, W))
    assert world.workers == []
    world.say(Attach(), worker=8)
    assert world.workers == []
    world.say(Attach())
    assert len(world.told(Submit)) == 1
    world.fire(ATTACH_SECONDS)
    assert run.ended is None


def test_a_worker_that_does_not_attach_in_time_is_a_timeout(world: World) -> None:
    run = world.begin()[1]
    world.exchange.on_control(Granted(run.id, W))
    world.fire(ATTACH_SECONDS)
    assert isinstance(run.ended, Timeout)
    assert world.returned() == [run.id]
    assert world.workers == []


def test_a_worker_that_cannot_be_reached_is_waited_for_again(world: World) -> None:
    world.say(Attach())
    world.unreachable.add(W)
    run = world.begin()[1]
    world.exchange.on_control(Granted(run.id, W))
    assert not run.submitted
    world.unreachable.clear()
    world.say(Attach())
    assert run.submitted


ENDS: list[tuple[str, Callable[[World, Run], None], type, int]] = [
    ("done", lambda w, r: w.say(finish(r)), Done, 0),
    ("failed", lambda w, r: w.say(Failed(r.id, "not_found", "x", None)), NotFound, 0),
    ("client gone", lambda w, r: w.exchange.hang_up(r), KronkError, 1),
    ("end of all", lambda w, r: w.exchange.end_all(Overloaded("x")), Overloaded, 1),
    ("bad frame", lambda w, r: w.exchange.on_bad_frame(worker_identity(W)), Internal, 1),
    ("lost connection", lambda w, r: w.say(Attach()), ModelCrashed, 0),
    (
        "dead worker",
        lambda w, r: (
            w.exchange.on_control(WorkerLost(W, "tiny", "SIGKILL")),
            w.fire(LAST_WORDS_SECONDS),
        )[0],
        ModelCrashed,
        0,
    ),
]


@pytest.mark.parametrize(("act", "ended", "cancels"), [row[1:] for row in ENDS])
def test_every_end_is_one_and_returns_the_lease_once(
    world: World, act: Callable[[World, Run], None], ended: type, cancels: int
) -> None:
    world.say(Attach())
    block, run = world.begin()
    world.exchange.on_control(Granted(run.id, W))
    act(world, run)
    first = run.ended
    assert isinstance(first, ended)
    # Whatever comes after it changes nothing.
    for _, again, _, _ in ENDS:
        again(world, run)
    block.__exit__(None, None, None)
    assert run.ended is first
    assert world.returned() == [run.id]
    assert len(world.told(Cancel)) == cancels
    assert len(world.exchange) == 0


def test_leaving_the_block_early_cancels_and_returns(world: World) -> None:
    world.say(Attach())
    with world.exchange.running("x", JOB, 0) as run:
        world.exchange.on_control(Granted(run.id, W))
    assert world.told(Cancel) == [Cancel(run.id)]
    assert world.returned() == [run.id]


def test_a_refusal_ends_the_request_with_all_its_fields(world: World) -> None:
    run = world.begin()[1]
    world.exchange.on_control(Refused(run.id, "overloaded", "busy", "model", 2.5))
    assert isinstance(run.ended, Overloaded)
    assert (run.ended.message, run.ended.param, run.ended.retry_after) == ("busy", "model", 2.5)


def test_a_grant_for_a_request_that_was_given_up_submits_nothing(world: World) -> None:
    world.say(Attach())
    run = world.begin()[1]
    world.exchange.hang_up(run)
    world.exchange.on_control(Granted(run.id, W))
    assert world.workers == []
    assert world.returned() == [run.id]


def test_a_dead_workers_last_words_are_read_before_its_requests_fail(world: World) -> None:
    run = world.submitted()
    other = world.begin()[1]
    world.say(Attach(), worker=8)
    world.exchange.on_control(Granted(other.id, 8))
    world.unread = [Delta(run.id, 0, "last", (1,)), finish(run)]
    world.exchange.on_control(WorkerLost(W, "tiny", "SIGKILL"))
    world.fire(LAST_WORDS_SECONDS)
    assert isinstance(run.ended, Done)
    assert other.ended is None


def test_the_cause_of_a_workers_death_is_named(world: World) -> None:
    run = world.submitted()
    world.exchange.on_control(WorkerLost(W, "tiny", "killed by SIGSEGV"))
    world.fire(LAST_WORDS_SECONDS)
    assert isinstance(run.ended, ModelCrashed)
    assert run.ended.message == "the process of tiny died: killed by SIGSEGV"


def test_a_request_waiting_for_a_worker_that_dies_fails_at_once(world: World) -> None:
    run = world.begin()[1]
    world.exchange.on_control(Granted(run.id, W))
    world.exchange.on_control(WorkerLost(W, "tiny", "SIGKILL"))
    world.fire(LAST_WORDS_SECONDS)
    assert isinstance(run.ended, ModelCrashed)


def test_the_dead_do_not_attach(world: World) -> None:
    world.exchange.on_control(WorkerLost(W, "tiny", "SIGKILL"))
    world.say(Attach())
    run = world.begin()[1]
    world.exchange.on_control(Granted(run.id, W))
    assert not run.submitted


def test_stale_frames_are_dropped_and_counted(world: World) -> None:
    run = world.submitted()
    world.say(finish(run), worker=W, generation=W - 1)
    world.say(finish(run), worker=8)
    assert run.ended is None
    assert world.exchange.stale_frames == 2


def test_frames_of_unknown_requests_are_dropped_and_counted(world: World) -> None:
    run = world.submitted()
    world.exchange.hang_up(run)
    world.say(Delta(run.id, 0, "x", (1,)))
    world.say(finish(run))
    assert world.exchange.late_frames == 2


def test_credit_is_returned_in_halves_of_the_window(world: World) -> None:
    run = world.submitted()

    async def read() -> None:
        for number in range(WINDOW):
            world.say(Delta(run.id, 0, str(number), (number,)))
            await run.take()
            world.exchange.repay(run)

    asyncio.run(read())
    assert world.told(Credit) == [Credit(run.id, WINDOW // 2)] * 2


def test_nothing_is_credited_for_what_the_client_has_not_taken(world: World) -> None:
    run = world.submitted()
    for number in range(WINDOW):
        world.say(Delta(run.id, 0, str(number), (number,)))
    world.exchange.repay(run)
    assert world.told(Credit) == []
    assert len(asyncio.run(run.take())) == WINDOW
    world.exchange.repay(run)
    assert world.told(Credit) == [Credit(run.id, WINDOW)]


def test_a_worker_that_sends_more_than_its_credit_loses_the_request(world: World) -> None:
    run = world.submitted()
    for number in range(WINDOW + 1):
        world.say(Delta(run.id, 0, str(number), (number,)))
    assert isinstance(run.ended, Internal)
    assert world.told(Cancel) == [Cancel(run.id)]


@pytest.mark.parametrize("kind", [Delta, ReasoningDelta, ScoredDelta, ToolCallDelta])
def test_every_kind_of_delta_costs_one_credit(world: World, kind: type) -> None:
    run = world.submitted()
    rest = {
        Delta: ("x", (1,)),
        ReasoningDelta: ("x", (1,)),
        ScoredDelta: ("x", (1,), ()),
        ToolCallDelta: (0, None, None, "x"),
    }[kind]
    for _ in range(WINDOW - 1):
        world.say(kind(run.id, 0, *rest))
    world.say(ToolCallRetracted(run.id, 0, 0, "x"))
    assert run.ended is None
    world.say(kind(run.id, 0, *rest))
    assert isinstance(run.ended, Internal)


TWO = generate("tiny", PROMPT, Sampling(), Answer(choices=2), None, ())
OUTCOMES: list[tuple[Job, type, Callable[[int], Any], int]] = [
    (JOB, Submit, lambda request: Finished(request, 0, "stop"), 2),
    (TWO, Submit, lambda request: Finished(request, 1, "length"), 3),
    (
        embed("e", ("a", "b", [1]), None, True),
        Embed,
        lambda request: Vectors(request, 0, 1, b"0000"),
        3,
    ),
    (rank("r", "q", ("d", "e"), False), Rank, lambda request: Scores(request, (1.0, 0.5)), 1),
]


@pytest.mark.parametrize(("job", "ask", "outcome", "most"), OUTCOMES)
def test_outcomes_cost_no_credit_and_are_as_many_as_were_asked_for(
    world: World, job: Job, ask: type, outcome: Callable[[int], Any], most: int
) -> None:
    run = world.submitted(job)
    (asked,) = world.told(ask)
    assert (asked.request, asked.name) == (run.id, "chatcmpl-x")
    expected = [outcome(run.id)] * most
    for message in expected:
        world.say(message)
    assert run.ended is None
    assert asyncio.run(run.take()) == expected
    assert run.credit() == 0
    world.say(outcome(run.id))
    assert isinstance(run.ended, Internal)


def test_what_waits_in_the_mailbox_is_read_before_the_end(world: World) -> None:
    run = world.submitted()
    world.say(Accepted(run.id, 5))
    world.say(Delta(run.id, 0, "a", (1,)))
    world.say(Failed(run.id, "internal", "broke", None))

    async def read() -> list[Any]:
        await run.until_accepted()
        events = []
        while taken := await run.take():
            events += taken
        return events

    assert asyncio.run(read()) == [Delta(run.id, 0, "a", (1,))]
    with pytest.raises(Internal, match="broke"):
        run.result()


def test_the_time_limit_counts_from_the_start(world: World) -> None:
    run = world.begin(timeout=900)[1]
    world.fire(900)
    assert isinstance(run.ended, Timeout)
    assert world.returned() == [run.id]


def test_no_time_limit_is_no_timer(world: World) -> None:
    world.begin(timeout=0)
    assert world.timers == []


def test_a_lease_that_cannot_be_returned_now_is_returned_later(world: World) -> None:
    run = world.begin()[1]
    world.supervisor_full = True
    world.exchange.hang_up(run)
    assert world.returned() == []
    world.supervisor_full = False
    world.timers[-1].act()
    assert world.returned() == [run.id]


def test_without_a_supervisor_a_request_is_refused_and_leaves_nothing(world: World) -> None:
    world.supervisor_full = True
    with pytest.raises(Overloaded):
        world.begin()
    assert len(world.exchange) == 0


def test_draining_refuses_the_new_and_waits_for_the_running(world: World) -> None:
    run = world.submitted()
    world.exchange.drain()
    with pytest.raises(Overloaded) as caught:
        world.begin()
    assert caught.value.retry_after
    assert not world.exchange.drained.is_set()
    world.say(finish(run))
    assert world.exchange.drained.is_set()
