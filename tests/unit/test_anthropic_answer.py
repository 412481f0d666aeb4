"""Messages, streamed and whole: golden, typed by Anthropic's own classes, and the same message."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from anthropic.lib.streaming._messages import accumulate_event
from anthropic.types import Message, MessageTokensCount, RawMessageStreamEvent
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter

from harness.events import DONE, SCRIPTS, STARTED, R
from harness.golden import check
from kronk.gateway.dialects.anthropic.request import Shown
from kronk.gateway.dialects.anthropic.signature import unsealed
from kronk.gateway.dialects.anthropic.stream import PING, MessageChunks
from kronk.gateway.dialects.anthropic.whole import CountWhole, MessageWhole
from kronk.gateway.operation import Chunks, Whole
from kronk.gateway.run import Event
from kronk.shared.errors import Internal, ModelCrashed, Overloaded
from kronk.shared.wire.to_gateway import (
    Delta,
    Finished,
    Inspected,
    ReasoningDelta,
    Scores,
    ToolCallDelta,
    ToolCallRetracted,
)

STREAMED: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)


def stream(events: Iterable[Event], shown: Shown = "everything", *, certain: bool = False) -> bytes:
    """All that is sent."""
    chunks: Chunks = MessageChunks("msg_1", "tiny", shown=shown, calls_are_certain=certain)
    body = b"".join([chunks.event(event) for event in events])
    return chunks.opening() + body + chunks.closing(DONE)


def whole(events: Iterable[Event], shown: Shown = "everything") -> dict[str, Any]:
    sink: Whole = MessageWhole("msg_1", "tiny", shown=shown)
    for event in events:
        sink.add(event)
    body = sink.body(DONE)
    assert isinstance(body, dict)
    return body


def read(data: bytes) -> list[dict[str, Any]]:
    """The objects of a stream, each of which says the same as the name of its event."""
    *blocks, rest = data.decode("ascii").split("\n\n")
    assert rest == ""
    events = []
    for block in blocks:
        name, said = block.split("\n")
        events.append(json.loads(said.removeprefix("data: ")))
        assert name == f"event: {events[-1]['type']}"
    return events


def message_of(data: bytes) -> Message:
    """What Anthropic's client makes of a stream."""
    snapshot: Any = None
    buffers: dict[int, bytes] = {}
    for event in read(data):
        if event["type"] != "ping":
            typed = STREAMED.validate_python(event)
            assert extras(typed) == set()
            snapshot = accumulate_event(event=typed, current_snapshot=snapshot, json_bufs=buffers)
    return Message.model_validate(snapshot.to_dict())


def extras(value: object) -> set[str]:
    """The fields anywhere in an object that its class does not have."""
    if isinstance(value, BaseModel):
        inner = [getattr(value, name) for name in type(value).model_fields]
        return set(value.model_extra or ()).union(*map(extras, inner))
    return set().union(*map(extras, value)) if isinstance(value, list) else set()


def blocks(data: bytes) -> list[tuple[str, str]]:
    """Each block's type, and all that its deltas say."""
    found: list[tuple[str, str]] = []
    for event in read(data):
        if event["type"] == "content_block_start":
            found.append((event["content_block"]["type"], ""))
        elif event["type"] == "content_block_delta" and "signature" not in event["delta"]:
            _, said = event["delta"].values()
            found[-1] = (found[-1][0], found[-1][1] + said)
    return found


def begin(index: int, name: str = "f") -> ToolCallDelta:
    return ToolCallDelta(R, 0, index, f"call_{index}", name, "")


def piece(index: int, arguments: str) -> ToolCallDelta:
    return ToolCallDelta(R, 0, index, None, None, arguments)


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_streamed_message_is_golden(script: str) -> None:
    check(f"anthropic/{script}.stream.txt", stream(SCRIPTS[script]).decode())


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_whole_message_is_golden(script: str) -> None:
    body = whole(SCRIPTS[script])
    check(f"anthropic/{script}.json", json.dumps(body, indent=1, ensure_ascii=False) + "\n")
    assert extras(Message.model_validate(body)) == set()


