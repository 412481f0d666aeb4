"""The spans that are made of a request and its runs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kronk.gateway.access.rules import Gate, inference
from kronk.gateway.job import Job, embed, generate, inspect, load, rank
from kronk.gateway.record import Record
from kronk.gateway.run import ClientGone
from kronk.gateway.telemetry.report import Attempt, RunReport
from kronk.gateway.tracing.genai import answered, asked
from kronk.gateway.tracing.incoming import RequestTrace
from kronk.gateway.tracing.requests import batch_spans, request_spans
from kronk.gateway.tracing.runs import Clock, run_spans
from kronk.gateway.tracing.spans import Origin, Span
from kronk.gateway.tracing.stages import Stage
from kronk.gateway.tracing.worker_spans import phases_of, placed
from kronk.shared.errors import ModelCrashed, Overloaded
from kronk.shared.security.identity import OPEN
from kronk.shared.telemetry.trace_context import TraceContext
from kronk.shared.wire.values import Answer, Constraint, Prompt, Sampling, Timings, Usage

CANARY = "zebra-canary-7291"
PARENT = TraceContext("a" * 32, "b" * 16, True)
# Monotonic 100 is 1,000 of the epoch.
CLOCK = Clock(100.0, 1000.0)
SECOND = 1_000_000_000
TIMINGS = Timings(
    queued=0.5,
    prefill=1.0,
    decode=2.0,
    began=1002.1,
    render=0.1,
    tokenise=0.05,
    match=0.05,
    cache="prefix",
)


def chat(**options: Any) -> Job:
    """A chat with text of its client wherever a chat can have some."""
    prompt = Prompt(
        messages=({"role": "user", "content": CANARY},),
        tools=({"type": "function", "function": {"name": CANARY}},),
        session=CANARY,
        prefill=CANARY,
    )
    answer = Answer(constraint=Constraint("json_schema", CANARY, CANARY), choices=2)
    sampling = Sampling(temperature=0.0, top_p=0.9, top_k=40, seed=7)
    job = generate("Tiny", prompt, sampling, answer, 64, (CANARY,))
    return replace(job, **options)


def report(**changes: Any) -> RunReport:
    """Asked for at 101, granted at 102 after a load of a second, done at 106."""
    attempt = Attempt(
        asked=101.0,
        granted=102.0,
        generation=7,
        model="Tiny",
        ready=101.9,
        loading=0.8,
        load_seconds=3.0,
        submitted=102.0,
        accepted=102.2,
        started=102.5,
        first=103.5,
    )
    made: dict[str, Any] = {
        "name": "req-1",
        "job": chat(),
        "by": OPEN,
        "endpoint": "chat-completions",
        "epoch": 1001.0,
        "asked": 101.0,
        "ended": 106.0,
        "attempts": (attempt,),
        "outcome": "done",
        "prompt_tokens": 30,
        "completion_tokens": 11,
        "finish_reasons": ("stop",),
        "usage": Usage(30, 11, 20, 4),
        "timings": TIMINGS,
        "trace": PARENT,
    }
    return RunReport(**made | changes)


def by_name(spans: list[Span]) -> dict[str, Span]:
    named = {span.name: span for span in spans}
    assert len(named) == len(spans), [span.name for span in spans]
    return named


def seconds(span: Span) -> tuple[float, float]:
    return round(span.start / SECOND, 3), round(span.end / SECOND, 3)


def test_a_run_is_a_lease_and_an_inference_with_the_workers_phases() -> None:
    spans = by_name(run_spans(report(), PARENT, CLOCK))
    assert list(spans) == [
        "lease",
        "load",
        "chat Tiny",
        "render",
        "tokenise",
        "queue",
        "cache match",
        "prefill",
        "decode",
    ]
    lease, chat_span = spans["lease"], spans["chat Tiny"]
    assert {lease.parent_id, chat_span.parent_id} == {PARENT.span_id}
    assert spans["load"].parent_id == lease.span_id
    phases = list(spans)[3:]
    assert {spans[name].parent_id for name in phases} == {chat_span.span_id}
    assert {span.trace_id for span in spans.values()} == {PARENT.trace_id}
    assert all(span.error is None for span in spans.values())


def test_spans_are_when_it_happened() -> None:
    spans = by_name(run_spans(report(), PARENT, CLOCK))
    assert seconds(spans["lease"]) == (1001.0, 1002.0)
    assert seconds(spans["load"]) == (1001.1, 1001.9)
    assert seconds(spans["chat Tiny"]) == (1002.0, 1006.0)
    assert seconds(spans["render"]) == (1002.1, 1002.2)
    assert seconds(spans["tokenise"]) == (1002.2, 1002.25)
    assert seconds(spans["queue"]) == (1002.25, 1002.55)
    assert seconds(spans["cache match"]) == (1002.55, 1002.6)
    assert seconds(spans["prefill"]) == (1002.6, 1003.6)
    assert seconds(spans["decode"]) == (1003.6, 1005.6)


def test_each_span_says_whose_work_it_is() -> None:
    spans = by_name(run_spans(report(), PARENT, CLOCK))
    assert spans["lease"].origin == spans["chat Tiny"].origin == Origin("gateway")
    assert spans["load"].origin == Origin("supervisor")
    assert spans["prefill"].origin == Origin("worker", "Tiny", 7)


def test_attributes_follow_the_conventions_for_generative_ai() -> None:
    inference_span = by_name(run_spans(report(), PARENT, CLOCK))["chat Tiny"]
    assert inference_span.kind == "client"
    assert inference_span.attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "kronk",
        "gen_ai.request.model": "Tiny",
        "gen_ai.request.max_tokens": 64,
        # Zero is zero.
        "gen_ai.request.temperature": 0.0,
        "gen_ai.request.top_p": 0.9,
        "gen_ai.request.top_k": 40,
        "gen_ai.request.seed": 7,
        "gen_ai.request.choice.count": 2,
        "gen_ai.output.type": "json",
        "gen_ai.response.model": "Tiny",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.response.time_to_first_chunk": 2.5,
        "gen_ai.server.time_to_first_token": 2.5,
        "gen_ai.usage.input_tokens": 30,
        "gen_ai.usage.output_tokens": 11,
        "gen_ai.usage.cache_read.input_tokens": 20,
        "gen_ai.usage.reasoning.output_tokens": 4,
        "kronk.attempt": 1,
        "kronk.generation": 7,
        "kronk.session": True,
        "kronk.tools": 1,
    }


@pytest.mark.parametrize(
    ("job", "operation"),
    [
        (chat(), "chat"),
        (
            generate("M", Prompt(text="x"), Sampling(), Answer(), None, ()),
            "text_completion",
        ),
        (embed("M", ("x",), 8, truncate=False), "embeddings"),
        (rank("M", "x", ("y", "z"), truncate=False), "rerank"),
        (inspect("M", Prompt(text="x")), "inspect"),
        (load("M"), "load"),
    ],
)
def test_each_kind_of_job_has_an_operation(job: Job, operation: str) -> None:
    assert asked(job)["gen_ai.operation.name"] == operation


def test_no_text_of_a_client_is_in_a_span() -> None:
    spans = run_spans(report(), PARENT, CLOCK)
    # What it gave as a name of its conversation is only said to be there.
    assert CANARY not in repr(spans)


def test_a_model_name_that_may_be_anything_is_short() -> None:
    job = chat(model="x" * 5000)
    assert len(str(asked(job)["gen_ai.request.model"])) == 200


def test_what_is_not_known_is_no_attribute() -> None:
    failed = report(
        usage=None,
        timings=None,
        finish_reasons=(),
        prompt_tokens=0,
        completion_tokens=0,
        attempts=(Attempt(101.0),),
    )
    assert answered(failed) == {}


def test_a_run_that_is_begun_again_shows_both_attempts() -> None:
    first = Attempt(101.0, 101.5, 7, "Tiny", submitted=101.5, accepted=101.6, lost=103.0)
    first.cause = f"the process of Tiny died: killed by SIGKILL; {CANARY}"
    second = Attempt(103.0, 104.0, 8, "Tiny", submitted=104.0, accepted=104.1)
    spans = run_spans(report(attempts=(first, second)), PARENT, CLOCK)
    tries = [span for span in spans if span.name in ("lease", "chat Tiny")]
    assert [(span.name, span.attributes["kronk.attempt"], span.error) for span in tries] == [
        ("lease", 1, None),
        ("chat Tiny", 1, "worker_lost"),
        ("lease", 2, None),
        ("chat Tiny", 2, None),
    ]
    assert [seconds(span) for span in tries] == [
        (1001.0, 1001.5),
        (1001.5, 1003.0),
        (1003.0, 1004.0),
        (1004.0, 1006.0),
    ]
    assert tries[1].attributes["kronk.cause"] == "SIGKILL"
    # What is known of the first one: no worker was left to say more.
    assert [event.name for event in tries[1].events] == ["accepted"]
    below = {span.name: span for span in spans if span.parent_id == tries[1].span_id}
    assert {name: (seconds(span), span.error) for name, span in below.items()} == {
        "queue": ((1001.6, 1003.0), "worker_lost")
    }
    whole = [span for span in spans if span.origin.generation == 8]
    assert {span.parent_id for span in whole} == {tries[3].span_id}
    # What came of it is said once.
    assert "gen_ai.usage.output_tokens" not in tries[1].attributes


def test_of_a_worker_that_was_lost_there_is_what_the_gateway_saw() -> None:
    first = Attempt(101.0, 101.5, 7, "Tiny", submitted=101.5, accepted=101.6, lost=103.0)
    first.started, first.first = 101.7, 102.0
    spans = run_spans(report(attempts=(first, Attempt(103.0))), PARENT, CLOCK)
    seen = [span for span in spans if span.origin.role == "worker"]
    assert [(span.name, seconds(span), span.error) for span in seen] == [
        ("queue", (1001.6, 1001.7), None),
        ("prefill", (1001.7, 1002.0), None),
        ("decode", (1002.0, 1003.0), "worker_lost"),
    ]
    assert {span.attributes["kronk.seen_by"] for span in seen} == {"gateway"}
    assert {span.origin.generation for span in seen} == {7}


def test_a_failed_run_has_the_code_of_its_error() -> None:
    failed = report(outcome="failed", error=ModelCrashed(CANARY), timings=None, usage=None)
    lease, _, chat_span, *seen = run_spans(failed, PARENT, CLOCK)
    assert (lease.error, chat_span.error) == (None, "model_crashed")
    assert seen[-1].error == "model_crashed"
    assert CANARY not in repr((lease, chat_span, *seen))


def test_a_lease_that_was_refused_has_the_error() -> None:
    refused = report(
        outcome="failed",
        error=Overloaded("x"),
        timings=None,
        attempts=(Attempt(101.0),),
    )
    (lease,) = run_spans(refused, PARENT, CLOCK)
    assert (lease.error, seconds(lease)) == ("overloaded", (1001.0, 1006.0))


def test_a_client_that_leaves_is_no_error() -> None:
    left = report(outcome="cancelled", error=ClientGone("x"), timings=None)
    assert {span.error for span in run_spans(left, PARENT, CLOCK)} == {None}


def test_a_model_that_was_there_is_not_loaded() -> None:
    attempt = replace(report().attempts[0], loading=0.0)
    names = [span.name for span in run_spans(report(attempts=(attempt,)), PARENT, CLOCK)]
    assert "load" not in names


@pytest.mark.parametrize(
    ("began", "placed_at"),
    [
        (15, 15),
        # A clock that is behind or ahead, as on another host.
        (3, 10),
        (500, 70),
    ],
)
def test_a_worker_is_never_seen_to_work_outside_of_its_request(began: int, placed_at: int) -> None:
    assert placed(began, total=30, start=10, end=100) == placed_at


def test_phases_that_did_not_happen_are_left_out() -> None:
    embedding = Timings(queued=0.0, prefill=0.2, decode=0.0)
    assert [name for name, _, _ in phases_of(embedding, Usage(5, 0))] == ["prefill"]


def test_speculation_is_said_where_there_was_some() -> None:
    timings = replace(TIMINGS, drafted=9, accepted=6)
    *_, (name, _, attributes) = phases_of(timings, Usage(30, 11, 20))
    assert name == "decode"
    assert attributes == {
        "kronk.tokens": 11,
        "kronk.tokens_per_second": 5.0,
        "kronk.drafted": 9,
        "kronk.draft_accepted": 6,
    }


duration = st.floats(0.0, 100.0)


@given(
    timings=st.builds(
        Timings,
        queued=duration,
        prefill=duration,
        decode=duration,
        began=st.floats(0.0, 3e9),
        render=duration,
        tokenise=duration,
        match=duration,
    )
)
def test_whatever_a_worker_says_its_phases_are_in_order_and_within(timings: Timings) -> None:
    spans = run_spans(report(timings=timings), PARENT, CLOCK)
    inference_span = next(span for span in spans if span.name == "chat Tiny")
    moment = inference_span.start
    for span in spans:
        if span.origin.role == "worker":
            assert moment <= span.start <= span.end <= inference_span.end
            moment = span.end


# Requests.

GATE = Gate(inference("chat-completions"), "POST", "/v1/chat/completions", "chat")
TRACE = RequestTrace(PARENT, epoch=1000.0, parent_id="c" * 16)


def scope(**changes: Any) -> dict[str, Any]:
    return {
        "method": "POST",
        "path": "/v1/chat/completions",
        "scheme": "http",
        "http_version": "1.1",
        "client": ("10.0.0.9", 5),
    } | changes


def record(**changes: Any) -> Record:
    made: dict[str, Any] = {"started": 100.0, "status": 200, "gate": GATE, "identity": OPEN}
    return Record("req-1", **made | changes)


def test_a_request_is_a_span_of_a_server_below_its_clients() -> None:
    made = record(reports=[report()])
    span, *rest = request_spans(scope(), made, TRACE)
    assert (span.name, span.kind) == ("POST /v1/chat/completions", "server")
    assert (span.span_id, span.parent_id) == (PARENT.span_id, "c" * 16)
    assert span.attributes == {
        "http.request.method": "POST",
        "http.route": "/v1/chat/completions",
        "http.response.status_code": 200,
        "url.path": "/v1/chat/completions",
        "url.scheme": "http",
        "network.protocol.version": "1.1",
        "client.address": "10.0.0.9",
        "kronk.request.id": "req-1",
        "kronk.model": "Tiny",
    }
    assert [one.name for one in rest][:2] == ["lease", "load"]
    assert {one.trace_id for one in rest} == {PARENT.trace_id}


def test_what_was_measured_on_the_way_is_below_it() -> None:
    auth = Stage("auth", "internal", "d" * 16, PARENT.span_id, 100.1, 100.2)
    asked_host = Stage("POST", "client", "e" * 16, "d" * 16, 100.1, 100.2, {"server.port": 1})
    asked_host.error = "overloaded"
    trace = replace(TRACE, stages=[auth, asked_host])
    spans = by_name(request_spans(scope(), record(), trace))
    assert spans["auth"].parent_id == PARENT.span_id
    assert seconds(spans["auth"]) == (1000.1, 1000.2)
    assert (spans["POST"].parent_id, spans["POST"].kind) == ("d" * 16, "client")
    assert spans["POST"].error == "overloaded"


@pytest.mark.parametrize(
    ("facts", "error"),
    [
        ({"status": 200}, None),
        # Its client's fault.
        ({"status": 400, "error": "invalid_argument"}, None),
        ({"status": 503, "error": "overloaded"}, "overloaded"),
        ({"status": 500}, "500"),
        # A stream that had begun.
        ({"status": 200, "error": "model_crashed"}, "model_crashed"),
        # Who leaves has done nothing wrong.
        ({"status": 200, "error": "client_gone"}, None),
        ({"status": None, "error": "client_gone"}, None),
        ({"status": None, "error": "cut_off"}, "cut_off"),
        ({"status": None}, "no_answer"),
    ],
)
def test_what_is_an_error_of_a_request(facts: dict[str, Any], error: str | None) -> None:
    (span,) = request_spans(scope(), record(**facts), TRACE)
    assert span.error == error
    assert span.attributes.get("error.type") == facts.get("error")


def test_a_path_that_no_route_has_names_no_span() -> None:
    (span,) = request_spans(scope(path="/nope/1"), record(gate=None, status=404), TRACE)
    assert span.name == "POST"


def test_a_token_in_a_path_is_not_told() -> None:
    token = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln"
    (span,) = request_spans(scope(path=f"/v1/{token}"), record(), TRACE)
    assert token not in repr(span)


def test_a_line_of_a_batch_is_a_trace_of_its_own() -> None:
    root, lease, *_ = batch_spans(report(endpoint="batches"), PARENT)
    assert (root.name, root.span_id, root.parent_id) == ("batch line", PARENT.span_id, None)
    assert lease.parent_id == root.span_id
    assert seconds(root) == (1001.0, 1006.0)
