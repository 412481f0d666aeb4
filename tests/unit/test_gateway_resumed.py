"""Over HTTP: what a client reads is the same, byte for byte, whether its worker died or not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from fakes.gateway_house import House, ended
from kronk.shared.wire.to_gateway import (
    Accepted,
    Delta,
    Finished,
    ReasoningDelta,
    Started,
    ToolCallDelta,
    Vectors,
    WorkerLost,
)
from kronk.shared.wire.to_supervisor import LeaseRequest
from kronk.shared.wire.to_worker import Embed, Submit

HI = [{"role": "user", "content": "hi"}]
TOOL = {"name": "add", "parameters": {"type": "object"}}
CALLED = {"type": "function", "function": TOOL}
ANTHROPICS = {"name": "add", "input_schema": {"type": "object"}}
ROUTES: dict[str, tuple[str, dict[str, Any]]] = {
    "chat": ("/v1/chat/completions", {"messages": HI, "tools": [CALLED]}),
    "responses": ("/v1/responses", {"input": "hi", "tools": [{"type": "function", **TOOL}]}),
    "anthropic": (
        "/v1/messages",
        {"messages": HI, "max_tokens": 50, "tools": [ANTHROPICS]},
    ),
    "ollama": ("/api/chat", {"messages": HI, "tools": [CALLED]}),
}
# What differs from request to request.
_CHANGING = re.compile(
    r'"(id|item_id|response_id|created|created_at|completed_at|system_fingerprint|\w+_duration)":'
    r' ?("[^"]*"|[0-9.]+)'
)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with House(tmp_path_factory.mktemp("h"), resume="true") as house:
        yield house


def answer(request: int, attempt: int) -> list[Any]:
    """Ids of calls are a worker's own."""
    return [
        Started(request, 5, 0),
        ReasoningDelta(request, 0, "Hm, ", (1,)),
        ReasoningDelta(request, 0, "sum", (2,)),
        Delta(request, 0, "Grüße 👋", (3, 4)),
        Delta(request, 0, "🏽!", (5,)),
        ToolCallDelta(request, 0, 0, f"call_{attempt}", "add", "", (6,)),
        ToolCallDelta(request, 0, 0, None, None, '{"a": ', (7,)),
        ToolCallDelta(request, 0, 0, None, None, "1}", (8,)),
        Finished(request, 0, "tool_calls"),
    ]


def dies_at(house: House, at: int | None) -> None:
    """The next request's worker sends so many events and dies; its successor sends all."""
    house.forget()
    worker = house.fresh_worker()

    def script(submit: Submit) -> Iterator[Any]:
        attempt = len(house.all(LeaseRequest))
        events = answer(submit.request, attempt)
        yield Accepted(submit.request, 5)
        if at is None or attempt > 1:
            yield from [*events, ended(submit.request, 8)]
            return
        yield from events[:at]
        house.fresh_worker()
        house.control(WorkerLost(worker, "tiny", "killed by SIGSEGV"))

    house.script = script


def ask(house: House, route: str, *, stream: bool) -> str:
    path, body = ROUTES[route]
    body = {"model": "tiny", "stream": stream, **body}
    got = httpx.post(f"{house.url}{path}", json=body, timeout=20)
    assert got.status_code == 200, got.text
    assert house.settled()
    return _CHANGING.sub(r'"\1": 0', got.text)


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize("route", [*ROUTES])
def test_a_client_reads_what_it_would_have_read(house: House, route: str, stream: bool) -> None:
    dies_at(house, None)
    expected = ask(house, route, stream=stream)
    assert "👋" in expected or "\\ud83d" in expected
    for at in range(len(answer(0, 1)) + 1):
        dies_at(house, at)
        assert ask(house, route, stream=stream).replace("call_2", "call_1") == expected, at
        assert len(house.all(LeaseRequest)) == 2


def test_the_access_log_says_how_often_it_was_begun_again(house: House) -> None:
    dies_at(house, 3)
    ask(house, "chat", stream=True)
    lines = [line for line in house.logged('"event": "request"') if line.get("resumed")]
    assert lines
    assert {line["resumed"] for line in lines} == {1}
    assert house.logged("request recovered")[-1]["tokens"] == 2


def test_embeddings_come_once(house: House) -> None:
    house.forget()
    worker = house.fresh_worker()

    def script(embed: Embed) -> Iterator[Any]:
        is_first = len(house.all(LeaseRequest)) == 1
        yield Accepted(embed.request, 5)
        yield Vectors(embed.request, 0, 1, b"\0\0\0?" * (1 if is_first else 2))
        if is_first:
            house.fresh_worker()
            house.control(WorkerLost(worker, "tiny", "killed by SIGSEGV"))
        else:
            yield ended(embed.request)

    house.script = script
    body = {"model": "tiny", "input": ["a", "b"]}
    got = httpx.post(f"{house.url}/v1/embeddings", json=body, timeout=20)
    assert [(row["index"], row["embedding"]) for row in got.json()["data"]] == [
        (0, [0.5]),
        (1, [0.5]),
    ]
    assert house.settled()


def test_a_poison_prompt_is_one_in_every_dialect(house: House) -> None:
    house.forget()
    house.fresh_worker()

    def script(submit: Submit) -> Iterator[Any]:
        worker = house.newest
        house.fresh_worker()
        house.control(WorkerLost(worker, "tiny", "killed by SIGSEGV"))
        yield from ()

    house.script = script
    poison = [{"role": "user", "content": "poison"}]
    asked = [
        ("/v1/chat/completions", {"messages": poison}),
        ("/v1/responses", {"input": "poison"}),
        ("/v1/messages", {"messages": poison, "max_tokens": 50}),
        ("/api/chat", {"messages": poison, "stream": False}),
    ]
    path, body = asked[0]
    first = httpx.post(f"{house.url}{path}", json={"model": "tiny", **body}, timeout=20)
    assert first.status_code == 503, first.text
    assert "3 attempts" in first.text
    leases = len(house.all(LeaseRequest))
    for path, body in asked:
        again = httpx.post(f"{house.url}{path}", json={"model": "tiny", **body}, timeout=20)
        assert again.status_code == 422, again.text
        assert "SIGSEGV" in again.text
        assert "retry-after" not in again.headers
    assert len(house.all(LeaseRequest)) == leases
    assert house.settled()
