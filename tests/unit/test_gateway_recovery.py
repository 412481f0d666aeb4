"""Requests that lose their worker: begun again, gone on with, or ended, and exactly once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from fakes.exchange_world import OFF, W, World, finish
from kronk.gateway.exchange import ATTACH_SECONDS
from kronk.gateway.job import WINDOW, Job, embed, generate, inspect
from kronk.gateway.quarantine import LASTS
from kronk.gateway.recovery import Policy
from kronk.gateway.run import Run
from kronk.shared.errors import (
    Internal,
    KronkError,
    ModelCrashed,
    ModelFailed,
    Overloaded,
    PromptQuarantined,
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
    Refused,
    Silent,
    Started,
    ToolCallDelta,
    ToolCallRetracted,
    Vectors,
    WorkerLost,
)
from kronk.shared.wire.to_supervisor import LeaseRequest
from kronk.shared.wire.to_worker import Cancel, Credit, Resumed, Submit
from kronk.shared.wire.values import Answer, Prompt, Sampling, Want

CAUSE = "the process of org/tiny died: killed by SIGSEGV"
N = W + 1

TEXT = (Want("text"),)


@pytest.fixture
def world() -> World:
    return World(Policy())


def prompt(text: str) -> Job:
    return generate("tiny", Prompt(text=text), Sampling(), Answer(), None, ())


def begun(world: World, job: Job = prompt("hi"), worker: int = W) -> Run:  # noqa: B008 (a value)
    world.say(Attach(), worker=worker) if worker not in world.attached else None
    world.attached.add(worker)
    run = world.begin(job=job)[1]
    world.exchange.on_control(Granted(run.id, worker))
    assert run.submitted
    return run


def regranted(world: World, run: Run, worker: int = N) -> Submit:
    """The next worker is there, and is asked."""
    world.say(Attach(), worker=worker)
    world.exchange.on_control(Granted(run.id, worker))
    told, message = world.workers[-1]
    assert (told, message.request) == (worker, run.id)
    assert isinstance(message, Submit)
    return message


def lose(world: World, worker: int = W, **how: Any) -> None:
    world.lose(WorkerLost(worker, "org/tiny", "killed by SIGSEGV", **how))


def words(world: World, run: Run, *pieces: str, worker: int = N, first: int = 1) -> None:
    for number, piece in enumerate(pieces, first):
        world.say(Delta(run.id, 0, piece, (number,)), worker=worker)


def heard(run: Run) -> str:
    return "".join(event.text for event in run.take_now() if isinstance(event, Delta))


def test_a_request_that_nothing_was_heard_of_is_asked_again_as_it_was(world: World) -> None:
    run = begun(world)
    first, old = world.told(Submit)[0], run.id
    lose(world)
    assert run.ended is None
    assert run.id != old
    assert world.returned() == [old]
    assert world.asked() == [
        LeaseRequest(old, "tiny", wants=TEXT, name="chatcmpl-x"),
        LeaseRequest(run.id, "tiny", again=True, wants=TEXT, name="chatcmpl-x"),
    ]
    assert regranted(world, run) == replace(first, request=run.id)
    world.say(Accepted(run.id, 3), worker=N)
    words(world, run, "Hel", "lo")
    world.say(finish(run), worker=N)
    assert heard(run) == "Hello"
    assert isinstance(run.ended, Done)
    assert world.returned() == [old, run.id]
    assert (world.exchange.recoveries.retried, world.exchange.recoveries.resumed) == (1, 0)


def test_every_attempt_draws_the_same_numbers_and_no_two_requests_do(world: World) -> None:
    one, other = begun(world), begun(world)
    lose(world)
    again = regranted(world, one)
    draws = {submit.request: submit.draw for submit in world.told(Submit)}
    assert again.draw is not None
    assert sorted(draws.values()).count(again.draw) == 2
    assert len(set(draws.values())) == 2
    assert other.ended is None


@pytest.mark.parametrize("known", range(4))
def test_an_answer_goes_on_where_it_broke_off(world: World, known: int) -> None:
    run = begun(world)
    pieces = ["Grü", "ße ", "👋"]
    world.say(Accepted(run.id, 3))
    world.say(Started(run.id, 3, 0))
    words(world, run, *pieces[:known], worker=W)
    lose(world)
    submit = regranted(world, run)
    expected = (Resumed(0, tuple(range(1, known + 1))),) if known else ()
    assert submit.resumed == expected
    world.say(Accepted(run.id, 3), worker=N)
    world.say(Started(run.id, 3, 2), worker=N)
    words(world, run, *pieces, "!")
    world.say(Finished(run.id, 0, "stop"), worker=N)
    world.say(finish(run), worker=N)
    assert isinstance(run.ended, Done)
    events = run.take_now()
    assert [type(event) for event in events] == [Started, *[Delta] * 4, Finished]
    assert [event.text for event in events[1:-1]] == [*pieces, "!"]  # type: ignore[union-attr]
    assert run.attempts == 2


def test_tokens_without_text_are_known_too(world: World) -> None:
    run = begun(world)
    words(world, run, "a", worker=W)
    world.say(Silent(run.id, 0, (2, 3)))
    lose(world)
    assert regranted(world, run).resumed == (Resumed(0, (1, 2, 3)),)
    words(world, run, "a")
    world.say(Silent(run.id, 0, (2, 3, 4)), worker=N)
    lose(world, N)
    assert regranted(world, run, N + 1).resumed == (Resumed(0, (1, 2, 3, 4)),)
    assert heard(run) == "a"


def test_new_tokens_of_what_the_client_has_already_are_known_too(world: World) -> None:
    run = begun(world)
    world.say(ToolCallDelta(run.id, 0, 0, "call_a", "add", "", (1,)))
    world.say(ToolCallRetracted(run.id, 0, 0, "<tool>", (2,)))
    lose(world)
    regranted(world, run)
    world.say(ToolCallDelta(run.id, 0, 0, "call_b", "add", "", (1,)), worker=N)
    world.say(ToolCallRetracted(run.id, 0, 0, "<tool>", (2, 3)), worker=N)
    lose(world, N)
    assert regranted(world, run, N + 1).resumed == (Resumed(0, (1, 2, 3), False),)
    assert [type(event) for event in run.take_now()] == [ToolCallDelta, ToolCallRetracted]


def test_a_second_death_while_it_is_told_again_loses_nothing(world: World) -> None:
    run = begun(world)
    words(world, run, "a", "b", "c", worker=W)
    lose(world)
    regranted(world, run)
    words(world, run, "a", "b")
    lose(world, N)
    assert regranted(world, run, N + 1).resumed == (Resumed(0, (1, 2, 3)),)
    words(world, run, "a", "b", "c", "d", worker=N + 1)
    world.say(finish(run), worker=N + 1)
    assert heard(run) == "abcd"
    assert isinstance(run.ended, Done)


def test_an_answer_of_which_only_the_end_was_missing_ends(world: World) -> None:
    run = begun(world)
    words(world, run, "a", worker=W)
    world.say(Finished(run.id, 0, "stop"))
    lose(world)
    assert regranted(world, run).resumed == (Resumed(0, (1,), finished=True),)
    world.say(finish(run), worker=N)
    assert isinstance(run.ended, Done)
    assert [type(event) for event in run.take_now()] == [Delta, Finished]


def test_what_is_told_otherwise_fails_and_reaches_nobody(world: World) -> None:
    run = begun(world)
    words(world, run, "Hello", worker=W)
    lose(world)
    regranted(world, run)
    words(world, run, "Help", " me")
    assert isinstance(run.ended, ModelCrashed)
    assert "SIGSEGV" in run.ended.message
    assert heard(run) == "Hello"
    assert world.told(Cancel) == [Cancel(run.id)]


def test_an_answer_that_is_shorter_the_second_time_fails(world: World) -> None:
    run = begun(world)
    words(world, run, "Hello", worker=W)
    lose(world)
    regranted(world, run)
    words(world, run, "Hel")
    world.say(finish(run), worker=N)
    assert isinstance(run.ended, ModelCrashed)
    assert heard(run) == "Hello"


def test_what_the_lost_worker_still_says_is_of_no_attempt(world: World) -> None:
    run = begun(world)
    old = run.id
    words(world, run, "a", worker=W)
    lose(world)
    regranted(world, run)
    # It lives after all, or its frames were queued somewhere.
    world.say(Delta(old, 0, "b", (2,)))
    world.say(Delta(run.id, 0, "b", (2,)))
    world.say(Done(old, *_figures(run)))
    assert run.ended is None
    assert heard(run) == "a"
    assert world.exchange.late_frames == 2
    assert world.exchange.stale_frames == 1


def _figures(run: Run) -> tuple[Any, Any]:
    end = finish(run)
    return end.usage, end.timings


def test_a_long_answer_is_told_again_within_the_window(world: World) -> None:
    run = begun(world)
    pieces = [f"{number} " for number in range(3 * WINDOW)]

    def tell(worker: int) -> list[str]:
        """As far as the credit reaches; all of it while the client reads."""
        told, credit, seen = [], WINDOW, len(world.told(Credit))
        for number, piece in enumerate(pieces):
            if credit == 0:
                break
            world.say(Delta(run.id, 0, piece, (number,)), worker=worker)
            credit -= 1
            run_text.append(heard(run))
            world.exchange.repay(run)
            credit += sum(one.events for one in world.told(Credit)[seen:])
            seen = len(world.told(Credit))
            told.append(piece)
        return told

    run_text: list[str] = []
    assert tell(W) == pieces
    lose(world)
    assert len(regranted(world, run).resumed[0].tokens) == len(pieces)
    # The client has all of it and takes nothing: the worker is not kept waiting for that.
    assert tell(N) == pieces
    assert "".join(run_text) == "".join(pieces)
    assert run.ended is None


def test_a_client_that_does_not_read_stops_the_next_worker_too(world: World) -> None:
    run = begun(world)
    words(world, run, *"x" * WINDOW, worker=W)
    lose(world)
    regranted(world, run)
    words(world, run, *"x" * WINDOW)
    assert world.told(Credit) == [Credit(run.id, WINDOW // 2)] * 2
    words(world, run, *"y" * WINDOW, first=WINDOW + 1)
    assert run.ended is None
    assert heard(run) == "x" * WINDOW + "y" * WINDOW
    lose(world, N)
    regranted(world, run, N + 1)
    words(world, run, *"x" * WINDOW, *"y" * WINDOW, worker=N + 1)
    words(world, run, *"z" * (WINDOW + 1), worker=N + 1, first=2 * WINDOW + 1)
    assert isinstance(run.ended, Internal)


def test_a_flood_of_what_is_known_is_one_too(world: World) -> None:
    run = begun(world)
    words(world, run, "abc", worker=W)
    lose(world)
    regranted(world, run)
    for _ in range(3):
        world.say(Finished(run.id, 1, "stop"), worker=N)
    assert isinstance(run.ended, Internal)


def test_embeddings_are_made_again_and_come_once(world: World) -> None:
    run = begun(world, embed("e", ("a", "b", "c"), None, True))
    world.say(Vectors(run.id, 0, 1, b"aaaabbbb"))
    lose(world)
    world.say(Attach(), worker=N)
    world.exchange.on_control(Granted(run.id, N))
    world.say(Vectors(run.id, 0, 1, b"AAAABBBBCCCC"), worker=N)
    world.say(finish(run), worker=N)
    values = [event.values for event in run.take_now() if isinstance(event, Vectors)]
    assert values == [b"aaaabbbb", b"CCCC"]
    assert isinstance(run.ended, Done)


def test_what_is_inspected_in_parts_is_made_again_and_comes_once(world: World) -> None:
    run = begun(world, inspect("tiny", Prompt(text="hi"), wants=("tokens",)))
    parts = [Inspected(0, "", (number,), (), 512) for number in range(3)]
    world.say(replace(parts[0], request=run.id))
    lose(world)
    world.say(Attach(), worker=N)
    world.exchange.on_control(Granted(run.id, N))
    assert world.asked()[-1] == LeaseRequest(
        run.id, "tiny", purpose="inspect", again=True, name="chatcmpl-x"
    )
    for part in parts:
        world.say(replace(part, request=run.id), worker=N)
    assert [event.tokens for event in run.take_now()] == [(0,), (1,), (2,)]  # type: ignore[union-attr]


def lost(world: World, run: Run) -> None:
    lose(world)


def asked_again(world: World, run: Run) -> None:
    lose(world)
    world.exchange.on_control(Granted(run.id, N))


def told_again(world: World, run: Run) -> None:
    lose(world)
    regranted(world, run)
    words(world, run, "a")


def dying(world: World, run: Run) -> None:
    world.exchange.on_control(WorkerLost(W, "org/tiny", "killed by SIGSEGV"))


@pytest.mark.parametrize("stage", [dying, lost, asked_again, told_again])
@pytest.mark.parametrize(
    ("leave", "error"),
    [
        (lambda world, run: world.exchange.hang_up(run), KronkError),
        (lambda world, run: world.exchange.end_all(Overloaded("x")), Overloaded),
        (lambda world, run: world.fire(900), Timeout),
    ],
)
def test_it_can_be_left_at_any_moment(
    world: World,
    stage: Callable[[World, Run], None],
    leave: Callable[[World, Run], None],
    error: type,
) -> None:
    world.say(Attach())
    run = world.begin(timeout=900)[1]
    world.exchange.on_control(Granted(run.id, W))
    words(world, run, "a", "b", worker=W)
    stage(world, run)
    submitted = run.submitted
    leave(world, run)
    assert isinstance(run.ended, error)
    first = run.ended
    world.lose(WorkerLost(W, "org/tiny", "x"))
    world.exchange.on_control(Granted(run.id, N))
    world.say(Attach(), worker=N)
    world.fire(ATTACH_SECONDS)
    assert run.ended is first
    assert sorted(world.returned()) == sorted(ask.lease for ask in world.asked())
    assert world.told(Cancel) == [Cancel(run.id)] * submitted
    assert len(world.exchange) == 0


REFUSED = Refused(0, "model_failed", "org/tiny failed too often", "model", 60.0)


def test_a_refused_lease_says_what_went_wrong_before(world: World) -> None:
    run = begun(world)
    lose(world)
    world.exchange.on_control(replace(REFUSED, lease=run.id))
    assert isinstance(run.ended, ModelFailed)
    assert run.ended.message == f"org/tiny failed too often (before that, {CAUSE})"
    assert (run.ended.param, run.ended.retry_after) == ("model", 60.0)
    assert sorted(world.returned()) == sorted(ask.lease for ask in world.asked())


def test_what_the_next_worker_refuses_says_it_too(world: World) -> None:
    run = begun(world)
    lose(world)
    regranted(world, run)
    world.say(Failed(run.id, "model_failed", "no", None), worker=N)
    assert isinstance(run.ended, ModelFailed)
    assert CAUSE in run.ended.message


def test_a_next_worker_that_does_not_attach_is_a_timeout(world: World) -> None:
    run = begun(world)
    lose(world)
    world.exchange.on_control(Granted(run.id, N))
    world.fire(ATTACH_SECONDS)
    assert isinstance(run.ended, Timeout)
    assert CAUSE in run.ended.message


def test_the_time_limit_counts_from_the_first_start(world: World) -> None:
    world.say(Attach())
    run = world.begin(timeout=900)[1]
    world.exchange.on_control(Granted(run.id, W))
    lose(world)
    regranted(world, run)
    assert [timer.seconds for timer in world.timers if not timer.cancelled] == [900]
    world.fire(900)
    assert isinstance(run.ended, Timeout)
    assert CAUSE in run.ended.message


def test_an_earlier_attempts_wait_for_its_worker_ends_with_it(world: World) -> None:
    run = world.begin()[1]
    world.exchange.on_control(Granted(run.id, W))
    lose(world)
    assert run.crashes == 0
    world.fire(ATTACH_SECONDS)
    assert run.ended is None
    regranted(world, run)


def test_without_a_supervisor_it_fails(world: World) -> None:
    run = begun(world)
    world.supervisor_full = True
    lose(world)
    assert isinstance(run.ended, Overloaded)
    assert CAUSE in run.ended.message
    assert len(world.exchange) == 0


@pytest.mark.parametrize("policy", [Policy(), OFF])
def test_what_an_operator_unloads_is_not_begun_again(policy: Policy) -> None:
    world = World(policy)
    run = begun(world)
    lose(world, how="unloaded")
    assert isinstance(run.ended, Overloaded)
    assert "was unloaded: " in run.ended.message


def test_while_the_server_stops_nothing_is_begun_again(world: World) -> None:
    run = begun(world)
    world.exchange.drain()
    lose(world)
    assert isinstance(run.ended, ModelCrashed)
    assert world.exchange.drained.is_set()


def test_a_worker_that_comes_back_is_asked_again(world: World) -> None:
    run, old = (run := begun(world)), run.id
    words(world, run, "a", worker=W)
    waiting = world.begin()[1]
    world.say(Attach())
    assert run.id != old
    assert waiting.ended is None
    world.exchange.on_control(Granted(run.id, W))
    assert world.told(Submit)[-1].resumed == (Resumed(0, (1,)),)
    # Its queue held something for us.
    world.say(Delta(old, 0, "b", (2,)))
    words(world, run, "a", "b", worker=W)
    world.say(finish(run))
    assert heard(run) == "ab"
    assert isinstance(run.ended, Done)
    assert sorted(world.returned()) == sorted([old, run.id])


def test_a_poison_prompt_fails_alone_and_is_not_tried_again(world: World) -> None:
    poison, bystander = begun(world, prompt("poison")), begun(world, prompt("good"))
    words(world, bystander, "a", worker=W)
    for worker in (N, N + 1):
        lose(world, worker - 1)
        if worker == N:
            regranted(world, poison)
            world.exchange.on_control(Granted(bystander.id, N))
    alone = [ask.alone for ask in world.asked()]
    assert alone == [False, False, False, False, True, True]
    regranted(world, poison, N + 1)
    lose(world, N + 1)
    assert isinstance(poison.ended, ModelCrashed)
    assert "SIGSEGV" in poison.ended.message
    assert "3 attempts" in poison.ended.message
    assert bystander.ended is None
    regranted(world, bystander, N + 2)
    words(world, bystander, "a", "b", worker=N + 2)
    world.say(finish(bystander), worker=N + 2)
    assert isinstance(bystander.ended, Done)

    asked = len(world.asked())
    with pytest.raises(PromptQuarantined, match="SIGSEGV"):
        world.begin(job=prompt("poison"))
    assert len(world.asked()) == asked
    world.begin(job=prompt("good"))
    world.now += LASTS
    world.begin(job=prompt("poison"))
    assert world.exchange.recoveries.quarantined == 1


def test_of_those_that_failed_together_none_is_refused() -> None:
    world = World(Policy(request_crashes=1))
    runs = [begun(world), begun(world)]
    lose(world)
    assert all(isinstance(run.ended, ModelCrashed) for run in runs)
    begun(world, worker=N)


def test_a_recovery_is_logged_with_what_it_cost(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    run = begun(world)
    words(world, run, "a", "b", worker=W)
    lose(world)
    world.now += 2.5
    regranted(world, run)
    words(world, run, "a")
    assert "recovered" not in capsys.readouterr().out
    words(world, run, "b", first=2)
    words(world, run, "c", first=3)
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "recovered" in line]
    for fact in ("chatcmpl-x", "tokens", "2.5", "tiny"):
        assert fact in line


def test_bad_frames_still_end_what_they_may_have_been_about(world: World) -> None:
    run = begun(world)
    lose(world)
    world.exchange.on_bad_frame(worker_identity(W))
    assert run.ended is None
    regranted(world, run)
    world.exchange.on_bad_frame(worker_identity(N))
    assert isinstance(run.ended, Internal)


def test_a_route_that_waits_for_the_first_event_goes_on_waiting(world: World) -> None:
    run = begun(world)

    async def read() -> list[Any]:
        accepted = asyncio.ensure_future(run.until_accepted())
        await asyncio.sleep(0)
        lose(world)
        regranted(world, run)
        await asyncio.sleep(0)
        assert not accepted.done()
        world.say(Accepted(run.id, 3), worker=N)
        await accepted
        words(world, run, "a")
        return await run.take()

    assert [event.text for event in asyncio.run(read())] == ["a"]
