"""Which requests are traced, as parts of which traces, and what others are told of it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from kronk.gateway.tracing.incoming import EXCLUDED, RequestTrace, incoming, new_root
from kronk.gateway.tracing.spans import new_span_id
from kronk.gateway.tracing.stages import (
    CURRENT,
    MOST_STAGES,
    Place,
    calling,
    error_type,
    outgoing,
    stage,
)
from kronk.shared.errors import NotFound
from kronk.shared.telemetry.trace_context import TraceContext, parse

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SAMPLED, UNSAMPLED = f"00-{TRACE}-{SPAN}-01", f"00-{TRACE}-{SPAN}-00"
CHAT = "/v1/chat/completions"


def came(path: str = CHAT, probability: float = 0.0, **headers: str) -> RequestTrace | None:
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    return incoming(path, raw, probability, now=1000.0)


def test_a_request_that_says_nothing_begins_a_trace_of_its_own() -> None:
    trace = came(probability=1.0)
    assert trace is not None
    assert trace.context.sampled
    assert (trace.parent_id, trace.state, trace.epoch) == (None, "", 1000.0)
    assert parse(str(trace.context)) == trace.context


def test_with_a_probability_of_nothing_it_does_not() -> None:
    assert came(probability=0.0) is None


@pytest.mark.parametrize(("header", "sampled"), [(SAMPLED, True), (UNSAMPLED, False)])
@pytest.mark.parametrize("probability", [0.0, 1.0])
def test_a_client_that_has_a_trace_decides(header: str, sampled: bool, probability: float) -> None:
    trace = came(probability=probability, traceparent=header)
    assert trace is not None
    assert (trace.context.trace_id, trace.parent_id) == (TRACE, SPAN)
    assert trace.context.sampled is sampled
    assert trace.context.span_id != SPAN


@pytest.mark.parametrize(
    "header",
    [
        "",
        "nonsense",
        SAMPLED.upper(),
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"ff-{TRACE}-{SPAN}-01",
        f"{SAMPLED}-more",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE[:-1]}-{SPAN}-01",
    ],
)
def test_what_is_malformed_is_as_if_it_was_not_sent(header: str) -> None:
    assert came(traceparent=header, tracestate="a=b") is None
    trace = came(probability=1.0, traceparent=header, tracestate="a=b")
    assert trace is not None
    assert (trace.parent_id, trace.state) == (None, "")
    assert trace.context.trace_id != TRACE


def test_two_parents_are_none() -> None:
    headers = [(b"traceparent", SAMPLED.encode()), (b"traceparent", SAMPLED.encode())]
    assert incoming(CHAT, headers, 0.0, 1000.0) is None


def test_a_later_version_is_read_as_far_as_it_is_known() -> None:
    trace = came(traceparent=f"01-{TRACE}-{SPAN}-01-what-else")
    assert trace is not None
    assert trace.parent_id == SPAN


@pytest.mark.parametrize(
    ("states", "kept"),
    [
        (["a=1"], "a=1"),
        (["a=1", "b=2"], "a=1,b=2"),
        (["x" * 513], ""),
        (["a=\x01"], ""),
        ([], ""),
    ],
)
def test_what_others_said_of_the_trace_is_kept_within_bounds(states: list[str], kept: str) -> None:
    headers = [(b"traceparent", SAMPLED.encode())]
    headers += [(b"tracestate", state.encode()) for state in states]
    trace = incoming(CHAT, headers, 0.0, 1000.0)
    assert trace is not None
    assert trace.state == kept


@pytest.mark.parametrize("path", sorted(EXCLUDED))
def test_what_is_polled_is_in_no_trace(path: str) -> None:
    assert came(path, 1.0) is None
    assert came(path, 1.0, traceparent=SAMPLED) is None


def test_health_is_excluded() -> None:
    assert {"/v1/liveness", "/v1/readiness"} <= EXCLUDED


def test_what_other_kronks_ask_is_a_part_of_their_traces_only() -> None:
    path = "/v1/kronk/auth/identify"
    assert came(path, 1.0) is None
    assert came(path, 0.0, traceparent=SAMPLED) is not None


def test_those_who_sample_by_the_same_probability_agree(monkeypatch: Any) -> None:
    for low, is_kept in (("4" + "0" * 15, False), ("3" + "f" * 15, True)):
        monkeypatch.setattr(
            "kronk.gateway.tracing.incoming.new_trace_id", lambda low=low: "f" * 16 + low
        )
        assert (new_root(0.25) is not None) is is_kept


# On the way.


def placed(sampled: bool = True, state: str = "") -> RequestTrace:
    trace = RequestTrace(TraceContext(TRACE, SPAN, sampled), 1000.0, state=state)
    CURRENT.set(Place(trace, SPAN))
    return trace


@pytest.fixture(autouse=True)
def _nowhere() -> Any:
    token = CURRENT.set(None)
    yield
    CURRENT.reset(token)


def test_stages_are_below_the_stage_they_are_in() -> None:
    trace = placed()
    with stage("auth", {"kronk.access": "inference"}), calling("POST", "opa", 8181) as call:
        call.note("http.response.status_code", 200)
    with stage("prepare"):
        pass
    auth, asked, prepare = trace.stages
    assert [(one.name, one.parent_id) for one in trace.stages] == [
        ("auth", SPAN),
        ("POST", auth.span_id),
        ("prepare", SPAN),
    ]
    assert auth.attributes == {"kronk.access": "inference"}
    assert asked.kind == "client"
    assert asked.attributes == {
        "http.request.method": "POST",
        "server.address": "opa",
        "server.port": 8181,
        "http.response.status_code": 200,
    }
    assert auth.began <= asked.began <= asked.ended <= auth.ended <= prepare.began


@pytest.mark.parametrize(
    ("error", "said"),
    [(NotFound("secret"), "not_found"), (ValueError("secret"), "ValueError")],
)
def test_a_stage_that_fails_says_with_what_and_no_words(error: Exception, said: str) -> None:
    trace = placed()
    with pytest.raises(type(error)), stage("auth"):
        raise error
    assert trace.stages[0].error == said == error_type(error)


def test_other_servers_are_told_the_span_they_are_asked_in() -> None:
    trace = placed(state="a=1")
    assert outgoing() == {"traceparent": SAMPLED, "tracestate": "a=1"}
    with calling("GET", "files.example"):
        told = parse(outgoing()["traceparent"])
    assert told == TraceContext(TRACE, trace.stages[0].span_id, True)
    assert outgoing()["traceparent"] == SAMPLED


def test_a_trace_that_its_client_does_not_keep_is_told_and_not_measured() -> None:
    trace = placed(sampled=False)
    with stage("auth"):
        assert outgoing() == {"traceparent": UNSAMPLED}
    assert trace.stages == []


def test_without_a_trace_nothing_is_told_or_measured() -> None:
    with stage("auth") as nothing:
        nothing.note("x", 1)
        assert outgoing() == {}


def test_one_request_has_so_many_stages() -> None:
    trace = placed()
    for _ in range(MOST_STAGES + 5):
        with stage("x"):
            pass
    assert len(trace.stages) == MOST_STAGES


async def _side_by_side() -> None:
    trace = placed()

    async def fetch(name: str) -> None:
        with calling("GET", name):
            await asyncio.sleep(0)
            with stage("read"):
                await asyncio.sleep(0)

    await asyncio.gather(*(asyncio.create_task(fetch(name)) for name in ("a", "b")))
    calls = {one.span_id: one for one in trace.stages if one.name == "GET"}
    reads = [one for one in trace.stages if one.name == "read"]
    assert {one.parent_id for one in calls.values()} == {SPAN}
    assert {one.parent_id for one in reads} == set(calls)


def test_tasks_that_run_side_by_side_do_not_take_one_another_for_a_parent() -> None:
    asyncio.run(_side_by_side())


def test_no_two_spans_have_an_id() -> None:
    assert len({new_span_id() for _ in range(1000)}) == 1000