@pytest.mark.parametrize("shown", ["everything", "no thinking", "nothing"])
@pytest.mark.parametrize("script", SCRIPTS)
def test_anthropics_client_makes_the_same_message_of_the_stream(script: str, shown: Shown) -> None:
    made = message_of(stream(SCRIPTS[script], shown))
    assert made == Message.model_validate(whole(SCRIPTS[script], shown))


EVENTS = st.one_of(
    st.builds(lambda text: Delta(R, 0, text, (1,)), st.text(max_size=3)),
    st.builds(lambda text: ReasoningDelta(R, 0, text, (1,)), st.text(max_size=3)),
)


@st.composite
def answers(draw: st.DrawFn) -> list[Event]:
    """Text, thinking and calls in any order; a call ends well or is retracted before the next."""
    events: list[Event] = [STARTED]
    for index in range(draw(st.integers(0, 3))):
        events += draw(st.lists(EVENTS, max_size=3))
        events += [begin(index), piece(index, '{"a":'), piece(index, " 1}")]
        if draw(st.booleans()):
            events.append(ToolCallRetracted(R, 0, index, '<call>{"a": 1}'))
    events += draw(st.lists(EVENTS, max_size=3))
    return [*events, Finished(R, 0, "stop")]


@given(answers())
def test_a_stream_is_the_whole_message_in_pieces(events: list[Event]) -> None:
    data = stream(events)
    assert message_of(data) == Message.model_validate(whole(events))
    retracted = {event.index for event in events if isinstance(event, ToolCallRetracted)}
    announced = [
        event["content_block"]["id"]
        for event in read(data)
        if event.get("content_block", {}).get("type") == "tool_use"
    ]
    calls = {event.index for event in events if isinstance(event, ToolCallDelta)}
    assert announced == [f"call_{index}" for index in sorted(calls - retracted)]


@given(answers())
def test_events_come_in_anthropics_order(events: list[Event]) -> None:
    kinds = [event["type"] for event in read(stream(events))]
    assert kinds[0] == "message_start"
    assert kinds[-2:] == ["message_delta", "message_stop"]
    open_block: int | None = None
    count = 0
    for event in read(stream(events)):
        match event["type"]:
            case "content_block_start":
                assert open_block is None
                assert event["index"] == count
                open_block, count = count, count + 1
            case "content_block_delta":
                assert event["index"] == open_block
            case "content_block_stop":
                assert event["index"] == open_block
                open_block = None
    assert open_block is None
    assert kinds.count("ping") == min(count, 1)


# Tool calls.


def test_nothing_is_said_of_a_call_before_it_is_complete() -> None:
    chunks = MessageChunks("msg_1", "tiny")
    chunks.event(STARTED)
    chunks.event(Delta(R, 0, "I look.", (1,)))
    for event in (begin(0), piece(0, '{"a":'), piece(0, " 1}")):
        assert chunks.event(event) == b""
    assert b"tool_use" in chunks.event(begin(1))


def test_text_around_a_retracted_call_is_one_block() -> None:
    events: list[Event] = [
        STARTED,
        Delta(R, 0, "I look.", (1,)),
        begin(0),
        piece(0, '{"a'),
        ToolCallRetracted(R, 0, 0, '\n<call>{"a'),
        Delta(R, 0, " Done.", (2,)),
        Finished(R, 0, "stop"),
    ]
    assert blocks(stream(events)) == [("text", 'I look.\n<call>{"a Done.')]


def test_a_retracted_call_beside_one_that_stands_is_never_announced() -> None:
    events: list[Event] = [
        STARTED,
        begin(0),
        piece(0, "{}"),
        begin(1),
        piece(1, '{"a'),
        ToolCallRetracted(R, 0, 1, '<call>{"a'),
        Finished(R, 0, "tool_calls"),
    ]
    assert blocks(stream(events)) == [("tool_use", "{}"), ("text", '<call>{"a')]
    made = message_of(stream(events))
    assert made.stop_reason == "tool_use"
    assert [block.id for block in made.content if block.type == "tool_use"] == ["call_0"]


