"""Chunks and completions, byte for byte."""

from __future__ import annotations

import json

import pytest

from kronk.gateway.dialects.chat_answer import FINGERPRINT, ChatChunks, completion
from kronk.shared.wire.to_gateway import Done
from kronk.shared.wire.values import Timings, Usage

DONE = Done(1, "length", Usage(5, 3), Timings(0.001, 0.02, 0.1))
HEAD = {
    "id": "chatcmpl-1",
    "object": "chat.completion.chunk",
    "created": 1700000000,
    "model": 'a/"b"',
    "system_fingerprint": FINGERPRINT,
}
TIMINGS = {"queued_ms": 1.0, "prefill_ms": 20.0, "decode_ms": 100.0, "tokens_per_second": 20.0}
USAGE = {
    "prompt_tokens": 5,
    "completion_tokens": 3,
    "total_tokens": 8,
    "prompt_tokens_details": {"cached_tokens": 0},
}


def chunks(include_usage: bool = False) -> ChatChunks:
    return ChatChunks("chatcmpl-1", 'a/"b"', 1700000000, include_usage)


def read(data: bytes) -> list[object]:
    parts = data.decode("ascii").split("\n\n")
    assert parts.pop() == ""
    return [json.loads(part.removeprefix("data: ")) for part in parts if part != "data: [DONE]"]


def choice(delta: dict[str, str], reason: str | None = None) -> list[dict[str, object]]:
    return [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}]


def test_the_opening_chunk_says_the_role() -> None:
    expected = {**HEAD, "choices": choice({"role": "assistant", "content": ""})}
    assert read(chunks().opening()) == [expected]


TEXTS = ["", "plain", 'quo"te\\', "line\r\nend", "\u2028\u0085", "\0\x1f", "\U0001f600 \u00e4"]


@pytest.mark.parametrize("text", TEXTS)
def test_any_text_is_one_event_of_one_line(text: str) -> None:
    data = chunks().text(text)
    assert len(data.splitlines()) == 2
    assert len(data.decode().splitlines()) == 2
    assert read(data) == [{**HEAD, "choices": choice({"content": text})}]


def test_the_closing_has_the_finish_reason_and_done() -> None:
    data = chunks().closing(DONE)
    assert data.endswith(b"\n\ndata: [DONE]\n\n")
    assert read(data) == [{**HEAD, "choices": choice({}, "length"), "timings": TIMINGS}]


def test_usage_comes_last_without_choices_and_is_null_before() -> None:
    with_usage = chunks(include_usage=True)
    early = [*read(with_usage.opening()), *read(with_usage.text("x"))]
    *finish, last = read(with_usage.closing(DONE))
    assert [chunk["usage"] for chunk in [*early, *finish]] == [None] * 3  # type: ignore[index]
    assert last == {**HEAD, "choices": [], "usage": USAGE}


def test_a_completion_is_one_object() -> None:
    assert completion("chatcmpl-1", 'a/"b"', 1700000000, "hi", DONE) == {
        **HEAD,
        "object": "chat.completion",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "hi", "refusal": None},
                "logprobs": None,
                "finish_reason": "length",
            }
        ],
        "usage": USAGE,
        "timings": TIMINGS,
    }


def test_no_time_is_no_speed_rather_than_a_division_by_zero() -> None:
    still = Done(1, "stop", Usage(5, 0), Timings(0.0, 0.0, 0.0))
    assert completion("c", "m", 0, "", still)["timings"]["tokens_per_second"] == 0.0
