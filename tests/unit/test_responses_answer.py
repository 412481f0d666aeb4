"""Responses, whole and streamed: every object and event is one of the official client's types."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai import omit
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from harness import golden
from harness.events import DONE, SCRIPTS, STARTED, R
from kronk.gateway.dialects.openai.padding import STEP, PaddedChunks
from kronk.gateway.dialects.responses.output import Output
from kronk.gateway.dialects.responses.request import ResponseRequest, parse
from kronk.gateway.dialects.responses.stream import ResponseChunks
from kronk.gateway.dialects.responses.whole import ResponseWhole
from kronk.gateway.run import Event
from kronk.shared.errors import Internal, InvalidArgument, ModelCrashed
from kronk.shared.wire.to_gateway import (
    Delta,
    Finished,
    ReasoningDelta,
    Scores,
    ToolCallDelta,
    ToolCallRetracted,
)

NAME = "resp_6553f100" + "ab" * 20
NOW = 0x6553F100
EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
# Every field that a response repeats.
FULL: dict[str, Any] = {
    "instructions": "Be brief.",
    "max_output_tokens": 50,
    "metadata": {"k": "v"},
    "parallel_tool_calls": False,
    "prompt_cache_key": "p",
    "reasoning": {"effort": "low", "summary": "auto"},
    "safety_identifier": "s",
    "temperature": 0.5,
    "text": {"format": {"type": "json_object"}},
    "tool_choice": {"type": "function", "name": "now"},
    "tools": [
        {"type": "function", "name": "now"},
        {
            "type": "function",
            "name": "get_weather",
            "description": "The weather",
            "parameters": {"type": "object", "properties": {"location": {"type": "string"}}},
            "strict": False,
        },
    ],
    "top_logprobs": 2,
    "top_p": 0.9,
    "user": "u",
}


def asked(**fields: Any) -> ResponseRequest:
    body = {"model": 'a/"b"', "input": "hi", **fields}
    return parse(json.dumps(body).encode(), NAME, NOW, lambda name: None)


def chunks(**fields: Any) -> ResponseChunks:
    request = asked(**fields)
    output = Output(request.names, request.carried, request.spaces)
    return ResponseChunks(request.born, output, lambda: NOW + 2)


def whole(events: list[Event], **fields: Any) -> Any:
    request = asked(**fields)
    answer = ResponseWhole(
        request.born, Output(request.names, request.carried, request.spaces), lambda: NOW + 2
    )
    for event in events:
        answer.add(event)
    return json.loads(json.dumps(answer.body(DONE)))


def streamed(events: list[Event], **fields: Any) -> bytes:
    stream = chunks(**fields)
    data = stream.opening() + b"".join([stream.event(event) for event in events])
    return data + stream.closing(DONE)


def read(data: bytes) -> list[Any]:
    """The events of a stream; the name of each is its type."""
    *parts, rest = data.decode("ascii").split("\n\n")
    assert rest == ""
    found = []
    for part in parts:
        name, event = part.split("\n")
        found.append(json.loads(event.removeprefix("data: ")))
        assert name == f"event: {found[-1]['type']}"
    return found


def put_together(events: list[Any], kind: str) -> str:
    return "".join(event["delta"] for event in events if event["type"] == f"response.{kind}.delta")


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_becomes_a_response(script: str) -> None:
    body = whole(SCRIPTS[script])
    Response.model_validate(body)
    golden.check(f"responses/{script}.json", json.dumps(body, indent=1, ensure_ascii=False) + "\n")


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_becomes_events(script: str) -> None:
    data = streamed(SCRIPTS[script])
    events = read(data)
    for event in events:
        EVENT.validate_python(event)
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    golden.check(f"responses/{script}.sse", data.decode())


@pytest.mark.parametrize("script", SCRIPTS)
def test_both_forms_say_the_same(script: str) -> None:
    last = read(streamed(SCRIPTS[script]))[-1]
    assert last["response"] == whole(SCRIPTS[script])
    assert last["type"] == f"response.{last['response']['status']}"


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_official_clients_state_follows_every_script(script: str) -> None:
    state: Any = ResponseStreamState(input_tools=[], text_format=omit)
    for event in read(streamed(SCRIPTS[script])):
        state.handle_event(EVENT.validate_python(event))


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_item_that_is_announced_is_done(script: str) -> None:
    events = read(streamed(SCRIPTS[script]))
    opened = [e["item"]["id"] for e in events if e["type"] == "response.output_item.added"]
    closed = [e["item"] for e in events if e["type"] == "response.output_item.done"]
    assert [item["id"] for item in closed] == opened
    kept = events[-1]["response"]["output"]
    assert kept == [item for item in closed if item in kept]
    dropped = [item for item in closed if item not in kept]
    assert all(
        (item["type"], item["status"]) == ("function_call", "incomplete") for item in dropped
    )


def test_a_response_repeats_what_was_asked_for() -> None:
    fields = FULL | {"tool_choice": "auto"}
    body = whole(SCRIPTS["text"], **fields)
    Response.model_validate(body)
    golden.check("responses/repeated.json", json.dumps(body, indent=1, ensure_ascii=False) + "\n")
    named = FULL | {"text": None}
    assert whole(SCRIPTS["call"], **named)["tool_choice"] == FULL["tool_choice"]


def test_a_retracted_call_is_never_one_that_can_be_run() -> None:
    arguments = '{"a": {"b": "}"}}'
    events: list[Event] = [
        STARTED,
        ToolCallDelta(R, 0, 0, "call_a", "f", ""),
        ToolCallDelta(R, 0, 0, None, None, arguments),
        ToolCallRetracted(R, 0, 0, "<tool_call>"),
        Delta(R, 0, " and more", (1,)),
        Finished(R, 0, "stop"),
    ]
    found = read(streamed(events))
    assert put_together(found, "output_text") == "<tool_call> and more"
    assert "response.function_call_arguments.done" not in {event["type"] for event in found}
    (done,) = [
        event["item"]
        for event in found
        if event["type"] == "response.output_item.done" and event["item"]["type"] == "function_call"
    ]
    assert done["status"] == "incomplete"
    with pytest.raises(ValueError, match="delimiter"):
        json.loads(done["arguments"])
    assert [item["type"] for item in found[-1]["response"]["output"]] == ["message"]
    assert whole(events)["output"] == found[-1]["response"]["output"]


@pytest.mark.parametrize("arguments", ["", "{}", '{"a": 1}', '{"a": [{}]} \n', '{"a'])
def test_what_is_left_of_a_retracted_call_is_no_json(arguments: str) -> None:
    events: list[Event] = [
        ToolCallDelta(R, 0, 0, "call_a", "f", arguments),
        ToolCallRetracted(R, 0, 0, ""),
        Finished(R, 0, "stop"),
    ]
    items = [e["item"] for e in read(streamed(events)) if e["type"].endswith("item.done")]
    with pytest.raises(ValueError, match=r"delimiter|property name|Unterminated"):
        json.loads(items[0]["arguments"])


def test_a_call_that_stands_stays_when_a_later_one_is_retracted() -> None:
    events: list[Event] = [
        STARTED,
        ToolCallDelta(R, 0, 0, "call_a", "f", "{}"),
        ToolCallDelta(R, 0, 1, "call_b", "f", '{"x'),
        ToolCallRetracted(R, 0, 1, "raw"),
        Finished(R, 0, "tool_calls"),
    ]
    output = whole(events)["output"]
    assert [item["type"] for item in output] == ["function_call", "message"]
    assert output[0]["call_id"] == "call_a"
    assert output[0]["status"] == "completed"


def test_thinking_can_be_carried_by_clients_that_keep_nothing() -> None:
    script = SCRIPTS["thinking"]
    include = ["reasoning.encrypted_content"]
    plain, sealed = whole(script)["output"][0], whole(script, include=include)["output"][0]
    assert "encrypted_content" not in plain
    assert sealed["encrypted_content"]
    assert read(streamed(script, include=include))[-1]["response"]["output"][0] == sealed


def test_an_error_in_the_middle_is_a_failed_response() -> None:
    stream = chunks()
    data = stream.opening() + stream.event(Delta(R, 0, "Hel", (1,)))
    data += stream.failure(ModelCrashed("it died"))
    events = read(data)
    for event in events:
        EVENT.validate_python(event)
    response = events[-1]["response"]
    assert events[-1]["type"] == "response.failed"
    assert response["status"] == "failed"
    assert response["error"]["code"] == "server_error"
    assert response["error"]["message"] == "it died"
    assert response["output"][0]["status"] == "incomplete"
    assert response["output"][0]["content"][0]["text"] == "Hel"
    assert stream.final == response


def test_a_call_that_an_error_cuts_is_not_in_the_output() -> None:
    stream = chunks()
    stream.event(ToolCallDelta(R, 0, 0, "call_a", "f", "{}"))
    assert read(stream.failure(Internal("x")))[-1]["response"]["output"] == []


def test_a_failure_before_the_start_begins_with_the_response() -> None:
    events = read(chunks().failure(InvalidArgument("no such thing", param="input")))
    kinds = ["response.created", "response.in_progress", "response.failed"]
    assert [event["type"] for event in events] == kinds
    error = {"code": "invalid_prompt", "message": "no such thing", "param": "input"}
    assert events[-1]["response"]["error"] == error | {"type": "invalid_argument"}


@pytest.mark.parametrize("words", ["plain", 'quo"te\\', "line\r\nend", "\u2028\u0085", "\0\x1f"])
def test_any_text_is_one_event_of_two_lines(words: str) -> None:
    stream = chunks()
    first, second = stream.event(Delta(R, 0, words, (1,))), stream.event(Delta(R, 0, words, (1,)))
    assert len(second.decode().splitlines()) == 3
    (event,) = read(second)
    assert event["delta"] == words
    assert {**event, "sequence_number": 0} == {**read(first)[-1], "sequence_number": 0}


def test_an_answer_without_an_end_is_an_error_of_ours() -> None:
    with pytest.raises(Internal):
        whole([STARTED])
    with pytest.raises(Internal):
        streamed([STARTED])


def test_what_answers_no_response_is_an_error_of_ours() -> None:
    with pytest.raises(Internal):
        whole([Scores(R, (1.0,))])
    with pytest.raises(Internal):
        whole([ToolCallRetracted(R, 0, 0, "x")])


def test_padded_events_have_few_lengths() -> None:
    padded = PaddedChunks(chunks())
    padded.event(Delta(R, 0, "x", (1,)))
    data = [padded.event(Delta(R, 0, text, (1,))) for text in ("a", "abcdefgh")]
    assert len({len(item) for item in data}) == 1
    assert len(data[0]) % STEP != 1
    for item in data:
        EVENT.validate_python(read(item)[0])


# Any answer of a worker: texts, thoughts and calls in any order, some of the calls retracted.
_TEXT = st.text('a "{}[]\n\u2028\u00e4\U0001f600', min_size=1, max_size=4)


def _call_events(index: int, pieces: list[str], retracted: str | None) -> list[Event]:
    events: list[Event] = [ToolCallDelta(R, 0, index, f"call_{index}", "f", "")]
    events += [ToolCallDelta(R, 0, index, None, None, piece) for piece in pieces]
    return events if retracted is None else [*events, ToolCallRetracted(R, 0, index, retracted)]


@st.composite
def answers(draw: st.DrawFn) -> list[Event]:
    events: list[Event] = [STARTED]
    calls = 0
    for kind in draw(st.lists(st.sampled_from("trc"), max_size=8)):
        match kind:
            case "t":
                events.append(Delta(R, 0, draw(_TEXT), (1,)))
            case "r":
                events.append(ReasoningDelta(R, 0, draw(_TEXT), (1,)))
            case "c":
                pieces, raw = draw(st.lists(_TEXT, max_size=3)), draw(st.none() | _TEXT)
                events += _call_events(calls, pieces, raw)
                calls += 1
    return [*events, Finished(R, 0, draw(st.sampled_from(["stop", "length", "tool_calls"])))]


@given(answers())
def test_whatever_a_worker_says_is_a_sound_stream(script: list[Event]) -> None:
    events = read(streamed(script))
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    state: Any = ResponseStreamState(input_tools=[], text_format=omit)
    opened: dict[int, Any] = {}
    closed: dict[int, Any] = {}
    for event in events:
        state.handle_event(EVENT.validate_python(event))
        match event["type"]:
            case "response.output_item.added":
                # One is open at a time, and their places are consecutive.
                assert len(closed) == len(opened) == event["output_index"]
                opened[event["output_index"]] = event["item"]
            case "response.output_item.done":
                assert event["output_index"] not in closed
                assert event["item"]["id"] == opened[event["output_index"]]["id"]
                closed[event["output_index"]] = event["item"]
    assert opened.keys() == closed.keys()
    final = events[-1]["response"]
    assert final == whole(script)
    retracted = {f"call_{e.index}" for e in script if isinstance(e, ToolCallRetracted)}
    assert final["output"] == [
        item for item in closed.values() if item.get("call_id") not in retracted
    ]
    said = "".join(e.text for e in script if isinstance(e, Delta | ToolCallRetracted))
    assert put_together(events, "output_text") == said


SPACE: dict[str, Any] = {
    "type": "namespace",
    "name": "mcp__sky__",
    "description": "Of the sky.",
    "tools": [{"type": "function", "name": "get_weather"}],
}


def test_a_call_in_a_namespace_has_its_own_name_and_the_namespaces() -> None:
    events: list[Event] = [
        STARTED,
        ToolCallDelta(R, 0, 0, "call_a", "mcp__sky__get_weather", ""),
        ToolCallDelta(R, 0, 0, None, None, "{}"),
        ToolCallDelta(R, 0, 1, "call_b", "now", "{}"),
        Finished(R, 0, "tool_calls"),
    ]
    tools = [SPACE, {"type": "function", "name": "now"}]
    body = whole(events, tools=tools)
    found = [(item["name"], item.get("namespace")) for item in body["output"]]
    assert found == [("get_weather", "mcp__sky__"), ("now", None)]
    first, second = Response.model_validate(body).output
    assert first.type == second.type == "function_call"
    assert (first.namespace, second.namespace) == ("mcp__sky__", None)
    told = read(streamed(events, tools=tools))
    added = [event["item"] for event in told if event["type"] == "response.output_item.added"]
    assert [item.get("namespace") for item in added] == ["mcp__sky__", None]
    assert told[-1]["response"]["output"] == body["output"]


def test_a_namespace_is_repeated_as_it_was_sent() -> None:
    [space] = whole(SCRIPTS["text"], tools=[SPACE])["tools"]
    assert space["name"] == "mcp__sky__"
    assert space["tools"][0]["name"] == "get_weather"
