"""What a streaming client sees on the wire, byte for byte."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harness.counting_model import SILENCE, counted
from harness.server import Server, chat_body


def raw(house: Server, prompt: str, **options: Any) -> tuple[bytes, dict[str, str]]:
    body = chat_body("Count", prompt, stream=True, **options)
    with house.http().stream("POST", "/v1/chat/completions", json=body) as answer:
        assert answer.status_code == 200
        return b"".join(answer.iter_raw()), dict(answer.headers)


def parsed(body: bytes) -> list[Any]:
    """The events, after a check that nothing but events is there."""
    *events, rest = body.split(b"\n\n")
    assert rest == b""
    assert all(event.startswith(b"data: ") and b"\n" not in event for event in events)
    assert events[-1] == b"data: [DONE]"
    return [json.loads(event.removeprefix(b"data: ")) for event in events[:-1]]


@pytest.mark.parametrize("with_usage", [False, True])
@pytest.mark.parametrize(("prompt", "tokens"), [("from 7", 5), ("from 7", 1), (SILENCE, 0)])
def test_chunks_come_in_one_order(
    house: Server, prompt: str, tokens: int, with_usage: bool
) -> None:
    options = {"stream_options": {"include_usage": True}} if with_usage else {}
    body, _ = raw(house, prompt, max_tokens=5 if tokens == 0 else tokens, **options)
    events = parsed(body)
    if with_usage:
        usage = events.pop()
        assert usage["choices"] == []
        assert usage["usage"]["completion_tokens"] == tokens
        assert all(event["usage"] is None for event in events)
    else:
        assert all("usage" not in event for event in events)
    role, *contents, finish = events
    assert role["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert [list(event["choices"][0]["delta"]) for event in contents] == [["content"]] * len(
        contents
    )
    assert "".join(e["choices"][0]["delta"]["content"] for e in contents) == counted(7, tokens)
    assert all(event["choices"][0]["finish_reason"] is None for event in (role, *contents))
    assert finish["choices"][0]["delta"] == {}
    assert finish["choices"][0]["finish_reason"] == ("length" if tokens else "stop")


def test_every_chunk_has_the_envelope_of_the_standard(house: Server) -> None:
    events = parsed(raw(house, "from 7", max_tokens=5)[0])
    assert {event["object"] for event in events} == {"chat.completion.chunk"}
    assert {event["model"] for event in events} == {"Count"}
    assert len({(event["id"], event["created"]) for event in events}) == 1
    assert events[0]["id"].startswith("chatcmpl-")
    assert {event["choices"][0]["index"] for event in events} == {0}


def test_a_stream_has_the_headers_that_keep_it_flowing(house: Server) -> None:
    _, headers = raw(house, "from 7", max_tokens=1)
    assert headers["content-type"] == "text/event-stream; charset=utf-8"
    assert headers["cache-control"] == "no-cache"
    assert headers["x-request-id"]


def test_tokens_arrive_while_later_ones_are_still_made(house: Server) -> None:
    with house.stream("Slow", "from 7", max_tokens=300) as stream:
        stream.wait_for_pieces(1)
        # Told by the server's own word: the answer is not complete while its slot is taken.
        row = house.row("Slow")
        assert row is not None
        assert row["active_streams"] == 1
        assert stream.finish_reason is None
        stream.wait_for_end()
    assert stream.text == counted(7, 300)
