"""Traces of real processes, as a collector gets them."""

from __future__ import annotations

import itertools
import json
import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from fakes.collector import Collector, Got
from fakes.gateway_house import House, done, hang_after, say
from harness.observed import KNOWN, OTHERS, all_queries
from harness.server import Server, free_port, running_server
from harness.waiting import wait_until
from kronk.shared.wire.to_gateway import Accepted, Delta, Refused, WorkerLost
from kronk.shared.wire.to_supervisor import LeaseRequest
from kronk.shared.wire.to_worker import Submit

CANARY = "zebra-canary-7291"
CHAT = "/v1/chat/completions"
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
NUMBERS = itertools.count()

Asked = Callable[..., tuple[httpx.Response, str]]


def post(url: str, path: str, body: Any, **headers: str) -> tuple[httpx.Response, str]:
    """The answer to a request with an id that no other has, and that id."""
    name = f"asked-{next(NUMBERS)}"
    told = {"x-request-id": name} | headers
    return httpx.post(f"{url}{path}", json=body, headers=told, timeout=20), name


def chat(**more: Any) -> dict[str, Any]:
    message = {"role": "user", "content": f"Say {CANARY}."}
    return {"model": "tiny", "messages": [message], "max_tokens": 8, **more}


def one(spans: list[Got], name: str) -> Got:
    (found,) = [span for span in spans if span.name == name]
    return found


# Three real processes.


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with Collector() as collector:
        yield collector


@pytest.fixture(scope="module")
def debug_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, tiny: Path, collector: Collector, debug_port: int
) -> Iterator[Server]:
    base = tmp_path_factory.mktemp("traced")
    flags = (
        f"--tempo-host={collector.address}",
        "--tempo-probability=1",
        "--log-level=debug",
        f"--debug-host=127.0.0.1:{debug_port}",
    )
    with running_server(base, {"tiny.gguf": tiny}, None, *flags) as server:
        wait_until(lambda: _is_traced(server, collector), lambda: "a first trace")
        yield server


def _is_traced(server: Server, collector: Collector) -> bool:
    httpx.get(f"{server.url}/v1/models", timeout=20)
    return bool(collector.spans)


@pytest.fixture(scope="module")
def traced(server: Server, collector: Collector) -> list[Got]:
    """The trace of the first chat, for which its model had to be loaded."""
    answer, name = post(server.url, CHAT, chat(temperature=0))
    assert answer.status_code == 200, answer.text
    return collector.trace(name)


def test_a_request_is_one_tree_over_three_processes(traced: list[Got]) -> None:
    parents = {span.span_id: span.name for span in traced}
    tree = [(span.name, parents.get(span.parent_id, ""), span.process) for span in traced]
    run = "chat tiny"
    assert tree == [
        (f"POST {CHAT}", "", "gateway"),
        ("auth", f"POST {CHAT}", "gateway"),
        ("lease", f"POST {CHAT}", "gateway"),
        (run, f"POST {CHAT}", "gateway"),
        ("load", "lease", "supervisor"),
        *((name, run, "worker") for name in ("render", "tokenise", "queue")),
        *((name, run, "worker") for name in ("cache match", "prefill", "decode")),
    ]
    assert not any(span.is_error for span in traced)


def test_what_is_within_a_span_is_within_its_time(traced: list[Got]) -> None:
    spans = {span.span_id: span for span in traced}
    for span in traced:
        assert span.start <= span.end
        if span.parent_id:
            parent = spans[span.parent_id]
            assert parent.start <= span.start <= span.end <= parent.end, (span, parent)
    phases = [span for span in traced if span.process == "worker"]
    for before, after in itertools.pairwise(phases):
        assert before.end <= after.start


def test_attributes_say_what_it_took(traced: list[Got]) -> None:
    run = one(traced, "chat tiny").attributes
    assert run["gen_ai.operation.name"] == "chat"
    assert run["gen_ai.request.model"] == run["gen_ai.response.model"] == "tiny"
    assert (run["gen_ai.request.max_tokens"], run["gen_ai.request.temperature"]) == (8, 0.0)
    assert run["gen_ai.response.finish_reasons"] in (["length"], ["stop"])
    decode, prefill = one(traced, "decode").attributes, one(traced, "prefill").attributes
    assert run["gen_ai.usage.output_tokens"] == decode["kronk.tokens"]
    assert run["gen_ai.usage.input_tokens"] == prefill["kronk.tokens"]
    request = one(traced, f"POST {CHAT}").attributes
    assert request["http.response.status_code"] == 200
    assert one(traced, "lease").attributes["kronk.loading.seconds"] > 0


def test_each_process_is_a_resource_of_its_own(traced: list[Got], server: Server) -> None:
    resources = {span.process: span.resource for span in traced}
    assert {one["service.name"] for one in resources.values()} == {"kronk"}
    assert len({one["service.instance.id"] for one in resources.values()}) == 3
    assert resources["gateway"]["process.pid"] == server.role_pid("gateway")
    assert resources["supervisor"]["process.pid"] == server.pid
    row = server.row("tiny")
    assert row is not None
    worker = resources["worker"]
    assert (worker["kronk.model"], worker["kronk.generation"]) == ("tiny", row["generation"])
    assert worker["process.pid"] == row["pid"]
    assert {one["host.name"] for one in resources.values()} == {socket.gethostname()}


