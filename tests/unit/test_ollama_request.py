"""Ollama's requests: what they come to, and which are refused by the name of what is wrong."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable
from typing import Any

import ollama
import pytest

from harness.golden import check, job_text
from kronk.gateway.dialects.ollama import chat, embed, generate, name
from kronk.gateway.dialects.ollama.body import Asked
from kronk.gateway.dialects.ollama.options import options
from kronk.shared.errors import InvalidArgument
from kronk.shared.wire.to_worker import Embed, Submit
from kronk.shared.wire.values import Constraint, Sampling

HI = [{"role": "user", "content": "Hi"}]
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(16)).decode()
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather at a place",
        "parameters": {"type": "object", "properties": {"location": {"type": "string"}}},
    },
}
CALL = {"function": {"name": "get_weather", "arguments": {"location": "NYC"}}}

CHATS: dict[str, Any] = {
    "least": {"messages": HI},
    "all": {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "What is this?", "images": [PNG, PNG]},
            {"role": "assistant", "content": "A dot.", "thinking": "Very small."},
            {"role": "user", "content": "And the weather?"},
        ],
        "tools": [WEATHER],
        "stream": False,
        "format": {"type": "object", "properties": {"a": {"type": "integer"}}},
        "think": "high",
        "keep_alive": "10m",
        "logprobs": True,
        "top_logprobs": 2,
        "options": {
            "temperature": 0,
            "top_k": 5,
            "seed": 1,
            "num_predict": 9,
            "stop": ["a", "b"],
            "num_ctx": 131072,
            "tfs_z": 1.0,
            "mirostat": None,
        },
    },
    "calls": {
        "messages": [
            {"role": "user", "content": "The weather, twice, and the time?"},
            {
                "role": "assistant",
                "tool_calls": [CALL, {"function": {"name": "now", "arguments": {}}}, CALL],
            },
            {"role": "tool", "content": "noon", "tool_name": "now"},
            {"role": "tool", "content": "rain", "tool_name": "get_weather"},
            {"role": "tool", "content": "sun", "name": "get_weather"},
            {"role": "assistant", "content": "", "tool_calls": [CALL | {"id": "call_x"}]},
            {"role": "tool", "content": "fog", "tool_call_id": "call_x"},
            {"role": "tool", "content": "of nothing", "tool_name": "other"},
        ]
    },
    # As Ollama's own client, and others, write a call that they were answered with.
    "calls_with_indices": {
        "messages": [
            {"role": "user", "content": "The weather?", "images": None},
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [
                    {
                        "id": "call_1",
                        "index": 0,
                        "type": "function",
                        "function": {"index": 0, "name": "now", "arguments": {}},
                    }
                ],
            },
            {"role": "tool", "content": "noon", "tool_call_id": "call_1"},
        ],
        "options": None,
    },
    "images_only": {"messages": [{"role": "user", "images": [PNG]}]},
}
PROMPTS: dict[str, Any] = {
    "least": {"prompt": "Hi"},
    "system": {"prompt": "Hi", "system": "Be brief.", "think": False, "format": "json"},
    "images": {"prompt": "What is this?", "images": [PNG]},
    "raw": {"prompt": "Once", "raw": True, "stream": False, "template": "", "context": []},
    # As Ollama's own client sends it.
    "empty_fields": {
        "prompt": "Hi",
        "suffix": "",
        "system": "",
        "template": "",
        "options": None,
        "keep_alive": "5m0s",
    },
    "gap": {"prompt": "def f(", "suffix": "return 1", "options": {"num_predict": -1}},
}


def encoded(fields: dict[str, Any]) -> bytes:
    return json.dumps({"model": "m", **fields}).encode()


def submit(asked: Asked) -> Submit:
    assert isinstance(asked.job.ask, Submit)
    return asked.job.ask


@pytest.mark.parametrize("case", CHATS)
def test_a_chat_is_golden(case: str) -> None:
    check(f"ollama/chat_request_{case}.json", job_text(chat.parse(encoded(CHATS[case])).job))


@pytest.mark.parametrize("case", PROMPTS)
def test_a_prompt_is_golden(case: str) -> None:
    job = generate.parse(encoded(PROMPTS[case])).job
    check(f"ollama/generate_request_{case}.json", job_text(job))


@pytest.mark.parametrize(
    ("said", "streams"), [({}, True), ({"stream": True}, True), ({"stream": False}, False)]
)
def test_an_answer_is_streamed_unless_the_caller_says_no(said: Any, streams: bool) -> None:
    assert chat.parse(encoded({"messages": HI, **said})).stream is streams
    assert generate.parse(encoded({"prompt": "Hi", **said})).stream is streams


def test_what_the_official_client_sends_is_taken() -> None:
    def now(zone: str) -> str:
        """The time.

        Args:
            zone: A time zone
        """
        return zone

    sent = ollama._types.ChatRequest(
        model="m",
        messages=[ollama.Message(role="user", content="Hi", images=[ollama.Image(value=PNG)])],
        tools=[ollama._utils.convert_function_to_tool(now)],
        options=ollama.Options(
            num_ctx=4096, temperature=0.5, num_gpu=99, use_mmap=True, stop=["x"]
        ),
        keep_alive=-1,
        think=True,
        format="",
        stream=True,
    ).model_dump(exclude_none=True)
    asked = chat.parse(json.dumps(sent).encode())
    ask = submit(asked)
    assert (asked.job.ttl, ask.prompt.enable_thinking) == (math.inf, True)
    assert ask.sampling == Sampling(temperature=0.5)
    assert (ask.stop, ask.answer.constraint) == (("x",), None)
    assert ask.prompt.tools[0]["function"]["parameters"]["required"] == ["zone"]


@pytest.mark.parametrize(
    ("parse", "fields"),
    [
        (chat.parse, {}),
        (chat.parse, {"messages": []}),
        (chat.parse, {"messages": None, "stream": True}),
        (generate.parse, {}),
        (generate.parse, {"prompt": "", "system": "Be brief."}),
    ],
)
@pytest.mark.parametrize(
    ("keep_alive", "ttl"), [(None, None), (0, 0.0), ("0s", 0.0), (-1, math.inf)]
)
def test_without_a_prompt_a_model_is_only_loaded(
    parse: Callable[[bytes], Asked], fields: Any, keep_alive: Any, ttl: float | None
) -> None:
    job = parse(encoded({**fields, "keep_alive": keep_alive})).job
    assert (job.ask, job.ttl) == (None, ttl)


@pytest.mark.parametrize(
    ("format", "expected"),
    [
        (None, None),
        ("", None),
        ("json", Constraint("json_object", "", "format")),
        ({"type": "array"}, Constraint("json_schema", '{"type": "array"}', "format")),
    ],
)
def test_a_format_is_json_or_a_schema(format: Any, expected: Constraint | None) -> None:
    asked = chat.parse(encoded({"messages": HI, "format": format}))
    assert submit(asked).answer.constraint == expected


@pytest.mark.parametrize(
    ("think", "whether", "effort"),
    [
        (None, None, None),
        (True, True, None),
        (False, False, None),
        ("low", True, "low"),
        ("high", True, "high"),
    ],
)
def test_thinking_is_asked_for_or_not_and_how_much(
    think: Any, whether: bool | None, effort: str | None
) -> None:
    prompt = submit(chat.parse(encoded({"messages": HI, "think": think}))).prompt
    assert (prompt.enable_thinking, prompt.reasoning_effort) == (whether, effort)


@pytest.mark.parametrize(
    ("given", "max_tokens"), [(None, None), (-1, None), (-2, None), (0, None), (1, 1), (500, 500)]
)
def test_num_predict_without_a_limit_is_up_to_the_window(
    given: int | None, max_tokens: int | None
) -> None:
    assert options({"num_predict": given}).max_tokens == max_tokens


@pytest.mark.parametrize(
    "given",
    [
        {"num_ctx": 8192, "num_keep": 5, "num_batch": 1, "num_gpu": 0, "num_thread": 8},
        {"main_gpu": 0, "numa": False, "low_vram": True, "f16_kv": True, "logits_all": False},
        {"use_mmap": True, "use_mlock": False, "vocab_only": False, "embedding_only": False},
        {"tfs_z": 1, "penalize_newline": True},
        dict.fromkeys(["num_ctx", "temperature", "tfs_z", "stop"]),
    ],
)
def test_options_of_loading_and_those_that_change_nothing_are_taken(given: Any) -> None:
    taken = options(given)
    assert (taken.sampling, taken.max_tokens, taken.stop) == (Sampling(), None, ())


@pytest.mark.parametrize(
    ("parse", "fields", "param"),
    [
        (chat.parse, {"messages": "Hi"}, "messages"),
        (chat.parse, {"messages": [{}]}, "messages[0].role"),
        (chat.parse, {"messages": [{"role": "developer", "content": "a"}]}, "messages[0].role"),
        (chat.parse, {"messages": [{"role": "user", "content": 1}]}, "messages[0].content"),
        (chat.parse, {"messages": [{"role": "user", "content": ["a"]}]}, "messages[0].content"),
        (chat.parse, {"messages": [{"role": "user", "nick": "a"}]}, "messages[0].nick"),
        (
            chat.parse,
            {"messages": [{"role": "user", "tool_calls": [CALL]}]},
            "messages[0].tool_calls",
        ),
        (chat.parse, {"messages": [{"role": "user", "thinking": "a"}]}, "messages[0].thinking"),
        (chat.parse, {"messages": [{"role": "assistant", "images": [PNG]}]}, "messages[0].images"),
        (chat.parse, {"messages": [{"role": "user", "images": ["!"]}]}, "messages[0].images[0]"),
        (chat.parse, {"messages": [{"role": "user", "images": PNG}]}, "messages[0].images"),
        (
            chat.parse,
            {"messages": [{"role": "assistant", "tool_calls": [{"function": {"arguments": {}}}]}]},
            "messages[0].tool_calls[0].function.name",
        ),
        (
            chat.parse,
            {
                "messages": [
                    {
                        "role": "assistant",
                        "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}],
                    }
                ]
            },
            "messages[0].tool_calls[0].function.arguments",
        ),
        (chat.parse, {"tools": [{"type": "function"}]}, "tools[0].function"),
        (chat.parse, {"tool_choice": "auto"}, "tool_choice"),
        (chat.parse, {"think": "very"}, "think"),
        (chat.parse, {"think": 1}, "think"),
        (chat.parse, {"format": "xml"}, "format"),
        (chat.parse, {"format": 1}, "format"),
        (chat.parse, {"top_logprobs": 21}, "top_logprobs"),
        (chat.parse, {"stream": "yes"}, "stream"),
        (chat.parse, {"truncate": True}, "truncate"),
        (chat.parse, {"shift": True}, "shift"),
        (chat.parse, {"keep_alive": "soon"}, "keep_alive"),
        (chat.parse, {"options": []}, "options"),
        (chat.parse, {"options": {"bogus": 1}}, "options.bogus"),
        (chat.parse, {"options": {"temperature": 3}}, "options.temperature"),
        (chat.parse, {"options": {"temperature": True}}, "options.temperature"),
        (chat.parse, {"options": {"num_ctx": "8k"}}, "options.num_ctx"),
        (chat.parse, {"options": {"num_predict": -3}}, "options.num_predict"),
        (chat.parse, {"options": {"num_predict": True}}, "options.num_predict"),
        (chat.parse, {"options": {"stop": [""]}}, "options.stop"),
        (chat.parse, {"options": {"stop": 1}}, "options.stop"),
        (chat.parse, {"options": {"tfs_z": 0.5}}, "options.tfs_z"),
        (chat.parse, {"options": {"tfs_z": True}}, "options.tfs_z"),
        (chat.parse, {"options": {"penalize_newline": False}}, "options.penalize_newline"),
        (chat.parse, {"options": {"typical": 1, "typical_p": 1}}, "options.typical_p"),
        (generate.parse, {"prompt": 1}, "prompt"),
        (generate.parse, {"prompt": "a", "template": "{{ .Prompt }}"}, "template"),
        (generate.parse, {"prompt": "a", "context": [1]}, "context"),
        (generate.parse, {"prompt": "a", "width": 5}, "width"),
        (generate.parse, {"prompt": "a", "raw": True, "system": "b"}, "system"),
        (generate.parse, {"prompt": "a", "raw": True, "think": True}, "think"),
        (generate.parse, {"prompt": "a", "suffix": "b", "images": [PNG]}, "images"),
        (generate.parse, {"prompt": "a", "messages": []}, "messages"),
        (embed.parse, {"input": 1}, "input"),
        (embed.parse, {"input": ["a", ""]}, "input[1]"),
        (embed.parse, {"input": [[1]]}, "input[0]"),
        (embed.parse, {"input": ["a"] * 2049}, "input"),
        (embed.parse, {"input": "a", "dimensions": 0}, "dimensions"),
        (embed.parse_single, {"input": "a"}, "input"),
        (embed.parse_single, {"prompt": ["a"]}, "prompt"),
        (name.parse, {"name": "other"}, "name"),
        (name.parse, {"system": "a"}, "system"),
        (name.parse, {"options": {"num_ctx": 1}}, "options"),
    ],
)
def test_what_is_wrong_is_named(parse: Any, fields: Any, param: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        parse(encoded(fields))
    assert caught.value.param == param
    assert param in caught.value.message


@pytest.mark.parametrize("parse", [chat.parse, generate.parse, embed.parse, name.parse])
@pytest.mark.parametrize("body", [b"{}", b'{"model": ""}', b'{"model": null}', b'{"model": 1}'])
def test_a_model_must_be_named(parse: Any, body: bytes) -> None:
    with pytest.raises(InvalidArgument, match="model"):
        parse(body)


@pytest.mark.parametrize(
    ("fields", "inputs", "truncate"),
    [
        ({"input": "a"}, ("a",), True),
        ({"input": ["a", "b"], "truncate": False}, ("a", "b"), False),
        ({"input": "a", "dimensions": 8, "options": {"num_ctx": 512}}, ("a",), True),
    ],
)
def test_texts_to_embed_are_cut_unless_the_caller_says_no(
    fields: Any, inputs: tuple[str, ...], truncate: bool
) -> None:
    ask = embed.parse(encoded({**fields, "keep_alive": 5})).job.ask
    assert isinstance(ask, Embed)
    assert (ask.inputs, ask.truncate, ask.dimensions) == (
        inputs,
        truncate,
        fields.get("dimensions"),
    )


@pytest.mark.parametrize("input", [None, "", []])
def test_without_texts_an_embedding_model_is_only_loaded(input: Any) -> None:
    assert embed.parse(encoded({"input": input, "ttl": 5})).job.ask is None
    assert embed.parse_single(encoded({"prompt": ""})).job.ask is None


@pytest.mark.parametrize(
    "fields",
    [
        {"model": "m"},
        {"name": "m"},
        {"model": "m", "name": "m"},
        # Of Ollama's own client: `ollama show` and `ollama pull`.
        {
            "model": "m",
            "system": "",
            "template": "",
            "verbose": False,
            "options": None,
            "name": "",
        },
        {"model": "m", "insecure": True, "username": "", "password": "", "name": ""},
    ],
)
def test_a_model_has_two_names_for_its_name(fields: Any) -> None:
    assert name.parse(json.dumps(fields).encode()).model == "m"


@pytest.mark.parametrize(
    ("last", "more", "prefill"),
    [
        ({"content": "{"}, {}, "{"),
        ({"content": ""}, {}, None),
        ({"content": "{", "thinking": "Hm"}, {}, None),
        ({"content": "{"}, {"think": True}, None),
        ({"content": "{"}, {"format": "json"}, None),
    ],
)
def test_a_chat_goes_on_from_words_of_the_assistant_at_its_end(
    last: dict[str, str], more: dict[str, Any], prefill: str | None
) -> None:
    messages = [{"role": "user", "content": "JSON!"}, {"role": "assistant", **last}]
    prompt = submit(chat.parse(encoded({"model": "m", "messages": messages, **more}))).prompt
    assert prompt.prefill == prefill
    assert prompt.messages is not None
    assert len(prompt.messages) == (2 if prefill is None else 1)
