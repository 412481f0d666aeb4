"""Responses through the official client: answers, tools, conversations that the server keeps."""

from __future__ import annotations

import asyncio
import functools
import json
import operator
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pydantic
import pytest
from conftest import StartServer
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_openai import ChatOpenAI

from harness.counting_model import counted
from harness.prompts import CLEAR, THOUGHTS
from harness.server import Server, free_port, launch, wait_until_ready

PARIS = "What is the capital of France?"
NYC = "What is the weather in NYC?"
WEATHER: Any = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather of a city",
    "parameters": {
        "type": "object",
        "properties": {"location": {"type": "string", "description": "City name"}},
        "required": ["location"],
        "additionalProperties": False,
    },
    "strict": True,
}
CALM: Any = {"effort": "none"}
GREEDY: dict[str, Any] = {"temperature": 0, "max_output_tokens": 300}


class Person(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid")

    name: str
    age: int


@pytest.fixture(scope="module")
def client(house: Server) -> openai.OpenAI:
    return house.openai()


def ask(client: openai.OpenAI, prompt: Any, model: str = "Tiny", **options: Any) -> Any:
    return client.responses.create(model=model, input=prompt, **GREEDY | options)


def streamed(client: openai.OpenAI, prompt: Any, model: str = "Tiny", **options: Any) -> list[Any]:
    with ask(client, prompt, model, stream=True, **options) as events:
        return list(events)


@pytest.mark.parametrize("prompt", CLEAR)
def test_the_tiny_model_thinks_and_gives_its_known_answers(
    client: openai.OpenAI, prompt: str
) -> None:
    response = ask(client, prompt)
    reasoning, message = response.output
    assert (reasoning.type, reasoning.content[0].text.strip()) == ("reasoning", THOUGHTS[prompt])
    assert message.type == "message"
    assert response.output_text == CLEAR[prompt]
    assert (response.status, response.incomplete_details, response.error) == (
        "completed",
        None,
        None,
    )
    usage = response.usage
    assert usage.total_tokens == usage.input_tokens + usage.output_tokens
    assert 0 < usage.output_tokens_details.reasoning_tokens < usage.output_tokens


@pytest.mark.parametrize("prompt", CLEAR)
def test_a_stream_has_the_same_answer_in_pieces(client: openai.OpenAI, prompt: str) -> None:
    events = streamed(client, prompt)
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert [event.type for event in (events[0], events[1], events[-1])] == [
        "response.created",
        "response.in_progress",
        "response.completed",
    ]
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    thought = "".join(e.delta for e in events if e.type == "response.reasoning_text.delta")
    assert text == events[-1].response.output_text == CLEAR[prompt]
    assert thought.strip() == THOUGHTS[prompt]


def test_the_clients_stream_helper_puts_a_response_together(client: openai.OpenAI) -> None:
    with client.responses.stream(model="Tiny", input=PARIS, tools=[WEATHER], **GREEDY) as stream:
        snapshots = [e.snapshot for e in stream if e.type == "response.output_text.delta"]
        final = stream.get_final_response()
    assert snapshots[-1] == final.output_text == CLEAR[PARIS]


def test_the_asynchronous_client_streams_too(house: Server) -> None:
    async def both() -> tuple[str, str]:
        url = f"{house.url}/v1"
        async with openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as client:
            whole = await client.responses.create(model="Tiny", input=PARIS, **GREEDY)
            async with client.responses.stream(model="Tiny", input=PARIS, **GREEDY) as stream:
                final = await stream.get_final_response()
        return whole.output_text, final.output_text

    assert asyncio.run(both()) == (CLEAR[PARIS], CLEAR[PARIS])


def test_an_answer_parses_into_its_class(client: openai.OpenAI) -> None:
    prompt = "Give me JSON for a person called Alice aged 30."
    parsed = client.responses.parse(model="Tiny", input=prompt, text_format=Person, **GREEDY)
    assert parsed.output_parsed == Person(name="Alice", age=30)
    with client.responses.stream(
        model="Tiny", input=prompt, text_format=Person, **GREEDY
    ) as stream:
        assert stream.get_final_response().output_parsed == Person(name="Alice", age=30)


def test_log_probabilities_stand_beside_the_text(client: openai.OpenAI) -> None:
    options: Any = {"include": ["message.output_text.logprobs"], "top_logprobs": 2}
    part = ask(client, PARIS, reasoning=CALM, **options).output[0].content[0]
    assert "".join(one.token for one in part.logprobs) == CLEAR[PARIS]
    assert all(len(one.top_logprobs) == 2 for one in part.logprobs)
    events = streamed(client, PARIS, reasoning=CALM, **options)
    deltas = [one for e in events if e.type.endswith("text.delta") for one in e.logprobs]
    assert [one.token for one in deltas] == [one.token for one in part.logprobs]


# Ends.


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_that_is_cut_is_incomplete(client: openai.OpenAI, stream: bool) -> None:
    options: Any = {"model": "Count", "max_output_tokens": 5}
    if stream:
        last = streamed(client, "from 7", **options)[-1]
        assert last.type == "response.incomplete"
        response = last.response
    else:
        response = ask(client, "from 7", **options)
    assert response.status == "incomplete"
    assert response.incomplete_details.reason == "max_output_tokens"
    assert response.output_text == counted(7, 5)
    assert response.output[0].status == "incomplete"
    assert client.responses.retrieve(response.id).status == "incomplete"


def test_a_call_that_is_cut_is_text_and_nothing_to_run(client: openai.OpenAI) -> None:
    options: Any = {"tools": [WEATHER], "reasoning": CALM, "max_output_tokens": 8}
    for response in (ask(client, NYC, **options), streamed(client, NYC, **options)[-1].response):
        assert response.status == "incomplete"
        assert [item.type for item in response.output] == ["message"]
        assert response.output_text


# Tools.


def test_a_call_comes_with_its_events(client: openai.OpenAI) -> None:
    events = streamed(client, NYC, tools=[WEATHER], reasoning=CALM)
    deltas = [e.delta for e in events if e.type == "response.function_call_arguments.delta"]
    (done,) = [e for e in events if e.type == "response.function_call_arguments.done"]
    (call,) = events[-1].response.output
    assert "".join(deltas) == done.arguments == call.arguments
    assert json.loads(call.arguments) == {"location": "NYC"}
    assert (call.type, call.name, call.status) == ("function_call", "get_weather", "completed")
    assert events[-1].response.status == "completed"


@pytest.mark.parametrize("kept", [True, False], ids=["kept", "sent_again"])
def test_a_call_is_answered_and_the_conversation_goes_on(client: openai.OpenAI, kept: bool) -> None:
    options: Any = {"tools": [WEATHER], "store": kept}
    include: Any = [] if kept else ["reasoning.encrypted_content"]
    first = ask(client, NYC, include=include, **options)
    (call,) = [item for item in first.output if item.type == "function_call"]
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "Sunny, 20 C"}
    if kept:
        second = ask(client, [result], previous_response_id=first.id, **options)
    else:
        second = ask(client, [{"role": "user", "content": NYC}, *first.output, result], **options)
    assert second.status == "completed"
    assert second.usage.input_tokens > first.usage.input_tokens
    assert second.output_text


