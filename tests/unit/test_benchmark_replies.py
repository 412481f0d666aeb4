"""What a benchmark reads from a connection."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kronk.shared.benchmark.replies import Read, Reply, reply

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
USAGE = {
    "prompt_tokens": 12,
    "completion_tokens": 3,
    "prompt_tokens_details": {"cached_tokens": 5},
}


def event(**fields: Any) -> bytes:
    return b"data: " + json.dumps(fields).encode() + b"\n\n"


def piece(**delta: Any) -> bytes:
    return event(choices=[{"index": 0, "delta": delta}], system_fingerprint="kronk-9")


ROLE, END = piece(role="assistant", content=""), b"data: [DONE]\n\n"
STOP = event(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}])


def chunked(*parts: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def streamed(*parts: bytes, begun: bytes = HEAD) -> Reply:
    """One part a second."""
    reads = [(float(second), part) for second, part in enumerate((begun + b"\r\n", *parts), 1)]
    return reply(0.0, reads, is_stream=True)


def refused(status: int, body: bytes) -> tuple[str, str, bool]:
    said = f"HTTP/1.1 {status} No\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    failure = reply(0.0, [(1.0, said)], is_stream=True).failure
    assert failure is not None and failure.status == status
    return failure.code, failure.message, failure.is_final


def test_pieces_have_the_times_at_which_their_text_came() -> None:
    found = streamed(
        ROLE, piece(reasoning_content="hm"), piece(content="a"), STOP, event(usage=USAGE), END
    )
    assert found.pieces == (3.0, 4.0)
    assert (found.ttft, found.ended) == (3.0, 7.0)
    assert (found.prompt_tokens, found.tokens, found.cached_tokens) == (12, 3, 5)
    assert (found.server, found.failure) == ("kronk-9", None)


@pytest.mark.parametrize(
    "delta",
    [{"content": "x"}, {"reasoning": "x"}, {"reasoning_content": "x"}, {"tool_calls": [{}]}],
)
def test_text_counts_by_whatever_name_a_server_gives_it(delta: dict[str, Any]) -> None:
    assert streamed(piece(**delta), END).pieces == (2.0,)


def test_a_server_that_does_not_count_has_its_pieces_counted() -> None:
    found = streamed(piece(content="a") + piece(content="b"), piece(content="c"), STOP)
    assert (found.completion_tokens, found.tokens) == (None, 3)
    assert found.pieces == (2.0, 2.0, 3.0)
    assert found.failure is None


@given(st.lists(st.integers(1, 60), max_size=40), st.booleans())
def test_reads_may_be_cut_anywhere(lengths: list[int], is_chunked: bool) -> None:
    parts = [ROLE, piece(content="a"), piece(content="b"), STOP, event(usage=USAGE), END]
    head = HEAD + (b"Transfer-Encoding: chunked\r\n\r\n" if is_chunked else b"\r\n")
    whole = head + (chunked(*parts) if is_chunked else b"".join(parts))
    reads: list[Read] = []
    for length in [*lengths, len(whole)]:
        reads.append((float(len(reads)), whole[:length]))
        whole = whole[length:]
    found = reply(0.0, reads, is_stream=True)
    assert found.failure is None
    assert (len(found.pieces), found.tokens, found.prompt_tokens) == (2, 3, 12)
    assert list(found.pieces) == sorted(found.pieces)


@pytest.mark.parametrize(
    ("parts", "code", "words"),
    [
        ((piece(content="a"),), "broken", "broke off"),
        (
            (ROLE, event(error={"code": "model_crashed", "message": "died"})),
            "model_crashed",
            "died",
        ),
        ((event(error="no"),), "error", "no"),
    ],
)
def test_half_an_answer_is_a_failure(parts: tuple[bytes, ...], code: str, words: str) -> None:
    failure = streamed(*parts).failure
    assert failure is not None
    assert failure.code == code and words in failure.message and not failure.is_final


@pytest.mark.parametrize("begun", [b"", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 OK\r\n"])
def test_what_does_not_speak_http_is_a_failure(begun: bytes) -> None:
    failure = streamed(begun=begun).failure
    assert failure is not None and failure.code == "broken"
    failure = reply(0.0, [], is_stream=True).failure
    assert failure is not None and failure.code == "broken"


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (
            404,
            b'{"error": {"code": "not_found", "message": "no m"}}',
            ("not_found", "no m", True),
        ),
        # llama-server's code is a number, and Ollama's error a text.
        (400, b'{"error": {"code": 400, "message": "bad"}}', ("http_400", "bad", True)),
        (404, b'{"error": "model not found"}', ("http_404", "model not found", True)),
        (429, b'{"error": {"code": "rate_limited", "message": "later"}}',
         ("rate_limited", "later", False)),
        (503, b"<html> busy\n</html>", ("http_503", "<html> busy </html>", False)),
        (500, b"", ("http_500", "status 500", False)),
    ],
)  # fmt: skip
def test_a_refusal_keeps_the_servers_words(
    status: int, body: bytes, expected: tuple[str, str, bool]
) -> None:
    assert refused(status, body) == expected


def test_an_answer_without_a_stream_is_its_document() -> None:
    said = b'HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{"tokens":[]}'
    assert reply(0.0, [(1.0, said)], is_stream=False).body == {"tokens": []}
    failure = reply(0.0, [(1.0, said[:-2])], is_stream=False).failure
    assert failure is not None and failure.code == "broken"