def test_a_second_request_shows_what_the_cache_had(server: Server, collector: Collector) -> None:
    # Too short a prompt is not worth a look.
    messages = [{"role": "user", "content": "All work and no play. " * 40}]
    for _ in range(2):
        answer, name = post(server.url, CHAT, chat(messages=messages))
        assert answer.status_code == 200
    spans = collector.trace(name)
    assert "load" not in {span.name for span in spans}
    assert one(spans, "cache match").attributes["kronk.cached_tokens"] > 0
    assert one(spans, "chat tiny").attributes["gen_ai.usage.cache_read.input_tokens"] > 0


def test_a_line_of_a_batch_is_a_trace_that_its_worker_knows(
    server: Server, collector: Collector
) -> None:
    line = {"custom_id": "one", "method": "POST", "url": CHAT, "body": chat(temperature=0)}
    client = server.openai()
    file = client.files.create(file=("lines.jsonl", json.dumps(line).encode()), purpose="batch")
    client.batches.create(input_file_id=file.id, endpoint=CHAT, completion_window="24h")

    def root() -> Got | None:
        found = [span for span in collector.spans if span.name == "batch line"]
        return found[0] if found else None

    span = wait_until(root, lambda: f"a batch line in {collector.spans}")
    trace = [one for one in collector.spans if one.trace_id == span.trace_id]
    assert {"lease", "chat tiny", "decode"} <= {one.name for one in trace}
    for event in ("lease granted", "answered"):
        (told,) = server.events(event, trace_id=span.trace_id)
        assert told["request_id"] == span.attributes["kronk.request.id"]


def test_no_text_of_prompts_or_answers_is_sent(server: Server, collector: Collector) -> None:
    for path, body in (
        (CHAT, chat(stop=[CANARY], user=CANARY)),
        ("/v1/completions", {"model": "tiny", "prompt": CANARY, "max_tokens": 4}),
        ("/v1/messages", chat(system=CANARY)),
        # A 4xx that quotes what was wrong in its answer.
        (CHAT, chat(temperature=CANARY)),
    ):
        answer, name = post(server.url, path, body)
        assert answer.status_code in (200, 400), answer.text
        collector.request(name)
    text = repr(collector.spans)
    assert CANARY not in text
    assert "Say" not in text


def test_dashboards_and_alerts_ask_for_what_a_server_says(server: Server, debug_port: int) -> None:
    assert post(server.url, CHAT, chat())[0].status_code == 200
    text = httpx.get(f"http://127.0.0.1:{debug_port}/metrics", timeout=20).text
    families = {one.name: one for one in text_string_to_metric_families(text)}
    said = {sample.name: sample for one in families.values() for sample in one.samples}
    for query in all_queries():
        for selector in query.selectors:
            name = selector.name
            stem = re.sub("_(total|bucket|sum|count)$", "", name)
            assert name in OTHERS or name in said or stem in families, query.text
            if name in said:
                assert set(said[name].labels) == KNOWN[name], query.text
    # Not only families without anything in them.
    assert {"kronk_ttft_seconds_bucket", "kronk_tokens_total", "process_open_fds"} <= set(said)


# A gateway, with a supervisor and workers that do as they are told.


@pytest.fixture(scope="module")
def town(
    tmp_path_factory: pytest.TempPathFactory, collector: Collector
) -> Iterator[tuple[House, Collector]]:
    """A gateway that traces what its clients trace and, as good as, nothing else."""
    flags = {"tempo_host": collector.address, "tempo_probability": "1e-12", "resume": "true"}
    with House(tmp_path_factory.mktemp("h"), **flags) as house:
        wait_until(lambda: house.logged("traces are sent") or not _ping(house), lambda: "sending")
        yield house, collector


def _parent(sampled: bool = True) -> dict[str, str]:
    return {"traceparent": f"00-{TRACE}-{SPAN}-{int(sampled):02x}"}


def _ping(house: House) -> bool:
    post(house.url, CHAT, chat(), **_parent())
    return True


@pytest.fixture
def house(town: tuple[House, Collector]) -> House:
    town[0].forget()
    town[0].fresh_worker()
    return town[0]


def test_a_clients_trace_is_gone_on_with(house: House, collector: Collector) -> None:
    _, name = post(house.url, CHAT, chat(), **_parent(), tracestate="vendor=1")
    request = collector.request(name)
    assert (request.trace_id, request.parent_id, request.kind) == (TRACE, SPAN, "server")
    (submit,) = house.all(Submit)
    (lease,) = house.all(LeaseRequest)
    assert submit.trace == lease.trace == f"00-{TRACE}-{request.span_id}-01"


