"""Chunks and completions, byte for byte."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kronk.gateway.dialects.figures import FINGERPRINT
from kronk.gateway.dialects.openai.chat_answer import ChatChunks
from kronk.gateway.dialects.openai.chat_whole import ChatWhole
from kronk.gateway.run import Event
from kronk.shared.errors import Internal
from kronk.shared.wire.to_gateway import (
    Delta,
    Done,
    Finished,
    ReasoningDelta,
    ScoredDelta,
    Scores,
    ToolCallDelta,
    ToolCallRetracted,
)
from kronk.shared.wire.values import Alternative, Timings, TokenLogprob, Usage

DONE = Done(1, Usage(5, 3, 4, 2), Timings(0.001, 0.02, 0.1, "system", 6, 5))
HEAD = {
    "id": "chatcmpl-1",
    "object": "chat.completion.chunk",
    "created": 1700000000,
    "model": 'a/"b"',
    "system_fingerprint": FINGERPRINT,
}
TIMINGS = {
    "queued_ms": 1.0,
    "prefill_ms": 20.0,
    "decode_ms": 100.0,
    "tokens_per_second": 20.0,
    "cache": "system",
    "drafted_tokens": 6,
    "accepted_tokens": 5,
}
USAGE = {
    "prompt_tokens": 5,
    "completion_tokens": 3,
    "total_tokens": 8,
    "prompt_tokens_details": {"cached_tokens": 4},
    "completion_tokens_details": {"reasoning_tokens": 2},
}


def chunks(choices: int = 1, include_usage: bool = False) -> ChatChunks:
    name, model, created = "chatcmpl-1", 'a/"b"', 1700000000
    return ChatChunks(name, model, created, choices=choices, include_usage=include_usage)


def read(data: bytes) -> list[Any]:
    parts = data.decode("ascii").split("\n\n")
    assert parts.pop() == ""
    return [json.loads(part.removeprefix("data: ")) for part in parts if part != "data: [DONE]"]


def choice(
    delta: dict[str, Any], reason: str | None = None, index: int = 0, logprobs: Any = None
) -> list[dict[str, Any]]:
    return [{"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": reason}]


def text(words: str, at: int = 0) -> Delta:
    return Delta(1, at, words, (7,))


def stop(reason: Any = "stop", at: int = 0) -> Finished:
    return Finished(1, at, reason)


def streamed(*events: Event, choices: int = 1) -> list[tuple[int, Any, Any]]:
    """Index, delta and finish reason of each chunk of a whole stream, after its roles."""
    stream = chunks(choices)
    opening = read(stream.opening())
    assert [chunk["choices"][0]["index"] for chunk in opening] == list(range(choices))
    data = b"".join(stream.event(event) for event in events) + stream.closing(DONE)
    got = [chunk["choices"][0] for chunk in read(data)]
    return [(entry["index"], entry["delta"], entry["finish_reason"]) for entry in got]


def whole(*events: Event, choices: int = 1, scored: bool = False) -> Any:
    answer = ChatWhole("chatcmpl-1", 'a/"b"', 1700000000, choices=choices, scored=scored)
    for event in events:
        answer.add(event)
    return json.loads(json.dumps(answer.body(DONE)))


def message(**fields: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": "", "refusal": None, **fields}


def test_the_opening_chunk_says_the_role() -> None:
    expected = {**HEAD, "choices": choice({"role": "assistant", "content": ""})}
    assert read(chunks().opening()) == [expected]


TEXTS = ["plain", 'quo"te\\', "line\r\nend", "\u2028\u0085", "\0\x1f", "\U0001f600 \u00e4"]


@pytest.mark.parametrize("words", TEXTS)
def test_any_text_is_one_event_of_one_line(words: str) -> None:
    data = chunks().event(text(words))
    assert len(data.splitlines()) == 2
    assert len(data.decode().splitlines()) == 2
    assert read(data) == [{**HEAD, "choices": choice({"content": words})}]


def test_a_delta_without_text_is_no_chunk() -> None:
    empty = [text(""), ReasoningDelta(1, 0, "", (1,)), ScoredDelta(1, 0, "", (), ())]
    assert [chunks().event(event) for event in empty] == [b""] * 3


def test_the_closing_has_the_finish_reason_and_done() -> None:
    stream = chunks()
    assert stream.event(stop("length")) == b""
    data = stream.closing(DONE)
    assert data.endswith(b"\n\ndata: [DONE]\n\n")
    assert read(data) == [{**HEAD, "choices": choice({}, "length"), "timings": TIMINGS}]


def test_usage_comes_last_without_choices_and_is_null_before() -> None:
    stream = chunks(include_usage=True)
    thought = ReasoningDelta(1, 0, "hm", (1,))
    data = stream.opening() + b"".join(map(stream.event, (thought, text("x"), stop())))
    *early, last = read(data + stream.closing(DONE))
    assert [chunk["usage"] for chunk in early] == [None] * 4
    assert last == {**HEAD, "choices": [], "usage": USAGE}


def test_a_completion_is_one_object() -> None:
    assert whole(text("h"), text("i"), stop("length")) == {
        **HEAD,
        "object": "chat.completion",
        "choices": [
            {
                "index": 0,
                "message": message(content="hi"),
                "logprobs": None,
                "finish_reason": "length",
            }
        ],
        "usage": USAGE,
        "timings": TIMINGS,
    }


def test_no_time_is_no_speed_rather_than_a_division_by_zero() -> None:
    answer = ChatWhole("c", "m", 0, choices=1, scored=False)
    answer.add(stop())
    still = Done(1, Usage(5, 0), Timings(0.0, 0.0, 0.0))
    assert answer.body(still)["timings"]["tokens_per_second"] == 0.0


def call(index: int = 0, name: str = "f") -> ToolCallDelta:
    return ToolCallDelta(1, 0, index, f"call_{index}", name, "")


def arguments(piece: str, index: int = 0) -> ToolCallDelta:
    return ToolCallDelta(1, 0, index, None, None, piece)


def begun(index: int, name: str = "f") -> dict[str, Any]:
    """The first chunk of a call."""
    function = {"name": name, "arguments": ""}
    return {
        "tool_calls": [
            {"index": index, "id": f"call_{index}", "type": "function", "function": function}
        ]
    }


def more(piece: str, index: int = 0) -> dict[str, Any]:
    """A later chunk of a call."""
    return {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}


def called(index: int, given: str, name: str = "f") -> dict[str, Any]:
    """A call in a whole answer."""
    function = {"name": name, "arguments": given}
    return {"id": f"call_{index}", "type": "function", "function": function}


THINKING = (ReasoningDelta(1, 0, "h", (1,)), ReasoningDelta(1, 0, "m", (2,)), text("so"), stop())
ONE_CALL = (call(), arguments('{"a"'), arguments(":1}"), stop("tool_calls"))
TWO_CALLS = (
    text("Let me see."),
    call(0),
    arguments("{}", 0),
    call(1, "g"),
    arguments("[", 1),
    arguments("]", 1),
    stop("tool_calls"),
)
RETRACTED = (call(), arguments('{"a'), ToolCallRetracted(1, 0, 0, '<call>{"a'), stop("length"))
ONE_OF_TWO = (
    call(0),
    arguments("{}"),
    call(1),
    ToolCallRetracted(1, 0, 1, "<call>"),
    stop("tool_calls"),
)
AT_ONCE = (ToolCallDelta(1, 0, 0, "call_0", "f", "{}"), stop("tool_calls"))

Golden = tuple[tuple[Event, ...], list[tuple[int, Any, Any]], dict[str, Any]]
GOLDEN: dict[str, Golden] = {
    "plain": (
        (text("a"), text("b"), stop()),
        [(0, {"content": "a"}, None), (0, {"content": "b"}, None), (0, {}, "stop")],
        message(content="ab"),
    ),
    "nothing": ((stop(),), [(0, {}, "stop")], message(content="")),
    "reasoning": (
        THINKING,
        [
            (0, {"reasoning_content": "h"}, None),
            (0, {"reasoning_content": "m"}, None),
            (0, {"content": "so"}, None),
            (0, {}, "stop"),
        ],
        message(content="so", reasoning_content="hm"),
    ),
    "one call": (
        ONE_CALL,
        [
            (0, begun(0), None),
            (0, more('{"a"'), None),
            (0, more(":1}"), None),
            (0, {}, "tool_calls"),
        ],
        message(content=None, tool_calls=[called(0, '{"a":1}')]),
    ),
    "two calls": (
        TWO_CALLS,
        [
            (0, {"content": "Let me see."}, None),
            (0, begun(0), None),
            (0, more("{}", 0), None),
            (0, begun(1, "g"), None),
            (0, more("[", 1), None),
            (0, more("]", 1), None),
            (0, {}, "tool_calls"),
        ],
        message(content="Let me see.", tool_calls=[called(0, "{}"), called(1, "[]", "g")]),
    ),
    "retracted": (
        RETRACTED,
        [
            (0, begun(0), None),
            (0, more('{"a'), None),
            (0, {"content": '<call>{"a'}, None),
            (0, {}, "length"),
        ],
        message(content='<call>{"a'),
    ),
    "one of two retracted": (
        ONE_OF_TWO,
        [
            (0, begun(0), None),
            (0, more("{}"), None),
            (0, begun(1), None),
            (0, {"content": "<call>"}, None),
            (0, {}, "tool_calls"),
        ],
        message(content="<call>", tool_calls=[called(0, "{}")]),
    ),
    "name and arguments at once": (
        AT_ONCE,
        [(0, begun(0), None), (0, more("{}"), None), (0, {}, "tool_calls")],
        message(content=None, tool_calls=[called(0, "{}")]),
    ),
}


@pytest.mark.parametrize(("events", "stream", "answer"), GOLDEN.values(), ids=GOLDEN)
def test_an_answer_streamed_and_whole(
    events: tuple[Event, ...], stream: list[Any], answer: dict[str, Any]
) -> None:
    assert streamed(*events) == stream
    (got,) = whole(*events)["choices"]
    assert got["message"] == answer
    assert got["finish_reason"] == stream[-1][2]


def test_each_choice_has_its_index_its_text_and_its_end() -> None:
    events = (text("a", 0), text("b", 1), stop("length", 1), text("c", 0), stop("stop", 0))
    assert streamed(*events, choices=2) == [
        (0, {"content": "a"}, None),
        (1, {"content": "b"}, None),
        (1, {}, "length"),
        (0, {"content": "c"}, None),
        (0, {}, "stop"),
    ]
    got = whole(*events, choices=2)["choices"]
    assert [entry["message"]["content"] for entry in got] == ["ac", "b"]
    assert [(entry["index"], entry["finish_reason"]) for entry in got] == [
        (0, "stop"),
        (1, "length"),
    ]


PIECES = st.text(max_size=5)
CHOICE = st.integers(0, 2)
ANY_EVENT: st.SearchStrategy[Event] = st.one_of(
    st.builds(Delta, st.just(1), CHOICE, PIECES, st.just((1,))),
    st.builds(ReasoningDelta, st.just(1), CHOICE, PIECES, st.just((1,))),
    st.builds(
        ToolCallDelta,
        st.just(1),
        CHOICE,
        st.integers(0, 1),
        st.just("call_x"),
        st.just("f"),
        PIECES,
    ),
)


@given(events=st.lists(ANY_EVENT, max_size=20), ends=st.permutations(range(3)))
def test_a_stream_put_together_is_the_whole_answer(events: list[Event], ends: list[int]) -> None:
    said = [*events, *(stop(at=at) for at in ends)]
    contents, thoughts, calls = [""] * 3, [""] * 3, [dict[int, str]() for _ in range(3)]
    for index, piece, _ in streamed(*said, choices=3):
        contents[index] += piece.get("content", "")
        thoughts[index] += piece.get("reasoning_content", "")
        for part in piece.get("tool_calls", ()):
            before = calls[index].setdefault(part["index"], "")
            calls[index][part["index"]] = before + part["function"]["arguments"]
    for index, entry in enumerate(whole(*said, choices=3)["choices"]):
        got = entry["message"]
        assert (got["content"] or "") == contents[index]
        assert got.get("reasoning_content", "") == thoughts[index]
        arguments_of = [one["function"]["arguments"] for one in got.get("tool_calls", ())]
        assert arguments_of == list(calls[index].values())


E_ACUTE = "\u00e9".encode()
SCORED = ScoredDelta(
    1,
    0,
    "\u00e9",
    (1, 2),
    (
        TokenLogprob(E_ACUTE[:1], -0.5, (Alternative(E_ACUTE[:1], -0.5), Alternative(b"e", -2.0))),
        TokenLogprob(E_ACUTE[1:], 0.0, ()),
    ),
)
LOGPROBS = {
    "content": [
        {
            "token": "\ufffd",
            "logprob": -0.5,
            "bytes": [195],
            "top_logprobs": [
                {"token": "\ufffd", "logprob": -0.5, "bytes": [195]},
                {"token": "e", "logprob": -2.0, "bytes": [101]},
            ],
        },
        {"token": "\ufffd", "logprob": 0.0, "bytes": [169], "top_logprobs": []},
    ],
    "refusal": None,
}


def test_log_probabilities_have_exact_bytes_where_a_token_is_half_a_character() -> None:
    (chunk,) = read(chunks().event(SCORED))
    assert chunk["choices"] == choice({"content": "\u00e9"}, logprobs=LOGPROBS)
    (got,) = whole(SCORED, stop(), scored=True)["choices"]
    assert got["logprobs"] == LOGPROBS
    assert got["message"]["content"] == "\u00e9"


def test_log_probabilities_of_text_that_is_held_back_are_sent() -> None:
    held = ScoredDelta(1, 0, "", (1,), (TokenLogprob(b"x", -1.0, ()),))
    (chunk,) = read(chunks().event(held))
    assert chunk["choices"][0]["delta"] == {"content": ""}
    assert chunk["choices"][0]["logprobs"]["content"][0]["token"] == "x"


def test_asked_for_log_probabilities_are_a_list_even_of_an_empty_answer() -> None:
    (got,) = whole(stop(), scored=True)["choices"]
    assert got["logprobs"] == {"content": [], "refusal": None}


def test_an_answer_that_ends_with_an_unfinished_choice_is_an_error() -> None:
    stream = chunks(choices=2)
    stream.event(stop("stop", 1))
    with pytest.raises(Internal, match="unfinished"):
        stream.closing(DONE)
    with pytest.raises(Internal, match="unfinished"):
        whole(text("a"))


def test_what_is_no_part_of_a_chat_is_an_error() -> None:
    with pytest.raises(Internal, match="Scores"):
        chunks().event(Scores(1, (1.0,)))
    with pytest.raises(Internal, match="Scores"):
        whole(Scores(1, (1.0,)))
