"""A request's events: in order, within the client's credit, and once to the end."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kronk.shared.wire.to_gateway import Delta, Done, Finished, Started
from kronk.shared.wire.values import Sampling, Speed
from kronk.worker.engine.job import Job
from kronk.worker.engine.request import Request
from kronk.worker.engine.sampling import resolve

GREEDY = resolve(Sampling(temperature=0.0))


def begun(window: int, choices: int = 1) -> tuple[Request, list[Any]]:
    sent: list[Any] = []
    job = Job(7, "test", (1, 2, 3), GREEDY, 100, (), window, 10.0, choices)
    return Request(job, sent.append), sent


def delta(number: int, choice: int = 0) -> Delta:
    return Delta(7, choice, str(number), (number,))


def end(request: Request, choice: int = 0, now: float = 20.0) -> None:
    request.finish(choice, "stop", None, 0, now)


def kinds(events: list[Any]) -> list[str]:
    return [type(event).__name__ for event in events]


def test_with_credit_everything_goes_out_at_once() -> None:
    request, sent = begun(2)
    request.send([delta(0)])
    request.send([delta(1)])
    end(request)
    assert kinds(sent) == ["Delta", "Delta", "Finished", "Done"]
    assert request.is_over


def test_the_end_costs_no_credit() -> None:
    request, sent = begun(0)
    assert not request.may_generate
    end(request)
    assert kinds(sent) == ["Finished", "Done"]


def test_the_end_waits_for_what_comes_before_it() -> None:
    request, sent = begun(1)
    request.send([delta(0), delta(1), delta(2)])
    end(request)
    assert kinds(sent) == ["Delta"]
    assert not request.is_over
    request.pay(1)
    assert kinds(sent) == ["Delta", "Delta"]
    request.pay(1)
    assert kinds(sent) == ["Delta", "Delta", "Delta", "Finished", "Done"]
    assert request.is_over


def test_a_finished_choice_waits_behind_the_deltas_of_the_others() -> None:
    request, sent = begun(1, choices=2)
    request.send([delta(0, 0), delta(1, 1)])
    end(request, 0)
    request.send([delta(2, 1)])
    request.pay(1)
    assert sent[1:] == [delta(1, 1), Finished(7, 0, "stop", None)]
    end(request, 1)
    assert not request.is_over
    request.pay(5)
    assert kinds(sent[3:]) == ["Delta", "Finished", "Done"]


def test_several_deltas_of_one_token_may_use_up_more_than_the_credit() -> None:
    request, sent = begun(1)
    request.send([delta(0), delta(1)])
    assert not request.may_generate
    # What waits is paid first.
    request.pay(1)
    assert not request.may_generate
    request.pay(1)
    assert request.may_generate
    assert sent == [delta(0), delta(1)]


operations = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.integers(0, 2), st.integers(0, 4)),
        st.tuples(st.just("pay"), st.just(0), st.integers(1, 6)),
        st.tuples(st.just("finish"), st.integers(0, 2), st.just(0)),
    ),
    max_size=40,
)


@settings(max_examples=300, deadline=None)
@given(window=st.integers(0, 5), choices=st.integers(1, 3), done=operations)
def test_whatever_happens_the_order_stays_and_the_credit_is_kept(
    window: int, choices: int, done: list[tuple[str, int, int]]
) -> None:
    request, sent = begun(window, choices)
    credit, number = window, 0
    # All there is to say, in its order.
    said: list[Any] = []
    open_choices = set(range(choices))
    for what, choice, count in done:
        if what == "pay":
            request.pay(count)
            credit += count
        elif choice in open_choices:
            if what == "send":
                deltas = [delta(number + at, choice) for at in range(count)]
                number += count
                said += deltas
                request.send(deltas)
            else:
                open_choices.remove(choice)
                said.append(Finished(7, choice, "stop", None))
                said += [] if open_choices else ["Done"]
                end(request, choice)
        heard = ["Done" if isinstance(event, Done) else event for event in sent]
        assert heard == said[: len(heard)]
        spent = kinds(sent).count("Delta")
        assert spent <= credit
        # Nothing waits that need not.
        if len(heard) < len(said):
            assert spent == credit
            assert isinstance(said[len(heard)], Delta)
        assert request.may_generate == (spent < credit)
        assert request.is_over == (not open_choices and len(heard) == len(said))


def test_done_has_the_counts_of_all_choices() -> None:
    request, sent = begun(10, choices=2)
    request.cached, request.cache, request.drafted, request.accepted = 2, "retained", 5, 3
    request.start(12.0)
    for now, last in ((14.0, None), (15.0, None), (17.5, 14.0)):
        request.took_token(now, last, 4)
    request.finish(0, "length", None, 1, 16.0)
    request.finish(1, "tool_calls", None, 2, 18.0)
    done = sent[-1]
    assert sent[0] == Started(7, 3, 2)
    assert [event.reason for event in sent[1:-1]] == ["length", "tool_calls"]
    usage, timings = done.usage, done.timings
    assert (usage.prompt_tokens, usage.completion_tokens) == (3, 3)
    assert (usage.cached_tokens, usage.reasoning_tokens) == (2, 3)
    assert (timings.queued, timings.prefill, timings.decode) == (2.0, 2.0, 4.0)
    assert (timings.cache, timings.drafted, timings.accepted) == ("retained", 5, 3)
    # The first token of each choice follows none of its own.
    assert (sum(timings.itl), timings.itl_sum, timings.speeds) == (1, 3.5, (Speed(0, 1, 3.5),))


@pytest.mark.parametrize("started", [False, True])
def test_an_answer_without_a_token_took_no_time_to_decode(started: bool) -> None:
    request, sent = begun(10)
    if started:
        request.start(11.0)
    end(request, now=13.0)
    timings = sent[-1].timings
    assert (timings.queued, timings.prefill, timings.decode) == (
        (1.0, 2.0, 0.0) if started else (3.0, 0.0, 0.0)
    )