def test_a_call_that_is_demanded_comes(client: openai.OpenAI) -> None:
    for choice in ("required", {"type": "function", "name": "get_weather"}):
        response = ask(client, "Hello!", tools=[WEATHER], tool_choice=choice, reasoning=CALM)
        assert {item.type for item in response.output} == {"function_call"}
        assert response.tool_choice == choice or response.tool_choice.name == "get_weather"


def test_langchain_speaks_it_too(house: Server) -> None:
    for options in ({"use_previous_response_id": True}, {"store": False}):
        llm: Any = ChatOpenAI(
            model="Tiny",
            base_url=f"{house.url}/v1",
            api_key=pydantic.SecretStr("none"),
            use_responses_api=True,
            output_version="responses/v1",
            include=["reasoning.encrypted_content"],
            temperature=0,
            max_tokens=300,
            **options,
        )
        bound = llm.bind_tools([WEATHER])
        whole = bound.invoke(NYC)
        streamed = functools.reduce(operator.add, bound.stream(NYC))
        assert [call["args"] for call in whole.tool_calls] == [{"location": "NYC"}]
        assert [call["args"] for call in streamed.tool_calls] == [{"location": "NYC"}]
        result = ToolMessage("Sunny", tool_call_id=streamed.tool_calls[0]["id"])
        assert bound.invoke([HumanMessage(NYC), streamed, result]).text
        prompt = "Give me JSON for a person called Alice aged 30."
        assert llm.with_structured_output(Person).invoke(prompt) == Person(name="Alice", age=30)