def test_a_client_that_does_not_keep_its_trace_is_not_traced(
    house: House, collector: Collector
) -> None:
    _, unseen = post(house.url, CHAT, chat(), **_parent(sampled=False))
    _, alone = post(house.url, CHAT, chat())
    _, malformed = post(house.url, CHAT, chat(), traceparent=f"00-{TRACE}-{SPAN}")
    _, last = post(house.url, CHAT, chat(), **_parent())
    collector.request(last)
    seen = {span.attributes.get("kronk.request.id") for span in collector.spans}
    assert not seen & {unseen, alone, malformed}
    assert [submit.trace != "" for submit in house.all(Submit)] == [False, False, False, True]


def test_health_is_in_no_trace(house: House, collector: Collector) -> None:
    for path in ("/v1/liveness", "/v1/readiness", "/v1/kronk/ps"):
        assert httpx.get(f"{house.url}{path}", headers=_parent(), timeout=20).status_code == 200
    _, last = post(house.url, CHAT, chat(), **_parent())
    collector.request(last)
    routes = {span.attributes.get("http.route") for span in collector.spans}
    assert CHAT in routes
    assert not {route for route in routes if route and ("ness" in route or "/ps" in route)}


def test_a_request_that_is_begun_again_shows_both_attempts(
    house: House, collector: Collector
) -> None:
    house.script = _dies_at_first(house)
    answer, name = post(house.url, CHAT, chat(), **_parent())
    assert answer.status_code == 200, answer.text
    request = collector.request(name)
    spans = [span for span in collector.spans if span.parent_id == request.span_id]
    tries = [(span.name.split()[0], span.is_error, span.status) for span in spans]
    assert tries == [
        ("auth", False, ""),
        ("lease", False, ""),
        ("chat", True, "worker_lost"),
        ("lease", False, ""),
        ("chat", False, ""),
    ]
    lost = spans[2]
    assert lost.attributes["kronk.cause"] == "SIGSEGV"
    assert "accepted" in lost.events
    assert not request.is_error


def _dies_at_first(house: House) -> Callable[[Submit], Iterator[Any]]:
    def script(submit: Submit) -> Iterator[Any]:
        worker = house.newest
        yield Accepted(submit.request, 5)
        yield Delta(submit.request, 0, "one", (1,))
        if len(house.all(LeaseRequest)) == 1:
            house.fresh_worker()
            cause = f"killed by SIGSEGV; its last words: {CANARY}"
            house.control(WorkerLost(worker, "tiny", cause))
            return
        yield Delta(submit.request, 0, " two", (2,))
        yield from done(submit.request)

    return script


def test_an_error_has_its_code_and_no_words(house: House, collector: Collector) -> None:
    house.grant = lambda ask: Refused(ask.lease, "overloaded", f"no room for {CANARY}", None, 1.0)
    answer, name = post(house.url, CHAT, chat(), **_parent())
    assert answer.status_code in (429, 503)
    request = collector.request(name)
    spans = [span for span in collector.spans if span.parent_id == request.span_id]
    assert [(span.name, span.status) for span in spans] == [("auth", ""), ("lease", "overloaded")]
    assert request.attributes["error.type"] == "overloaded"
    assert CANARY not in repr(collector.spans)


def test_a_client_that_leaves_is_no_error(house: House, collector: Collector) -> None:
    house.script = hang_after("Hello")
    headers = {"x-request-id": "left", **_parent()}
    body = chat(stream=True)
    url = f"{house.url}{CHAT}"
    with httpx.stream("POST", url, json=body, headers=headers, timeout=20) as answer:
        next(answer.iter_bytes())
    assert not collector.request("left").is_error


def test_lines_of_the_log_say_the_trace(house: House, collector: Collector) -> None:
    _, name = post(house.url, CHAT, chat(), **_parent())
    collector.request(name)
    lines = [line for line in house.logged(name) if line["event"] == "request"]
    assert [line["trace_id"] for line in lines] == [TRACE]


def test_a_collector_that_dies_is_said_once_and_found_again(
    house: House, collector: Collector
) -> None:
    collector.stop()
    house.script = say("Hello")
    wait_until(
        lambda: _ping(house) and house.logged("the collector takes no traces"), lambda: "an outage"
    )
    # Nothing is made for it now, and nothing fails.
    assert post(house.url, CHAT, chat(), **_parent())[0].status_code == 200
    collector.start()
    before = len(house.logged('"traces are sent"'))
    wait_until(
        lambda: _ping(house) and len(house.logged('"traces are sent"')) > before,
        lambda: "the collector to be found again",
    )
    (outage,) = house.logged("the collector takes no traces")
    assert outage["level"] == "warning"
    assert "UNAVAILABLE" in outage["reason"]
    assert house.logged("opentelemetry") == []


def test_a_collector_that_refuses_is_an_outage(house: House, collector: Collector) -> None:
    collector.refuses = grpc.StatusCode.PERMISSION_DENIED
    try:
        wait_until(lambda: _ping(house) and house.logged("PERMISSION_DENIED"), "the refusal")
    finally:
        collector.refuses = None
    assert post(house.url, CHAT, chat(), **_parent())[0].status_code == 200
