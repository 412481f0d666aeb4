"""Chunks and whole answers of completions, byte for byte."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kronk.gateway.dialects.figures import FINGERPRINT
from kronk.gateway.dialects.openai.completions_answer import CompletionChunks, CompletionWhole
from kronk.gateway.run import Event
from kronk.shared.errors import Internal
from kronk.shared.wire.to_gateway import Delta, Done, Finished, ReasoningDelta, ScoredDelta, Started
from kronk.shared.wire.values import Alternative, Timings, TokenLogprob, Usage

DONE = Done(1, Usage(5, 3), Timings(0.001, 0.02, 0.1))
HEAD = {
    "id": "cmpl-1",
    "object": "text_completion",
    "created": 1700000000,
    "model": "m",
    "system_fingerprint": FINGERPRINT,
}
TIMINGS = {
    "queued_ms": 1.0,
    "prefill_ms": 20.0,
    "decode_ms": 100.0,
    "tokens_per_second": 20.0,
    "cache": "",
    "drafted_tokens": 0,
    "accepted_tokens": 0,
}
USAGE = {
    "prompt_tokens": 5,
    "completion_tokens": 3,
    "total_tokens": 8,
    "prompt_tokens_details": {"cached_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 0},
}


def chunks(*openings: str, choices: int = 1, include_usage: bool = False) -> CompletionChunks:
    return CompletionChunks("cmpl-1", "m", 1700000000, openings or ("",), choices, include_usage)


def whole(
    *events: Event, openings: tuple[str, ...] = ("",), choices: int = 1, scored: bool = False
) -> Any:
    answer = CompletionWhole("cmpl-1", "m", 1700000000, openings, choices, scored)
    for event in events:
        answer.add(event)
    return json.loads(json.dumps(answer.body(DONE)))


def read(data: bytes) -> list[Any]:
    parts = data.decode("ascii").split("\n\n")
    assert parts.pop() == ""
    return [json.loads(part.removeprefix("data: ")) for part in parts if part != "data: [DONE]"]


def choice(text: str, index: int = 0, reason: str | None = None, logprobs: Any = None) -> Any:
    return {"text": text, "index": index, "logprobs": logprobs, "finish_reason": reason}


def text(words: str, at: int = 0) -> Delta:
    return Delta(1, at, words, (7,))


def stop(at: int = 0, reason: Any = "stop") -> Finished:
    return Finished(1, at, reason)


def test_a_stream_has_its_text_its_end_its_usage_and_done() -> None:
    stream = chunks(include_usage=True)
    assert stream.opening() == b""
    assert stream.event(text("")) == b""
    data = b"".join(map(stream.event, (text("\u2028a"), text("b"), stop(reason="length"))))
    data += stream.closing(DONE)
    assert data.endswith(b"\n\ndata: [DONE]\n\n")
    assert read(data) == [
        {**HEAD, "choices": [choice("\u2028a")], "usage": None},
        {**HEAD, "choices": [choice("b")], "usage": None},
        {**HEAD, "choices": [choice("", reason="length")], "timings": TIMINGS, "usage": None},
        {**HEAD, "choices": [], "usage": USAGE},
    ]


def test_a_whole_answer_is_one_object() -> None:
    assert whole(text("a"), text("b"), stop()) == {
        **HEAD,
        "choices": [choice("ab", reason="stop")],
        "usage": USAGE,
        "timings": TIMINGS,
    }


def test_an_echoed_prompt_comes_first() -> None:
    stream = chunks("once ", "once ")
    opening = read(stream.opening())
    assert [chunk["choices"] for chunk in opening] == [[choice("once ", 0)], [choice("once ", 1)]]
    events = (text("x", 1), text("y", 0), stop(0), stop(1))
    choices = whole(*events, openings=("once ", "once "))["choices"]
    assert [entry["text"] for entry in choices] == ["once y", "once x"]


def test_a_prompt_whose_text_the_model_knows_comes_first_too() -> None:
    # Two prompts of tokens with two choices each; the second begins before the first goes on.
    events = (
        Started(1, 3, 0, choice=0, echo="once "),
        Started(2, 3, 0, choice=2, echo="twice "),
        *(text(str(at), at) for at in range(4)),
        *(stop(at) for at in range(4)),
    )
    openings = ("",) * 4
    choices = whole(*events, openings=openings, choices=2)["choices"]
    assert [entry["text"] for entry in choices] == ["once 0", "once 1", "twice 2", "twice 3"]
    stream = chunks(*openings, choices=2)
    texts = ["", "", "", ""]
    for chunk in read(b"".join(map(stream.event, events)) + stream.closing(DONE)):
        for entry in chunk["choices"]:
            texts[entry["index"]] += entry["text"]
    assert texts == [entry["text"] for entry in choices]


def test_each_choice_ends_on_its_own() -> None:
    stream = chunks("", "")
    data = b"".join(map(stream.event, (text("x", 1), stop(1), text("y", 0), stop(0, "length"))))
    got = read(data + stream.closing(DONE))
    assert [chunk["choices"] for chunk in got] == [
        [choice("x", 1)],
        [choice("", 1, "stop")],
        [choice("y", 0)],
        [choice("", 0, "length")],
    ]
    assert ["timings" in chunk for chunk in got] == [False, False, False, True]


E_ACUTE = "\u00e9".encode()
FIRST = ScoredDelta(1, 0, "a", (1,), (TokenLogprob(b"a", -0.5, (Alternative(b"b", -1.0),)),))
SECOND = ScoredDelta(
    1,
    0,
    "\u00e9!",
    (2, 3, 4),
    (
        TokenLogprob(E_ACUTE[:1], -1.0, (Alternative(E_ACUTE[:1], -1.0),)),
        TokenLogprob(E_ACUTE[1:], float("-inf"), ()),
        TokenLogprob(b"!", 0.0, ()),
    ),
)
LISTS = {
    "tokens": ["a", "bytes:\\xc3", "bytes:\\xa9", "!"],
    "token_logprobs": [-0.5, -1.0, -9999.0, 0.0],
    "top_logprobs": [
        {"b": -1.0, "a": -0.5},
        {"bytes:\\xc3": -1.0},
        {"bytes:\\xa9": -9999.0},
        {"!": 0.0},
    ],
    "text_offset": [0, 1, 1, 2],
}


def test_log_probabilities_are_four_lists() -> None:
    (got,) = whole(FIRST, SECOND, stop(), scored=True)["choices"]
    assert (got["text"], got["logprobs"]) == ("a\u00e9!", LISTS)
    empty = {"tokens": [], "token_logprobs": [], "top_logprobs": [], "text_offset": []}
    assert whole(stop(), scored=True)["choices"][0]["logprobs"] == empty


def test_streamed_log_probabilities_are_the_same_lists_in_parts() -> None:
    stream = chunks()
    parts = [read(stream.event(event))[0]["choices"][0] for event in (FIRST, SECOND)]
    for name, values in LISTS.items():
        assert [value for part in parts for value in part["logprobs"][name]] == values
    assert [part["text"] for part in parts] == ["a", "\u00e9!"]


def test_an_unfinished_choice_or_what_is_no_text_is_an_error() -> None:
    with pytest.raises(Internal, match="unfinished"):
        chunks().closing(DONE)
    with pytest.raises(Internal, match="unfinished"):
        whole(text("a"))
    thought = ReasoningDelta(1, 0, "hm", (1,))
    with pytest.raises(Internal, match="ReasoningDelta"):
        chunks().event(thought)
    with pytest.raises(Internal, match="ReasoningDelta"):
        whole(thought)