def test_arguments_of_a_call_that_must_come_are_streamed() -> None:
    chunks = MessageChunks("msg_1", "tiny", calls_are_certain=True)
    chunks.event(STARTED)
    assert b"tool_use" in chunks.event(begin(0))
    assert read(chunks.event(piece(0, '{"a":'))) == [
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "input_json_delta", "partial_json": '{"a":'},
        }
    ]
    events = SCRIPTS["text_and_calls"]
    assert message_of(stream(events, certain=True)) == message_of(stream(events))


# Thinking.


@pytest.mark.parametrize("script", ["thinking", "only_thinking", "text_and_calls"])
def test_thinking_that_is_left_out_is_in_the_signature(script: str) -> None:
    shown = whole(SCRIPTS[script])["content"][0]
    for body in (whole(SCRIPTS[script], "no thinking"), stream(SCRIPTS[script], "no thinking")):
        block: Any = body["content"][0] if isinstance(body, dict) else None
        if isinstance(body, bytes):
            block = message_of(body).content[0].to_dict()
        assert block["thinking"] == ""
        assert unsealed(block["signature"]) == shown["thinking"]
    assert unsealed(shown["signature"]) == ""


@pytest.mark.parametrize(
    "signature", ["", "EqQBCkYIBhgC", "kronk.v1.", "kronk.v1.!", "kronk.v1./w=="]
)
def test_signatures_of_another_kind_carry_nothing(signature: str) -> None:
    assert unsealed(signature) == ""


# The ends.


def test_a_request_that_only_warms_the_cache_has_no_content() -> None:
    body = whole(SCRIPTS["text_and_calls"], "nothing")
    assert body["content"] == []
    assert (body["stop_reason"], body["usage"]["output_tokens"]) == ("max_tokens", 0)
    assert body["usage"]["input_tokens"] == 16


@pytest.mark.parametrize(
    ("limit", "reason"),
    [
        (None, "max_tokens"),
        (9, "max_tokens"),
        (10, "model_context_window_exceeded"),
    ],
)
def test_the_end_of_the_window_is_told_from_the_limit(limit: int | None, reason: str) -> None:
    body = MessageWhole("msg_1", "tiny", limit=limit)
    chunks = MessageChunks("msg_1", "tiny", limit=limit)
    for event in SCRIPTS["cut"]:
        body.add(event)
        chunks.event(event)
    assert body.body(DONE)["stop_reason"] == reason
    assert read(chunks.closing(DONE))[-2]["delta"]["stop_reason"] == reason


@pytest.mark.parametrize("sink", [stream, whole])
def test_an_answer_without_its_end_is_a_bug(sink: Any) -> None:
    with pytest.raises(Internal, match="did not finish"):
        sink([STARTED, Delta(R, 0, "a", (1,))])


@pytest.mark.parametrize("sink", [stream, whole])
def test_events_of_another_kind_are_a_bug(sink: Any) -> None:
    with pytest.raises(Internal, match="Scores"):
        sink([STARTED, Scores(R, (1.0,))])


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ModelCrashed("killed by SIGSEGV"), "api_error"),
        (Overloaded("every slot is taken"), "overloaded_error"),
    ],
)
def test_a_failure_is_one_error_event(error: Any, kind: str) -> None:
    chunks = MessageChunks("msg_1", "tiny")
    (event,) = read(chunks.failure(error))
    assert event["type"] == "error"
    assert event["error"]["type"] == kind
    assert event["error"]["message"] == error.message
    assert event["error"]["code"] == error.code


def test_what_keeps_a_connection_alive_is_a_ping() -> None:
    assert MessageChunks("msg_1", "tiny").keep_alive == PING
    assert read(PING) == [{"type": "ping"}]
    assert MessageChunks("msg_1", "tiny").opening() == b""


def test_a_count_is_that_of_the_prompt() -> None:
    count = CountWhole()
    count.add(Inspected(R, "", (), (), 1024))
    assert extras(MessageTokensCount.model_validate(count.body(DONE))) == set()
    assert count.body(DONE) == {"input_tokens": 20}


def test_counts_of_the_prompt_add_up() -> None:
    events: Sequence[Event] = SCRIPTS["text"]
    for found in (whole(events)["usage"], read(stream(events))[0]["message"]["usage"]):
        assert found["input_tokens"] + found["cache_read_input_tokens"] == 20
        assert found["cache_creation_input_tokens"] == 0
