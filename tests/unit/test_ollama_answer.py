"""Ollama's answers: each script of events against golden files and Ollama's own classes."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from typing import Any

import jsonschema
import ollama
import pytest

from harness.events import DONE, SCRIPTS, STARTED, R
from harness.golden import check
from kronk.gateway.dialects.ollama import embed, schemas
from kronk.gateway.dialects.ollama.answer import (
    Form,
    OllamaChunks,
    OllamaLoaded,
    OllamaWhole,
    chat_form,
    generate_form,
)
from kronk.gateway.dialects.ollama.figures import Clock, rfc3339
from kronk.shared.errors import Internal, ModelCrashed
from kronk.shared.wire.to_gateway import Delta, Done, Vectors
from kronk.shared.wire.values import Timings, Usage

FORMS: dict[str, Form] = {"chat": chat_form, "generate": generate_form}
CLASSES = {"chat": ollama.ChatResponse, "generate": ollama.GenerateResponse}
SCHEMAS = {"chat": schemas.CHAT, "generate": schemas.GENERATE}
PAIRS = [(route, script) for route in FORMS for script in SCRIPTS]
# 2026-11-21T18:30:00Z
BEGAN = 1_795_285_800 * 10**9


def ticking(step: int = 10**9 + 1) -> Clock:
    """A clock that is a little more than a second later each time it is read."""
    times: Iterator[int] = iter(range(BEGAN, BEGAN + 1000 * step, step))
    return times.__next__


def streamed(route: str, script: str) -> bytes:
    chunks = OllamaChunks("m", FORMS[route], ticking())
    parts = [chunks.opening(), *[chunks.event(event) for event in SCRIPTS[script]]]
    return b"".join([*parts, chunks.closing(DONE)])


def whole(route: str, script: str) -> dict[str, Any]:
    answer = OllamaWhole("m", FORMS[route], ticking())
    for event in SCRIPTS[script]:
        answer.add(event)
    return answer.body(DONE)


@pytest.mark.parametrize(("route", "script"), PAIRS)
def test_a_streamed_answer_is_golden(route: str, script: str) -> None:
    text = streamed(route, script).decode()
    check(f"ollama/{route}_{script}.stream.txt", text)
    for line in text.splitlines():
        CLASSES[route](**json.loads(line))


@pytest.mark.parametrize(("route", "script"), PAIRS)
def test_a_whole_answer_is_golden(route: str, script: str) -> None:
    body = whole(route, script)
    check(f"ollama/{route}_{script}.json", json.dumps(body, indent=1) + "\n")
    jsonschema.validate(body, SCHEMAS[route])
    CLASSES[route](**body)


@pytest.mark.parametrize(("route", "script"), PAIRS)
def test_the_lines_of_a_stream_add_up_to_the_whole(route: str, script: str) -> None:
    lines = [json.loads(line) for line in streamed(route, script).splitlines()]
    said = [line.get("message", line) for line in lines]
    body = whole(route, script)
    complete = body.get("message", body)
    text = "content" if route == "chat" else "response"
    assert "".join(item[text] for item in said) == complete[text]
    assert "".join(item.get("thinking", "") for item in said) == complete.get("thinking", "")
    calls = [call for item in said for call in item.get("tool_calls", [])]
    assert calls == complete.get("tool_calls", [])
    assert [line["done"] for line in lines] == [False] * (len(lines) - 1) + [True]
    assert lines[-1]["done_reason"] == body["done_reason"]


def test_the_time_until_the_model_takes_a_request_is_its_load() -> None:
    watch = OllamaWhole("m", chat_form, ticking(10**9))
    for event in SCRIPTS["text"]:
        watch.add(event)
    body = watch.body(DONE)
    # Began at 0, started at 1, of which 0.25 s were in the worker's queue, ended at 3.
    assert body["load_duration"] == 750_000_000
    assert body["total_duration"] == 3_000_000_000
    assert (body["prompt_eval_duration"], body["eval_duration"]) == (500_000_000, 1_000_000_000)


def test_a_stream_that_fails_ends_with_a_line_of_the_error() -> None:
    chunks = OllamaChunks("m", chat_form, ticking())
    line = json.loads(chunks.failure(ModelCrashed("the process of m died: SIGKILL")))
    assert line == {
        "error": "the process of m died: SIGKILL",
        "code": "model_crashed",
        "param": None,
    }


@pytest.mark.parametrize(("ttl", "reason"), [(None, "load"), (300.0, "load"), (0.0, "unload")])
@pytest.mark.parametrize("route", FORMS)
def test_a_request_without_a_prompt_says_what_became_of_the_model(
    route: str, ttl: float | None, reason: str
) -> None:
    body = OllamaLoaded("m", FORMS[route], ticking(), ttl).body(DONE)
    assert (body["done"], body["done_reason"]) == (True, reason)
    jsonschema.validate(body, SCHEMAS[route])


def test_an_answer_that_never_finished_or_is_none_of_text_is_a_bug() -> None:
    chunks = OllamaChunks("m", chat_form, ticking())
    with pytest.raises(Internal):
        chunks.closing(DONE)
    with pytest.raises(Internal):
        chunks.event(Vectors(R, 0, 1, b""))
    with pytest.raises(Internal):
        OllamaLoaded("m", chat_form, ticking(), None).add(Delta(R, 0, "x", (1,)))


def test_empty_pieces_make_no_lines() -> None:
    chunks = OllamaChunks("m", chat_form, ticking())
    assert chunks.event(STARTED) == chunks.event(Delta(R, 0, "", (1,))) == b""


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (0, "1970-01-01T00:00:00.000000000Z"),
        (BEGAN + 123, "2026-11-21T18:30:00.000000123Z"),
        (BEGAN + 999_999_999, "2026-11-21T18:30:00.999999999Z"),
    ],
)
def test_times_have_nanoseconds(moment: int, text: str) -> None:
    assert rfc3339(moment) == text


# Embeddings.

COUNTED = Done(R, Usage(prompt_tokens=5, completion_tokens=0), Timings(0.5, 0.25, 0.0))


def vectors(*rows: tuple[float, ...]) -> Vectors:
    return Vectors(R, 0, len(rows[0]), b"".join(struct.pack(f"<{len(r)}f", *r) for r in rows))


def test_embeddings_come_in_order_with_tokens_and_times() -> None:
    asked = embed.parse(b'{"model": "m:latest", "input": ["a", "b", "c"]}')
    answer = embed.EmbedWhole(asked, ticking(10**9))
    answer.add(vectors((1.0, 0.0), (0.0, 1.0)))
    answer.add(vectors((0.5, -0.5)))
    body = json.loads(answer.body(COUNTED))
    assert body == {
        "model": "m:latest",
        "embeddings": [[1.0, 0.0], [0.0, 1.0], [0.5, -0.5]],
        "total_duration": 10**9,
        "load_duration": 250_000_000,
        "prompt_eval_count": 5,
    }
    jsonschema.validate(body, schemas.EMBED)
    ollama.EmbedResponse(**body)


def test_the_older_route_answers_with_one_vector() -> None:
    answer = embed.EmbedWhole(embed.parse_single(b'{"model": "m", "prompt": "a"}'), ticking())
    answer.add(vectors((0.25, 0.5)))
    assert json.loads(answer.body(COUNTED)) == {"embedding": [0.25, 0.5]}


@pytest.mark.parametrize(
    ("parse", "body", "name"),
    [
        (embed.parse, b'{"model": "m"}', "embeddings"),
        (embed.parse_single, b'{"model": "m"}', "embedding"),
    ],
)
def test_without_a_text_there_is_no_vector(parse: Any, body: bytes, name: str) -> None:
    assert json.loads(embed.EmbedWhole(parse(body), ticking()).body(COUNTED))[name] == []
