"""The one line that the access log has of each request."""

from __future__ import annotations

from typing import Any

import pytest

from kronk.gateway.access_line import cause_of, facts_of
from kronk.gateway.job import load
from kronk.gateway.record import Record
from kronk.gateway.telemetry.report import Attempt, RunReport
from kronk.shared.errors import (
    InvalidArgument,
    KronkError,
    ModelCrashed,
    NotFound,
    Overloaded,
    RateLimited,
)
from kronk.shared.security.identity import OPEN
from kronk.shared.telemetry.trace_context import TraceContext
from kronk.shared.wire.values import Speed, Timings, Usage


def report(**facts: Any) -> RunReport:
    """Of a run that waited two seconds, one of them for a load, and was done ten seconds later."""
    attempt = Attempt(
        100.0, granted=102.0, generation=7, model="org/m", loading=1.0, started=102.5, first=103.0
    )
    usual: dict[str, Any] = {
        "name": "r-1",
        "job": load("alias", None),
        "by": OPEN,
        "endpoint": "chat-completions",
        "epoch": 0.0,
        "asked": 100.0,
        "ended": 113.0,
        "attempts": (attempt,),
        "outcome": "done",
        "prompt_tokens": 20,
        "completion_tokens": 101,
        "finish_reasons": ("stop",),
        "usage": Usage(20, 101, 15),
        "timings": Timings(0.1, 0.4, 10.0, cache="ram"),
    }
    return RunReport(**(usual | facts))


def record(*reports: RunReport, **facts: Any) -> Record:
    made = Record("r-1", model="alias", reports=list(reports))
    for name, fact in facts.items():
        setattr(made, name, fact)
    return made


def test_a_request_says_where_its_time_went_and_what_it_took() -> None:
    facts = facts_of(
        record(report(), ttft=3.00004, tokens=101, prompt_tokens=20, answer_id="chatcmpl-1")
    )
    assert facts == {
        "model": "org/m",
        "asked_for": "alias",
        "answer_id": "chatcmpl-1",
        "ttft": 3.0,
        "tokens": 101,
        "prompt_tokens": 20,
        "generation": 7,
        # Two seconds for the lease, and the rest in the worker.
        "queue": 2.1,
        "load": 1.0,
        "prefill": 0.4,
        "tokens_per_second": 10.0,
        "cached": 15,
        "cache": "ram",
        "finish_reason": "stop",
    }


def test_of_an_answer_that_was_cut_off_there_is_what_was_seen_of_it() -> None:
    cut = report(
        outcome="failed",
        usage=None,
        timings=None,
        finish_reasons=(),
        completion_tokens=51,
        error=ModelCrashed("the process of m died: SIGKILL"),
    )
    made = record(cut)
    made.note_error(ModelCrashed("the process of m died: SIGKILL"))
    facts = facts_of(made)
    assert (facts["prefill"], facts["tokens_per_second"]) == (0.5, 5.0)
    assert (facts["error"], facts["cause"]) == ("model_crashed", "the process of m died: SIGKILL")
    assert facts.keys().isdisjoint({"cached", "cache", "finish_reason"})


def test_a_request_that_went_on_in_another_process_says_what_became_of_the_first() -> None:
    first = Attempt(100.0, granted=100.5, generation=7, model="m", cause="SIGKILL", lost=101.0)
    second = Attempt(101.0, granted=104.0, generation=8, model="m", loading=2.5)
    facts = facts_of(record(report(attempts=(first, second)), resumed=1))
    assert (facts["generation"], facts["queue"], facts["load"]) == (8, 3.6, 2.5)
    assert (facts["resumed"], facts["cause"]) == (1, "SIGKILL")
    assert "error" not in facts


def test_how_fast_it_went_on_is_told_of_what_the_last_process_wrote() -> None:
    first = Attempt(100.0, granted=100.5, generation=7, model="m", first=100.7, lost=101.0)
    second = Attempt(101.0, granted=104.0, generation=8, model="m", first=104.5)
    later = Timings(0.1, 0.4, 10.0, speeds=(Speed(0, 30, 6.0), Speed(1, 10, 4.0)))
    facts = facts_of(record(report(attempts=(first, second), timings=later), resumed=1))
    assert facts["tokens_per_second"] == 4.0
    cut = report(attempts=(first, second), timings=None, usage=None, outcome="cancelled")
    assert "tokens_per_second" not in facts_of(record(cut, resumed=1))


def test_runs_beside_one_another_add_up_their_tokens_and_not_their_time() -> None:
    other = report(finish_reasons=("length",), timings=Timings(0.1, 0.9, 5.0, cache="miss"))
    facts = facts_of(record(report(), other))
    assert (facts["queue"], facts["prefill"], facts["cached"]) == (2.1, 0.9, 30)
    assert (facts["finish_reason"], facts["cache"]) == ("stop,length", "ram, miss")
    assert facts["tokens_per_second"] == 20.0


def test_what_no_model_answered_has_nothing_of_models() -> None:
    assert facts_of(Record("r-1")) == {}


def test_a_trace_that_nobody_keeps_is_not_named() -> None:
    kept = TraceContext("a" * 32, "b" * 16, sampled=True)
    assert record(trace=kept).ids == {"request_id": "r-1", "trace_id": "a" * 32}
    left = TraceContext("a" * 32, "b" * 16, sampled=False)
    assert record(trace=left).ids == {"request_id": "r-1"}


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (Overloaded("12 requests wait"), "12 requests wait"),
        (RateLimited("10 a day"), "10 a day"),
        (ModelCrashed("x" * 9000), "x" * 500),
        # These may quote what was asked.
        (InvalidArgument("'my secret' is no role"), None),
        (NotFound("there is no 'my secret'"), None),
    ],
)
def test_only_words_of_our_own_are_a_cause(error: KronkError, cause: str | None) -> None:
    assert cause_of(error) == cause


def test_a_name_that_a_client_made_up_is_cut() -> None:
    assert facts_of(record(model="n" * 9000))["model"] == "n" * 200