# Conversations.


def test_three_turns_are_one_conversation(client: openai.OpenAI) -> None:
    first = ask(client, " 41", "Count", max_output_tokens=2, instructions="one")
    second = ask(client, " 7", "Count", max_output_tokens=2, previous_response_id=first.id)
    third = ask(client, " 23", "Count", max_output_tokens=2, previous_response_id=second.id)
    assert [one.output_text for one in (first, second, third)] == [
        counted(41, 2),
        counted(7, 2),
        counted(23, 2),
    ]
    # The counting model has a token for each number and each byte: the instructions are gone, all
    # that was said is there.
    assert first.usage.input_tokens == len("one") + 1
    assert second.usage.input_tokens == 1 + 2 + 1
    assert third.usage.input_tokens == second.usage.input_tokens + 2 + 1
    items = client.responses.input_items.list(third.id, order="asc", limit=2)
    assert items.has_more
    assert [item.role for item in items] == ["user", "assistant", "user", "assistant", "user"]
    newest = client.responses.input_items.list(third.id).data[0]
    assert newest.content[0].text == " 23"


def test_what_was_computed_for_one_turn_is_not_computed_for_the_next(
    client: openai.OpenAI,
) -> None:
    long = "This is said in a response. " + "It is said again and again. " * 30
    first = ask(client, long, max_output_tokens=10, reasoning=CALM)
    second = ask(client, "Hello!", previous_response_id=first.id, reasoning=CALM)
    assert first.usage.input_tokens_details.cached_tokens == 0
    assert second.usage.input_tokens_details.cached_tokens > first.usage.input_tokens - 20


def test_a_deleted_response_is_gone_and_what_continued_it_is_not(client: openai.OpenAI) -> None:
    first = ask(client, PARIS)
    second = ask(client, "Hello!", previous_response_id=first.id)
    client.responses.delete(first.id)
    for gone in (
        lambda: client.responses.retrieve(first.id),
        lambda: client.responses.delete(first.id),
        lambda: client.responses.input_items.list(first.id),
        lambda: client.responses.cancel(first.id),
    ):
        with pytest.raises(openai.NotFoundError, match=first.id):
            gone()
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, "x", previous_response_id=first.id)
    assert caught.value.code == "previous_response_not_found"
    assert caught.value.param == "previous_response_id"
    third = ask(client, PARIS, previous_response_id=second.id)
    assert [item.type for item in client.responses.input_items.list(third.id, order="asc")] == [
        *["message", "reasoning", "message"] * 2,
        "message",
    ]


def test_a_response_is_retrieved_as_it_was_answered(client: openai.OpenAI) -> None:
    whole = ask(client, PARIS, metadata={"k": "v"}, instructions="Be kind.")
    assert client.responses.retrieve(whole.id).to_dict() == whole.to_dict()
    last = streamed(client, PARIS)[-1].response
    assert client.responses.retrieve(last.id).to_dict() == last.to_dict()


def test_what_is_not_stored_cannot_be_asked_for(client: openai.OpenAI) -> None:
    response = ask(client, PARIS, store=False)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(response.id)
    with pytest.raises(openai.NotFoundError, match="`store`"):
        ask(client, [{"type": "item_reference", "id": response.output[0].id}])


def test_a_response_that_was_not_in_the_background_cannot_be_cancelled(
    client: openai.OpenAI,
) -> None:
    with pytest.raises(openai.BadRequestError, match="synchronous"):
        client.responses.cancel(ask(client, PARIS).id)
    with pytest.raises(openai.BadRequestError, match="'stream'"):
        client.responses.retrieve(ask(client, PARIS).id, stream=True)


