"""Responses of the real gateway process when workers misbehave: what clients see of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest

from fakes.gateway_house import House, done, hang_after, play
from harness.waiting import wait_until
from kronk.shared.wire.to_gateway import (
    Accepted,
    Delta,
    Failed,
    Finished,
    Refused,
    ToolCallDelta,
    ToolCallRetracted,
    WorkerLost,
)
from kronk.shared.wire.to_worker import Cancel, Submit


@pytest.fixture(scope="module")
def shared_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with House(tmp_path_factory.mktemp("h")) as house:
        yield house


@pytest.fixture
def house(shared_house: House) -> House:
    shared_house.forget()
    return shared_house


@pytest.fixture
def client(house: House) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{house.url}/v1", api_key="none", max_retries=0) as client:
        yield client


def breaks(submit: Submit) -> Iterator[Any]:
    yield Accepted(submit.request, 5)
    yield Delta(submit.request, 0, "Hel", (1,))
    yield Failed(submit.request, "internal", "something broke", None)


def refuses(submit: Submit) -> Iterator[Any]:
    field = submit.prompt.field
    yield Failed(submit.request, "invalid_argument", f"'{field}': no", field)


def test_a_stream_that_fails_ends_with_a_failed_response_which_is_kept(
    house: House, client: openai.OpenAI
) -> None:
    house.script = breaks
    with client.responses.create(model="tiny", input="hi", stream=True) as stream:
        last = list(stream)[-1]
    assert last.type == "response.failed"
    assert last.response.error is not None
    assert (last.response.error.code, last.response.error.message) == (
        "server_error",
        "something broke",
    )
    kept = client.responses.retrieve(last.response.id)
    assert kept.status == "failed"
    assert kept.output_text == "Hel"
    # A client that goes on all the same is answered.
    house.forget()
    assert client.responses.create(
        model="tiny", input="again", previous_response_id=kept.id
    ).output_text
    (submit,) = house.wait_for(Submit)
    roles = [message["role"] for message in submit.prompt.messages]
    assert roles == ["user", "assistant", "user"]


def test_a_worker_that_dies_is_a_failed_response(house: House, client: openai.OpenAI) -> None:
    worker = house.fresh_worker()
    house.script = hang_after("Hel")
    with client.responses.stream(model="tiny", input="hi") as stream:
        events = iter(stream)
        kinds = []
        for event in events:
            kinds.append(event.type)
            if event.type == "response.output_text.delta":
                house.control(WorkerLost(worker, "tiny", "killed by SIGKILL"))
        with pytest.raises(RuntimeError, match=r"response\.completed"):
            stream.get_final_response()
    assert kinds[-1] == "response.failed"


def test_a_whole_response_that_fails_is_an_error_and_is_not_kept(
    house: House, client: openai.OpenAI
) -> None:
    house.script = breaks
    with pytest.raises(openai.InternalServerError, match="something broke"):
        client.responses.create(model="tiny", input="hi")


@pytest.mark.parametrize("stream", [False, True])
def test_a_refusal_is_a_status_and_names_the_routes_own_field(house: House, stream: bool) -> None:
    house.script = refuses
    body = {"model": "tiny", "input": "hi", "stream": stream}
    answer = httpx.post(f"{house.url}/v1/responses", json=body, timeout=20)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "input"


def test_a_refused_lease_is_a_status_too(house: House, client: openai.OpenAI) -> None:
    house.grant = lambda ask: Refused(ask.lease, "overloaded", "busy", None, 2.0)
    with pytest.raises(openai.InternalServerError) as caught:
        client.responses.create(model="tiny", input="hi", stream=True)
    assert caught.value.response.headers["retry-after"] == "2"


def test_a_retracted_call_is_text_for_the_official_client(
    house: House, client: openai.OpenAI
) -> None:
    house.script = play(
        lambda request: ToolCallDelta(request, 0, 0, "call_a", "f", ""),
        lambda request: ToolCallDelta(request, 0, 0, None, None, '{"a": 1}'),
        lambda request: ToolCallRetracted(request, 0, 0, "<tool_call>{"),
        lambda request: Finished(request, 0, "stop"),
    )
    tools: Any = [{"type": "function", "name": "f", "parameters": None, "strict": False}]
    with client.responses.stream(model="tiny", input="hi", tools=tools) as stream:
        final = stream.get_final_response()
    assert final.output_text == "<tool_call>{"
    assert [item.type for item in final.output] == ["message"]
    whole = client.responses.create(model="tiny", input="hi", tools=tools)
    assert [item.type for item in whole.output] == ["message"]


def test_a_client_that_leaves_cancels_its_request(house: House, client: openai.OpenAI) -> None:
    house.script = hang_after("Hel")
    with client.responses.create(model="tiny", input="hi", stream=True) as stream:
        events: Any = iter(stream)
        name = next(events).response.id
        assert any(event.type == "response.output_text.delta" for event in events)
    house.wait_for(Cancel)
    assert house.settled()

    def kept() -> Any:
        try:
            return client.responses.retrieve(name)
        except openai.NotFoundError:
            return None

    response = wait_until(kept, "the response")
    assert (response.status, response.error, response.output_text) == ("cancelled", None, "Hel")


def test_a_load_that_fails_behind_keep_alives_is_a_failed_response(tmp_path: Any) -> None:
    with House(tmp_path, stream_keepalive="50ms") as house:
        waiting = []
        house.grant = waiting.append
        body = {"model": "tiny", "input": "hi", "stream": True}
        with httpx.stream("POST", f"{house.url}/v1/responses", json=body, timeout=20) as answer:
            lines = answer.iter_lines()
            assert next(lines).startswith(":")
            house.control(Refused(waiting[0].lease, "model_failed", "bad file", None, None))
            rest = [json.loads(line[6:]) for line in lines if line.startswith("data: ")]
        assert [event["type"] for event in rest] == [
            "response.created",
            "response.in_progress",
            "response.failed",
        ]
        assert rest[-1]["response"]["error"]["message"] == "bad file"


def test_a_worker_that_answers_with_something_else_is_a_bug_of_ours(
    house: House, client: openai.OpenAI
) -> None:
    def script(submit: Submit) -> Iterator[Any]:
        yield Accepted(submit.request, 5)
        yield ToolCallRetracted(submit.request, 0, 0, "x")
        yield from done(submit.request)

    house.script = script
    with pytest.raises(openai.InternalServerError):
        client.responses.create(model="tiny", input="hi")
