"""Chat completions and completions against golden files, and against OpenAI's own classes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest
from openai.types import Completion
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import BaseModel

from harness.events import DONE, SCRIPTS
from harness.golden import check, job_text
from kronk.gateway.dialects.figures import FINGERPRINT
from kronk.gateway.dialects.openai import chat, completions
from kronk.gateway.dialects.openai.chat_answer import ChatChunks
from kronk.gateway.dialects.openai.chat_whole import ChatWhole
from kronk.gateway.dialects.openai.completions_answer import CompletionChunks, CompletionWhole
from kronk.gateway.dialects.openai.padding import STEP, PaddedChunks
from kronk.gateway.operation import Chunks, Whole
from kronk.shared.errors import ModelCrashed
from kronk.shared.wire.to_gateway import Delta, Finished, Started

CREATED = 1700000000
# A model without a chat template neither thinks nor calls.
PLAIN = ["text", "empty", "cut", "stop_string", "logprobs"]
# What our objects have beyond OpenAI's.
OURS = {"timings", "reasoning_content"}


def stream(chunks: Chunks, script: str) -> bytes:
    """All that is sent for the script."""
    assert isinstance(chunks, Chunks)
    events = b"".join([chunks.event(event) for event in SCRIPTS[script]])
    return chunks.opening() + events + chunks.closing(DONE)


def whole(sink: Whole, script: str) -> Any:
    assert isinstance(sink, Whole)
    for event in SCRIPTS[script]:
        sink.add(event)
    body = sink.body(DONE)
    return json.loads(body) if isinstance(body, bytes) else body


def chat_chunks(script: str, **options: Any) -> ChatChunks:
    given: dict[str, Any] = {"choices": 1, "include_usage": False, **options}
    return ChatChunks("chatcmpl-1", "tiny", CREATED, **given)


def chat_whole(script: str, tier: str | None = None) -> Any:
    scored = script == "logprobs"
    return whole(
        ChatWhole("chatcmpl-1", "tiny", CREATED, choices=1, scored=scored, tier=tier), script
    )


def completion_whole(script: str) -> Any:
    scored = script == "logprobs"
    return whole(CompletionWhole("cmpl-1", "tiny", CREATED, ("",), 1, scored), script)


def without_version(text: str) -> str:
    return text.replace(FINGERPRINT, "kronk-VERSION")


def pretty(value: Any) -> str:
    return without_version(json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def chunks_of(data: bytes) -> list[Any]:
    """The objects of a stream that ends as it should."""
    *events, done, rest = data.decode("ascii").split("\n\n")
    assert (done, rest) == ("data: [DONE]", "")
    assert all(event.startswith("data: ") for event in events)
    return [json.loads(event.removeprefix("data: ")) for event in events]


def extras(value: object) -> set[str]:
    """The fields anywhere in an object that its class does not have."""
    if isinstance(value, BaseModel):
        inner: Iterable[object] = [getattr(value, name) for name in type(value).model_fields]
        return set(value.model_extra or ()).union(*map(extras, inner))
    return set().union(*map(extras, value)) if isinstance(value, list) else set()


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_streamed_chat_is_golden(script: str) -> None:
    data = stream(chat_chunks(script, include_usage=True), script)
    check(f"openai/chat_{script}.stream.txt", without_version(data.decode()))
    for chunk in chunks_of(data):
        assert extras(ChatCompletionChunk.model_validate(chunk)) <= OURS


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_whole_chat_is_golden(script: str) -> None:
    body = chat_whole(script)
    check(f"openai/chat_{script}.json", pretty(body))
    assert extras(ChatCompletion.model_validate(body)) <= OURS


@pytest.mark.parametrize("script", PLAIN)
def test_a_streamed_completion_is_golden(script: str) -> None:
    data = stream(CompletionChunks("cmpl-1", "tiny", CREATED, ("",), 1, True), script)
    check(f"openai/completion_{script}.stream.txt", without_version(data.decode()))
    for chunk in chunks_of(data):
        # OpenAI's class knows no unfinished choice, which its API sends all the same.
        for choice in chunk["choices"]:
            choice["finish_reason"] = choice["finish_reason"] or "stop"
        assert extras(Completion.model_validate(chunk)) <= OURS


@pytest.mark.parametrize("script", PLAIN)
def test_a_whole_completion_is_golden(script: str) -> None:
    body = completion_whole(script)
    check(f"openai/completion_{script}.json", pretty(body))
    assert extras(Completion.model_validate(body)) <= OURS


# The order of a stream.


@pytest.mark.parametrize("script", SCRIPTS)
def test_chunks_come_in_openais_order(script: str) -> None:
    *deltas, usage = chunks_of(stream(chat_chunks(script, include_usage=True), script))
    choices = [chunk["choices"][0] for chunk in deltas]
    assert [at for at, one in enumerate(choices) if "role" in one["delta"]] == [0]
    assert [at for at, one in enumerate(choices) if one["finish_reason"]] == [len(choices) - 1]
    assert choices[-1]["delta"] == {}
    assert all(chunk["usage"] is None for chunk in deltas)
    assert usage["choices"] == []
    assert usage["usage"]["total_tokens"] == 29
    assert len({(chunk["id"], chunk["created"]) for chunk in [*deltas, usage]}) == 1


def test_each_choice_has_its_role_once_and_its_end_once() -> None:
    chunks = ChatChunks("chatcmpl-1", "tiny", CREATED, choices=3, include_usage=True)
    events = [
        Started(7, 20, 4),
        Delta(7, 2, "c", (1,)),
        Finished(7, 2, "stop"),
        Delta(7, 0, "a", (1,)),
        Finished(7, 0, "length"),
        Finished(7, 1, "stop"),
    ]
    data = chunks.opening() + b"".join(map(chunks.event, events)) + chunks.closing(DONE)
    check("openai/chat_three_choices.stream.txt", without_version(data.decode()))
    *choices, usage = [chunk["choices"] for chunk in chunks_of(data)]
    roles = [one["index"] for [one] in choices if "role" in one["delta"]]
    ends = [one["index"] for [one] in choices if one["finish_reason"]]
    assert (roles, ends, usage) == ([0, 1, 2], [2, 0, 1], [])


def test_an_error_is_the_last_event_and_there_is_no_done() -> None:
    chunks = chat_chunks("text")
    data = chunks.opening() + chunks.failure(ModelCrashed("the process died"))
    check("openai/chat_failed.stream.txt", without_version(data.decode()))
    assert b"[DONE]" not in data


def test_the_service_tier_is_told_to_who_speaks_of_it() -> None:
    assert "service_tier" not in chat_whole("text")
    assert ChatCompletion.model_validate(chat_whole("text", "default")).service_tier == "default"
    for chunk in chunks_of(stream(chat_chunks("text", tier="default"), "text")):
        assert ChatCompletionChunk.model_validate(chunk).service_tier == "default"


@pytest.mark.parametrize("script", SCRIPTS)
def test_padded_chunks_say_the_same_and_have_few_lengths(script: str) -> None:
    plain = chat_chunks(script)
    padded = PaddedChunks(chat_chunks(script))
    for event in SCRIPTS[script]:
        data = padded.event(event)
        assert all(len(one) % STEP == STEP - 2 for one in data.split(b"\n\n")[:-1])
        chunks = [json.loads(one[6:]) for one in data.split(b"\n\n")[:-1]]
        assert all(chunk.pop("obfuscation").strip("-") == "" for chunk in chunks)
        expected = plain.event(event).split(b"\n\n")[:-1]
        assert chunks == [json.loads(one[6:]) for one in expected]
    for chunk in chunks_of(stream(PaddedChunks(chat_chunks(script)), script)):
        ChatCompletionChunk.model_validate(chunk)


# Requests.

HI: list[Any] = [{"role": "user", "content": "Hi"}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a place.",
        "strict": True,
        "parameters": {
            "type": "object",
            "properties": {"place": {"type": "string"}},
            "required": ["place"],
            "additionalProperties": False,
        },
    },
}
NOW = {"type": "function", "function": {"name": "now"}}

CHATS: dict[str, dict[str, Any]] = {
    "least": {},
    "roles": {
        "messages": [
            {"role": "developer", "content": "Be short."},
            {"role": "user", "name": "ann", "content": [{"type": "text", "text": "Weather?"}]},
            {
                "role": "assistant",
                "content": None,
                "refusal": None,
                "tool_calls": [
                    {
                        "id": "call_a",
                        "type": "function",
                        "function": {"name": "get_weather", "arguments": '{"place": "Rome"}'},
                    }
                ],
            },
            {"role": "tool", "tool_call_id": "call_a", "content": "18"},
        ]
    },
    "sampling": {
        "temperature": 0,
        "top_p": 0.5,
        "frequency_penalty": -2,
        "presence_penalty": 2,
        "logit_bias": {"5": -100},
        "seed": 7,
        "stop": "\n",
        "max_completion_tokens": 5,
        "n": 2,
    },
    "tools": {"tools": [WEATHER, NOW], "tool_choice": "auto", "parallel_tool_calls": False},
    "tool_named": {
        "tools": [WEATHER, NOW],
        "tool_choice": {"type": "function", "function": {"name": "now"}},
    },
    "tools_allowed": {
        "tools": [WEATHER, NOW],
        "tool_choice": {
            "type": "allowed_tools",
            "allowed_tools": {
                "mode": "required",
                "tools": [{"type": "function", "function": {"name": "now"}}],
            },
        },
    },
    "schema": {
        "response_format": {
            "type": "json_schema",
            "json_schema": {
                "name": "person",
                "strict": True,
                "schema": {"type": "object", "properties": {"name": {"type": "string"}}},
            },
        }
    },
    "thinking": {"reasoning_effort": "high", "logprobs": True, "top_logprobs": 2},
    "of_no_effect": {
        "user": "ann",
        "safety_identifier": "ann",
        "store": True,
        "metadata": {"a": "b"},
        "service_tier": "flex",
        "modalities": ["text"],
        "verbosity": "medium",
        "prompt_cache_key": "k",
        "prediction": {"type": "content", "content": "Hi"},
        "stream": True,
        "stream_options": {"include_usage": True, "include_obfuscation": False},
    },
}
COMPLETIONS: dict[str, dict[str, Any]] = {
    "text": {"prompt": "Once"},
    "texts": {"prompt": ["Once", "Twice"], "n": 2, "max_tokens": 3},
    "tokens": {"prompt": [1, 2, 3], "logprobs": 2},
    "gap": {"prompt": "def f(", "suffix": "return 1", "stop": ["\n"]},
}


@pytest.mark.parametrize("case", CHATS)
def test_a_chat_request_is_golden(case: str) -> None:
    body = json.dumps({"model": "tiny", "messages": HI, **CHATS[case]}).encode()
    check(f"openai/chat_request_{case}.json", job_text(chat.parse(body).job))


@pytest.mark.parametrize("case", COMPLETIONS)
def test_a_completion_request_is_golden(case: str) -> None:
    body = json.dumps({"model": "tiny", **COMPLETIONS[case]}).encode()
    jobs = completions.parse(body).jobs
    check(f"openai/completion_request_{case}.json", "".join(map(job_text, jobs)))