def test_responses_outlive_the_server(start_server: StartServer, counting: Any) -> None:
    server = start_server({"test/tiny/Count.gguf": counting})
    first = ask(server.openai(), " 41", "Count", max_output_tokens=2)
    assert server.stop() == 0
    again = launch(server.base, free_port())
    try:
        wait_until_ready(again)
        client = again.openai()
        assert client.responses.retrieve(first.id).output_text == counted(41, 2)
        second = ask(client, " 7", "Count", max_output_tokens=2, previous_response_id=first.id)
        assert second.usage.input_tokens == 4
        assert again.stop() == 0
        again.prove_gone()
    finally:
        again.clean_up()


# What fits.

TURNS: list[Any] = [
    item
    for number in range(20)
    for item in (
        {"role": "user", "content": "x" * 99 + f" {number}"},
        {"role": "assistant", "content": "y" * 50},
    )
]


def test_the_input_is_counted_without_an_answer(client: openai.OpenAI) -> None:
    response = ask(client, PARIS, instructions="Be kind.", tools=[WEATHER], max_output_tokens=1)
    count: Any = client.responses.input_tokens.count
    found = count(model="Tiny", input=PARIS, instructions="Be kind.", tools=[WEATHER])
    assert found.input_tokens == response.usage.input_tokens
    longer = count(model="Tiny", input="Hello!", previous_response_id=response.id)
    assert longer.input_tokens > count(model="Tiny", input="Hello!").input_tokens


@pytest.mark.parametrize(
    ("limit", "turns"),
    # A turn is 150 tokens, the window 1024; an answer may take half of it at most.
    [(5, 6), (200, 5), (5000, 3)],
)
def test_the_oldest_turns_go_where_a_conversation_does_not_fit(
    client: openai.OpenAI, limit: int, turns: int
) -> None:
    items = [*TURNS, {"role": "user", "content": " 41"}]
    options: Any = {"max_output_tokens": limit, "truncation": "auto", "instructions": "abc"}
    response = ask(client, items, "Count", **options)
    assert response.truncation == "auto"
    assert response.usage.input_tokens == 3 + turns * 150 + 1
    assert response.output_text.startswith(counted(41, 5))
    # All of it is kept.
    listed = client.responses.input_items.list(response.id, limit=100)
    assert len(listed.data) == len(items)


@pytest.mark.parametrize("truncation", ["auto", "disabled"])
def test_a_last_turn_that_does_not_fit_is_refused(client: openai.OpenAI, truncation: Any) -> None:
    items = [*TURNS[:4], {"role": "user", "content": "z" * 2000}]
    with pytest.raises(openai.BadRequestError, match="maximum context length") as caught:
        ask(client, items, "Count", truncation=truncation)
    assert (caught.value.code, caught.value.param) == ("context_length_exceeded", "input")


# Errors.


@pytest.fixture
def http(house: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=house.url, timeout=60) as client:
        yield client


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("fields", "status", "param"),
    [
        ({"model": "Nobody"}, 404, "model"),
        ({"input": "x " * 2000}, 400, "input"),
        ({"tools": [{"type": "web_search"}]}, 400, "tools[0].type"),
        (
            {
                "tools": [{**WEATHER, "parameters": {"properties": {"a": {"type": "int"}}}}],
                "tool_choice": "required",
            },
            400,
            "tools[0].parameters",
        ),
        (
            {"text": {"format": {"type": "json_schema", "name": "n", "schema": {"$ref": "#/x"}}}},
            400,
            "text.format.schema",
        ),
        ({"regex": "[0-9]{40}", "max_output_tokens": 2}, 400, "max_output_tokens"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(
    http: httpx.Client, fields: dict[str, Any], status: int, param: str, stream: bool
) -> None:
    body = {"model": "Tiny", "input": "Hello!", "max_output_tokens": 20, "stream": stream}
    answer = http.post("/v1/responses", json=body | fields)
    error = answer.json()["error"]
    assert answer.status_code == status, error
    assert error["type"] == "invalid_request_error"
    assert error["param"].startswith(param), error


def test_names_that_are_none_are_not_found(http: httpx.Client) -> None:
    for name in ("x", "resp_", "resp_" + "0" * 48, "%F0", "a" * 2000):
        answer = http.get(f"/v1/responses/{name}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
