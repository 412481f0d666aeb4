"""Anthropic's own client against the real gateway process and scripted workers."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import anthropic
import httpx
import pytest

from fakes.gateway_house import WORKER, House, hang_after, play
from kronk.gateway.body import MAX_BODY_BYTES
from kronk.gateway.dialects.anthropic.stream import PING
from kronk.shared.wire.to_gateway import (
    Accepted,
    Delta,
    Failed,
    Finished,
    Granted,
    ReasoningDelta,
    Refused,
    Started,
    ToolCallDelta,
    ToolCallRetracted,
    WorkerLost,
)
from kronk.shared.wire.to_supervisor import LeaseRequest
from kronk.shared.wire.to_worker import Cancel, Submit

PATH = "/v1/messages"
HI: Any = [{"role": "user", "content": "hi"}]
FIELDS: dict[str, Any] = {"model": "tiny", "max_tokens": 50, "messages": HI}
HELLO = play(
    lambda request: Started(request, 20, 4),
    lambda request: ReasoningDelta(request, 0, "Hm.", (1,)),
    lambda request: Delta(request, 0, "Hello", (2,)),
    lambda request: Delta(request, 0, " w\u00f6rld", (3,)),
    lambda request: Finished(request, 0, "stop"),
)


@pytest.fixture(scope="module")
def shared_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with House(tmp_path_factory.mktemp("h"), stream_keepalive="20ms") as house:
        yield house


@pytest.fixture
def house(shared_house: House) -> House:
    shared_house.forget()
    shared_house.script = HELLO
    return shared_house


@pytest.fixture
def client(house: House) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=house.url, api_key="none", max_retries=0) as client:
        yield client


def never(ask: LeaseRequest) -> None:
    """The model takes its time to load."""


def test_the_message_starts_with_the_tokens_of_the_prompt(client: anthropic.Anthropic) -> None:
    with client.messages.stream(**FIELDS) as stream:
        events = list(stream)
    start = events[0]
    assert start.type == "message_start"
    assert (start.message.usage.input_tokens, start.message.usage.cache_read_input_tokens) == (
        16,
        4,
    )
    final = stream.get_final_message()
    assert [block.type for block in final.content] == ["thinking", "text"]
    assert stream.get_final_text() == "Hello w\u00f6rld"


def test_pings_come_while_the_model_loads_and_then_the_message(house: House) -> None:
    house.grant = never
    text = ""
    with (
        httpx.Client(base_url=house.url, timeout=20) as http,
        http.stream("POST", PATH, json={**FIELDS, "stream": True}) as answer,
    ):
        parts = answer.iter_text()
        while text.count(PING.decode()) < 2:
            text += next(parts)
        (ask,) = house.wait_for(LeaseRequest)
        house.control(Granted(ask.lease, WORKER))
        text += "".join(parts)
    assert text.startswith(PING.decode() * 2)
    assert text.replace(PING.decode(), "").startswith("event: message_start\n")
    assert text.endswith('data: {"type":"message_stop"}\n\n')
    assert house.settled()


def test_the_client_does_not_notice_pings(house: House, client: anthropic.Anthropic) -> None:
    house.grant = never
    with client.messages.stream(**FIELDS) as stream:
        # Its headers came with the first ping.
        assert stream.response.status_code == 200
        (ask,) = house.wait_for(LeaseRequest)
        house.control(Granted(ask.lease, WORKER))
        assert stream.get_final_text() == "Hello w\u00f6rld"


def test_a_retracted_call_is_never_announced(house: House, client: anthropic.Anthropic) -> None:
    house.script = play(
        lambda request: Started(request, 20, 4),
        lambda request: ToolCallDelta(request, 0, 0, "call_a", "get_weather", ""),
        lambda request: ToolCallDelta(request, 0, 0, None, None, '{"place": '),
        lambda request: ToolCallRetracted(request, 0, 0, '<call>{"place": '),
        lambda request: Finished(request, 0, "length"),
    )
    with client.messages.stream(**FIELDS | {"max_tokens": 2}) as stream:
        final = stream.get_final_message()
    assert [block.to_dict() for block in final.content] == [
        {"type": "text", "text": '<call>{"place": '}
    ]
    assert final.stop_reason == "max_tokens"


# Errors.


@pytest.mark.parametrize(
    ("failed", "kind"),
    [
        (lambda request: Failed(request, "model_crashed", "killed by SIGSEGV", None), "api_error"),
        (lambda request: Failed(request, "internal", "oops", None), "api_error"),
    ],
)
def test_a_failure_in_the_middle_is_an_error_of_the_client(
    house: House, client: anthropic.Anthropic, failed: Any, kind: str
) -> None:
    def script(submit: Submit) -> Iterator[Any]:
        yield Accepted(submit.request, 20)
        yield Started(submit.request, 20, 4)
        yield Delta(submit.request, 0, "Hel", (1,))
        yield failed(submit.request)

    house.script = script
    with (
        pytest.raises(anthropic.APIStatusError) as caught,
        client.messages.stream(**FIELDS) as stream,
    ):
        stream.until_done()
    error: Any = caught.value.body
    assert error["type"] == "error"
    assert error["error"]["type"] == kind
    assert stream.current_message_snapshot.content[0].to_dict() == {"type": "text", "text": "Hel"}


def test_a_dead_worker_is_an_error_too(house: House, client: anthropic.Anthropic) -> None:
    worker = house.fresh_worker()
    house.script = hang_after("Hel")
    with (
        pytest.raises(anthropic.APIStatusError, match="SIGKILL"),
        client.messages.stream(**FIELDS) as stream,
    ):
        house.wait_for(Submit)
        house.control(WorkerLost(worker, "tiny", "SIGKILL"))
        stream.until_done()


REFUSED: list[tuple[Refused, type[anthropic.APIStatusError], str]] = [
    (
        Refused(0, "not_found", "no such model", "model", None),
        anthropic.NotFoundError,
        "not_found_error",
    ),
    (
        Refused(0, "overloaded", "busy", None, 1.2),
        anthropic.InternalServerError,
        "overloaded_error",
    ),
    (
        Refused(0, "model_failed", "bad file", None, 30.0),
        anthropic.InternalServerError,
        "api_error",
    ),
    (Refused(0, "timeout", "too long", None, None), anthropic.InternalServerError, "timeout_error"),
    (Refused(0, "internal", "oops", None, None), anthropic.InternalServerError, "api_error"),
]


@pytest.mark.parametrize(("refused", "kind", "name"), REFUSED)
def test_a_refusal_is_an_error_of_the_client(
    house: House,
    client: anthropic.Anthropic,
    refused: Refused,
    kind: type[anthropic.APIStatusError],
    name: str,
) -> None:
    house.grant = lambda ask: Refused(
        ask.lease, refused.code, refused.message, refused.param, refused.retry_after
    )
    calls: list[Any] = [
        lambda: client.messages.create(**FIELDS),
        lambda: client.messages.create(**FIELDS, stream=True),
        lambda: client.messages.count_tokens(model="tiny", messages=HI),
    ]
    for call in calls:
        with pytest.raises(kind) as caught:
            call()
        body: Any = caught.value.body
        assert (body["type"], body["error"]["type"]) == ("error", name)
        assert body["request_id"] == caught.value.request_id
        assert caught.value.response.headers.get("retry-after") == (
            refused.retry_after and str(-int(-refused.retry_after // 1))
        )


def test_the_client_comes_again_when_it_was_too_busy(house: House) -> None:
    answers = iter([Refused(0, "overloaded", "busy", None, 0.01)])

    def grant(ask: LeaseRequest) -> Any:
        busy = next(answers, None)
        if busy is None:
            return Granted(ask.lease, WORKER)
        return Refused(ask.lease, busy.code, busy.message, busy.param, busy.retry_after)

    house.grant = grant
    with anthropic.Anthropic(base_url=house.url, api_key="none", max_retries=1) as patient:
        message = patient.messages.create(**FIELDS)
    assert message.stop_reason == "end_turn"
    assert len(house.all(LeaseRequest)) == 2


def test_a_body_that_is_too_large_is_refused_as_such(house: House) -> None:
    with httpx.Client(base_url=house.url, timeout=20) as http:
        answer = http.post(PATH, content=b" " * (MAX_BODY_BYTES + 1))
    assert answer.status_code == 413
    assert answer.json()["error"]["type"] == "request_too_large"


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_leaves_ends_its_request(house: House, stream: bool) -> None:
    house.script = hang_after("Hel")
    body = json.dumps({**FIELDS, "stream": stream}).encode()
    head = f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", house.port), timeout=20) as connection:
        connection.sendall(head.encode() + body)
        (submit,) = house.wait_for(Submit)
    assert house.wait_for(Cancel) == [Cancel(submit.request)]
    assert house.settled()


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
def test_another_method_is_refused_in_anthropics_envelope(house: House, method: str) -> None:
    with httpx.Client(base_url=house.url, timeout=20) as http:
        answer = http.request(method, PATH)
    assert answer.status_code == 405
    if method != "HEAD":
        assert answer.json()["error"]["type"] == "invalid_request_error"
