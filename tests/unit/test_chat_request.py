"""Bodies of chat requests: what is taken, what is refused, and which field the refusal names."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from openai.types.chat.completion_create_params import (
    CompletionCreateParamsBase,
    CompletionCreateParamsNonStreaming,
)

from kronk.gateway.dialects.openai.chat import NEUTRAL, ChatBody, parse
from kronk.shared.errors import InvalidArgument
from kronk.shared.sampling_params import PARAMETERS
from kronk.shared.wire import to_worker
from kronk.shared.wire.codec import encode
from kronk.shared.wire.to_worker import Submit
from kronk.shared.wire.values import Answer, Constraint, Sampling

HI: list[Any] = [{"role": "user", "content": "hi"}]


def body(**fields: Any) -> bytes:
    return json.dumps({"model": "m", "messages": HI, **fields}).encode()


def said(message: Any, *, after: tuple[Any, ...] = ()) -> bytes:
    return body(messages=[*after, message])


def submit(raw: bytes) -> Submit:
    ask = parse(raw).job.message(1, "x")
    assert isinstance(ask, Submit)
    return ask


def refusal(raw: bytes) -> InvalidArgument:
    with pytest.raises(InvalidArgument) as caught:
        parse(raw)
    return caught.value


def test_the_least_request_says_nothing_about_sampling() -> None:
    asked = submit(body())
    assert asked.sampling == Sampling()
    assert asked.answer == Answer()
    assert asked.max_tokens is None
    assert asked.stop == ()
    assert not parse(body()).stream


def test_zero_is_zero_and_not_unset() -> None:
    asked = submit(body(temperature=0, top_k=0, top_p=0, min_p=0, seed=0))
    assert asked.sampling == Sampling(temperature=0.0, top_k=0, top_p=0.0, min_p=0.0, seed=0)


def test_null_is_unset_for_every_optional_field() -> None:
    optional = {*ChatBody.model_fields, *NEUTRAL, *PARAMETERS} - {"model", "messages"}
    assert parse(body(**dict.fromkeys(optional))) == parse(body())


@pytest.mark.parametrize(
    ("fields", "limit"),
    [
        ({"max_tokens": 5}, 5),
        ({"max_completion_tokens": 6}, 6),
        ({"max_tokens": 7, "max_completion_tokens": 7}, 7),
    ],
)
def test_either_name_of_the_token_limit_counts(fields: dict[str, int], limit: int) -> None:
    assert submit(body(**fields)).max_tokens == limit


@pytest.mark.parametrize(
    ("stop", "stops"),
    [("a", ("a",)), (["a", "b"], ("a", "b")), ([], ()), (["\n"] * 16, ("\n",) * 16)],
)
def test_stop_is_a_string_or_a_list(stop: Any, stops: tuple[str, ...]) -> None:
    assert submit(body(stop=stop)).stop == stops


SAMPLED: dict[str, Any] = {
    "temperature": 2,
    "top_k": 40,
    "top_p": 1.0,
    "min_p": 0.05,
    "typical_p": 0.9,
    "top_n_sigma": -1.0,
    "repeat_penalty": 1.1,
    "repeat_last_n": -1,
    "frequency_penalty": -2.0,
    "presence_penalty": 2.0,
    "dry_multiplier": 0.8,
    "dry_base": 1.75,
    "dry_allowed_length": 2,
    "dry_penalty_last_n": -1,
    "dry_sequence_breakers": ["\n", ":"],
    "xtc_probability": 0.5,
    "xtc_threshold": 0.1,
    "mirostat": 2,
    "mirostat_tau": 5.0,
    "mirostat_eta": 0.1,
    "dynatemp_range": 0.5,
    "dynatemp_exponent": 1.0,
    "logit_bias": {"0": -100, "31": 0.5},
    "seed": 2**64 - 1,
    "ignore_eos": True,
    "min_tokens": 3,
}


def test_every_sampling_parameter_of_the_wire_can_be_asked_for() -> None:
    assert set(SAMPLED) == {field.name for field in dataclasses.fields(Sampling)} - {"preset"}
    asked = submit(body(**SAMPLED)).sampling
    given = {**SAMPLED, "dry_sequence_breakers": ("\n", ":")}
    assert {name: getattr(asked, name) for name in given} == given


FULL: list[tuple[dict[str, Any], str, Any]] = [
    ({"n": 128}, "answer.choices", 128),
    ({}, "answer.logprobs", None),
    ({"logprobs": False}, "answer.logprobs", None),
    ({"logprobs": False, "top_logprobs": 0}, "answer.logprobs", None),
    ({"logprobs": True}, "answer.logprobs", 0),
    ({"logprobs": True, "top_logprobs": 20}, "answer.logprobs", 20),
    ({"top_logprobs": 3}, "answer.logprobs", 3),
    ({"parallel_tool_calls": False}, "answer.parallel_tool_calls", False),
    ({"parallel_tool_calls": True}, "answer.parallel_tool_calls", True),
    ({"thinking_budget": 0}, "answer.thinking_budget", 0),
    ({"enable_thinking": False}, "prompt.enable_thinking", False),
    ({"reasoning_effort": "xhigh"}, "prompt.reasoning_effort", "xhigh"),
    ({"reasoning_effort": "max"}, "prompt.reasoning_effort", "max"),
    ({"reasoning_effort": "low"}, "prompt.enable_thinking", None),
    ({"reasoning_effort": "none"}, "prompt.enable_thinking", False),
    ({"chat_template_kwargs": {"a": [1, {}]}}, "prompt.template_kwargs", {"a": [1, {}]}),
    ({"chat_template_kwargs": {"enable_thinking": True}}, "prompt.enable_thinking", True),
    ({"imc_id": "ann"}, "prompt.session", "ann"),
    ({"repetition_penalty": 1.5}, "sampling.repeat_penalty", 1.5),
]


@pytest.mark.parametrize(("fields", "where", "value"), FULL)
def test_a_field_arrives_on_the_wire(fields: dict[str, Any], where: str, value: Any) -> None:
    got: Any = submit(body(**fields))
    for step in where.split("."):
        got = getattr(got, step)
    assert got == value
    assert type(got) is type(value)


def test_the_form_of_the_answer_is_what_was_asked_for() -> None:
    asked = parse(body(n=3, top_logprobs=1, stream=True, stream_options={"include_usage": True}))
    assert (asked.choices, asked.scored, asked.stream, asked.include_usage) == (3, True, True, True)
    assert parse(body(stream=True, stream_options={"include_obfuscation": True})).padded
    assert not parse(body(stream=True, stream_options={"include_obfuscation": False})).padded
    asked = parse(body())
    assert (asked.choices, asked.scored, asked.stream, asked.include_usage) == (
        1,
        False,
        False,
        False,
    )


def test_the_conversations_name_in_the_body_wins_over_the_header() -> None:
    def named(raw: bytes, header: str | None) -> str | None:
        ask = parse(raw, header).job.ask
        assert isinstance(ask, Submit)
        return ask.prompt.session

    assert named(body(), None) is None
    assert named(body(), "h") == "h"
    assert named(body(imc_id="b"), "h") == "b"
    for header in ("", "x" * 257):
        with pytest.raises(InvalidArgument) as caught:
            parse(body(), header)
        assert caught.value.param == "KRONK_IMC_ID"


OBJECT = {"type": "object"}
OBJECT_TEXT = '{"type": "object"}'


def schema_format(**fields: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "n", "schema": OBJECT, **fields}}


CONSTRAINTS: list[tuple[dict[str, Any], Constraint | None]] = [
    ({"response_format": {"type": "text"}}, None),
    ({"response_format": None, "grammar": ""}, None),
    (
        {"response_format": {"type": "json_object"}},
        Constraint("json_object", "", "response_format"),
    ),
    (
        {"response_format": {"type": "json_object", "schema": OBJECT}},
        Constraint("json_schema", OBJECT_TEXT, "response_format.schema"),
    ),
    (
        {"response_format": schema_format(strict=True, description="x")},
        Constraint("json_schema", OBJECT_TEXT, "response_format.json_schema.schema"),
    ),
    (
        {"response_format": schema_format(strict=False, schema={"const": "\u00e4"})},
        Constraint("json_schema", '{"const": "\u00e4"}', "response_format.json_schema.schema"),
    ),
    ({"json_schema": OBJECT}, Constraint("json_schema", OBJECT_TEXT, "json_schema")),
    ({"grammar": 'root ::= "x"'}, Constraint("grammar", 'root ::= "x"', "grammar")),
    ({"regex": "[a-z]+"}, Constraint("regex", "[a-z]+", "regex")),
]


@pytest.mark.parametrize(("fields", "constraint"), CONSTRAINTS)
def test_a_constraint_keeps_the_name_of_its_field(
    fields: dict[str, Any], constraint: Constraint | None
) -> None:
    assert submit(body(**fields)).answer.constraint == constraint


def tool(name: str = "f", **fields: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, **fields}}


def allowed(mode: Any, *names: str) -> dict[str, Any]:
    tools = [tool(name) for name in names]
    return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": tools}}


F, G = tool("f", description="d", parameters=OBJECT), tool("g")
BOTH = [F, G]
CHOICES: list[tuple[dict[str, Any], list[Any], str, str | None]] = [
    ({}, [], "auto", None),
    ({"tools": [], "tool_choice": "auto"}, [], "auto", None),
    ({"tool_choice": "none"}, [], "none", None),
    ({"tools": BOTH}, BOTH, "auto", None),
    ({"tools": BOTH, "tool_choice": "none"}, BOTH, "none", None),
    ({"tools": BOTH, "tool_choice": "required"}, BOTH, "required", None),
    ({"tools": BOTH, "tool_choice": tool("g")}, BOTH, "named", "g"),
    ({"tools": BOTH, "tool_choice": allowed("auto", "g")}, [G], "auto", None),
    ({"tools": BOTH, "tool_choice": allowed("required", "g", "f")}, BOTH, "required", None),
    ({"tools": [tool(strict=True)]}, [tool(strict=True)], "auto", None),
    (
        {"tools": [tool(strict=False, description=None, parameters=None)]},
        [tool()],
        "auto",
        None,
    ),
    ({"tools": [tool("a" * 64)] * 1}, [tool("a" * 64)], "auto", None),
    (
        {"tools": BOTH, "response_format": {"type": "json_object"}},
        BOTH,
        "auto",
        None,
    ),
]


@pytest.mark.parametrize(("fields", "tools", "choice", "name"), CHOICES)
def test_tools_and_the_choice_among_them(
    fields: dict[str, Any], tools: list[Any], choice: str, name: str | None
) -> None:
    asked = submit(body(**fields))
    assert asked.prompt.tools == tuple(tools)
    assert (asked.answer.tool_choice, asked.answer.tool_name) == (choice, name)


MESSAGES: list[tuple[Any, Any]] = [
    ({"role": "user", "content": "a\0b"}, {"role": "user", "content": "a\0b"}),
    ({"role": "developer", "content": "x"}, {"role": "system", "content": "x"}),
    (
        {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
        {"role": "user", "content": "a\nb"},
    ),
    ({"role": "user", "content": []}, {"role": "user", "content": ""}),
    (
        {"role": "user", "content": "", "name": "Ann"},
        {"role": "user", "content": "", "name": "Ann"},
    ),
    (
        {"role": "assistant", "content": "x", "refusal": None, "annotations": [], "audio": None},
        {"role": "assistant", "content": "x"},
    ),
    (
        {"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "f"}}]},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [
                {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
            ],
        },
    ),
    (
        {
            "role": "assistant",
            "content": None,
            "reasoning_content": "hm",
            "tool_calls": [
                {
                    "index": 0,
                    "type": "function",
                    "function": {"name": "f", "arguments": {"a": "\u00e4"}},
                },
                {"id": "2", "function": {"name": "g", "arguments": "[1, 2]"}},
                {"function": {"name": "h", "arguments": ""}},
            ],
        },
        {
            "role": "assistant",
            "content": "",
            "reasoning_content": "hm",
            "tool_calls": [
                {"type": "function", "function": {"name": "f", "arguments": '{"a": "\u00e4"}'}},
                {"id": "2", "type": "function", "function": {"name": "g", "arguments": "[1, 2]"}},
                {"type": "function", "function": {"name": "h", "arguments": "{}"}},
            ],
        },
    ),
    (
        {"role": "assistant", "content": "x", "reasoning_content": ""},
        {"role": "assistant", "content": "x"},
    ),
    (
        {"role": "assistant", "content": None, "reasoning_content": "cut"},
        {"role": "assistant", "content": "", "reasoning_content": "cut"},
    ),
    (
        {"role": "tool", "content": "4", "tool_call_id": "1"},
        {"role": "tool", "content": "4", "tool_call_id": "1"},
    ),
]


@pytest.mark.parametrize(("given", "plain"), MESSAGES)
def test_a_message_becomes_plain_for_the_template(given: Any, plain: Any) -> None:
    assert submit(said(given)).prompt.messages == (plain,)


def predicted(content: Any) -> dict[str, Any]:
    return {"type": "content", "content": content}


# What says something of the caller, or of how to be fast, and nothing of the answer.
WITHOUT_EFFECT: list[dict[str, Any]] = [
    {"user": "ann"},
    {"safety_identifier": "x" * 128},
    {"store": True},
    {"store": False},
    {"metadata": {"k" * 64: "v" * 512} | {str(at): "" for at in range(15)}},
    {"prompt_cache_key": "k"},
    {"prompt_cache_retention": "in_memory"},
    {"prompt_cache_retention": "24h"},
    {"prompt_cache_options": {"mode": "explicit", "ttl": "30m"}},
    {"prediction": predicted("x")},
    {"prediction": predicted([{"type": "text", "text": "x"}])},
]


@pytest.mark.parametrize("fields", WITHOUT_EFFECT)
def test_what_says_nothing_of_the_answer_is_taken(fields: dict[str, Any]) -> None:
    assert parse(body(**fields)) == parse(body())


@pytest.mark.parametrize("tier", ["auto", "default", "flex", "scale", "priority", "fast"])
def test_every_service_tier_is_the_one_there_is(tier: str) -> None:
    assert parse(body()).tier is None
    assert parse(body(service_tier=tier)).tier == "default"


def test_openais_own_list_of_fields_is_known_to_the_last() -> None:
    known = {*ChatBody.model_fields, *NEUTRAL, *PARAMETERS}
    theirs = {
        *CompletionCreateParamsNonStreaming.__annotations__,
        *CompletionCreateParamsBase.__annotations__,
    }
    assert theirs <= known


NEUTRAL_VALUES = [(name, value) for name, values in NEUTRAL.items() for value in values]


@pytest.mark.parametrize(("name", "value"), NEUTRAL_VALUES)
def test_an_unbuilt_parameter_is_taken_where_it_changes_nothing(name: str, value: Any) -> None:
    assert parse(body(**{name: value})) == parse(body())


@pytest.mark.parametrize("name", NEUTRAL)
def test_an_unbuilt_parameter_is_refused_where_it_would_matter(name: str) -> None:
    error = refusal(body(**{name: {"some": ["value"]}}))
    assert error.param == name
    assert "not supported by this version of Kronk" in error.message


def raw(text: str) -> bytes:
    return text.encode()


SAID = "messages[0].content"
CALL = "messages[0].tool_calls[0]"
FORMAT = "response_format.json_schema"


def calling(**fields: Any) -> bytes:
    return said({"role": "assistant", "tool_calls": [{"function": {"name": "f"}, **fields}]})


WRONG: list[tuple[bytes, str | None, str]] = [
    # Not a JSON object.
    (b"", None, "not valid JSON"),
    (b"{", None, "not valid JSON"),
    (b"[]", None, "must be a JSON object"),
    (b"null", None, "must be a JSON object"),
    (b'"x"', None, "must be a JSON object"),
    (b"\xff\xfe", None, "not valid JSON"),
    (b'{"model": "\xff"}', None, "not valid JSON"),
    (b"[" * 10_000, None, "nested too deeply"),
    (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, None, "nested too deeply"),
    (raw('{"model":"m","temperature":NaN}'), None, "not valid JSON"),
    (raw('{"model":"m","temperature":Infinity}'), None, "not valid JSON"),
    (raw('{"model":"m","messages":[{"role":"user","content":"\\ud800"}]}'), SAID, "surrogate"),
    (raw('{"model":"m","messages":[{"role":"user","content":"\\udc00"}]}'), SAID, "surrogate"),
    (raw('{"model":"\\ud83d x"}'), "model", "surrogate"),
    (raw('{"\\ud83d":"x"}'), None, "not valid JSON"),
    # Which model.
    (b"{}", "model", "missing model field"),
    (json.dumps({"messages": HI}).encode(), "model", "missing model field"),
    (body(model=""), "model", "model"),
    (body(model=5), "model", "string"),
    (body(model=None), "model", "model"),
    (body(model="x" * 2000), "model", "1024"),
    # Messages.
    (b'{"model":"m"}', "messages", "missing messages field"),
    (body(messages=[]), "messages", "at least one"),
    (body(messages={}), "messages", "an array"),
    (body(messages="hi"), "messages", "an array"),
    (body(messages=["hi"]), "messages[0]", "an object"),
    (said({"content": "x"}), "messages[0].role", "missing role"),
    (said({"role": "wizard", "content": "x"}), "messages[0].role", "one of system"),
    (said({"role": ["user"], "content": "x"}), "messages[0].role", "one of system"),
    (said({"role": "user"}, after=tuple(HI)), "messages[1].content", "missing content"),
    (said({"role": "user", "content": None}), "messages[0].content", "null"),
    (said({"role": "user", "content": 5}), "messages[0].content", "5"),
    (said({"role": "user", "content": {"a": 1}}), "messages[0].content", "an object"),
    (said({"role": "user", "content": ["x"]}), "messages[0].content[0]", "an object"),
    (said({"role": "user", "content": [{}]}), "messages[0].content[0].type", "null"),
    (
        said({"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}),
        "messages[0].content[0].image_url.url",
        "base64",
    ),
    (
        said({"role": "user", "content": [{"type": "text"}]}),
        "messages[0].content[0].text",
        "a string",
    ),
    (
        said({"role": "user", "content": [{"type": "text", "text": "", "x": 1}]}),
        "messages[0].content[0].x",
        "Unrecognized",
    ),
    (said({"role": "user", "content": "", "name": 1}), "messages[0].name", "a string"),
    (said({"role": "user", "content": "", "wat": 1}), "messages[0].wat", "Unrecognized"),
    (
        said({"role": "user", "content": "", "refusal": "no"}),
        "messages[0].refusal",
        "only assistant",
    ),
    (said({"role": "tool", "content": ""}), "messages[0].tool_call_id", "which call"),
    (
        said({"role": "user", "content": "", "tool_calls": [{}]}),
        "messages[0].tool_calls",
        "only assistant",
    ),
    (said({"role": "assistant", "tool_calls": {"a": 1}}), "messages[0].tool_calls", "array"),
    (said({"role": "assistant", "tool_calls": [1]}), "messages[0].tool_calls[0]", "object"),
    (
        said({"role": "assistant", "tool_calls": [{}]}),
        "messages[0].tool_calls[0].function",
        "object",
    ),
    (
        said({"role": "assistant", "tool_calls": [{"function": {"name": "f", "a": 1}}]}),
        "messages[0].tool_calls[0].function.a",
        "Unrecognized",
    ),
    (calling(type="custom"), f"{CALL}.type", "type 'function'"),
    (calling(id=5), f"{CALL}.id", "a string"),
    (calling(function={"name": 5}), f"{CALL}.function.name", "a string"),
    (calling(function={"name": "f", "arguments": "{"}), f"{CALL}.function.arguments", "JSON"),
    (calling(function={"name": "f", "arguments": [1]}), f"{CALL}.function.arguments", "array"),
    (
        calling(function={"name": "f", "arguments": "[" * 10**5}),
        f"{CALL}.function.arguments",
        "nested too deeply",
    ),
    (
        calling(function={"name": "f", "arguments": {"a": [2**70]}}),
        f"{CALL}.function.arguments.a[0]",
        "64 bits",
    ),
    (
        said({"role": "user", "content": "", "reasoning_content": "x"}),
        "messages[0].reasoning_content",
        "only assistant",
    ),
    (
        said({"role": "assistant", "content": "", "reasoning_content": ["x"]}),
        "messages[0].reasoning_content",
        "a string",
    ),
    (said({"role": "function", "content": "", "name": "f"}), "messages[0].role", "one of system"),
    # Sampling and limits.
    (body(temperature="hot"), "temperature", "number"),
    (body(temperature=True), "temperature", "number"),
    (body(temperature=-0.1), "temperature", "-0.1"),
    (body(temperature=2.1), "temperature", "2"),
    (raw('{"model":"m","messages":[1],"temperature":1e999}'), "temperature", "2"),
    (body(temperature=10**400), "temperature", ""),
    (body(top_p=1.01), "top_p", "1"),
    (body(top_k=-1), "top_k", "0"),
    (body(top_k=1.5), "top_k", "whole number"),
    (body(top_k=True), "top_k", "whole number"),
    (body(min_p=[]), "min_p", "a number"),
    (body(seed="1"), "seed", "whole number"),
    (body(seed=2**64), "seed", "got 18446744073709551616"),
    (body(frequency_penalty=2.5), "frequency_penalty", "-2 to 2"),
    (body(presence_penalty=False), "presence_penalty", "a number"),
    (body(mirostat=3), "mirostat", "0 to 2"),
    (body(ignore_eos=1), "ignore_eos", "true or false"),
    (body(dry_sequence_breakers="x"), "dry_sequence_breakers", "strings"),
    (body(dry_sequence_breakers=[""]), "dry_sequence_breakers", "strings"),
    (body(logit_bias=[]), "logit_bias", "map"),
    (body(logit_bias={"1": 101}), "logit_bias", "-100 to 100"),
    (body(logit_bias={"x": 1}), "logit_bias", "token ids"),
    (body(repeat_penalty=1, repetition_penalty=1), "repetition_penalty", "send one"),
    (body(repetition_penalty="x"), "repetition_penalty", "a number"),
    (body(min_tokens=-1), "min_tokens", "whole number"),
    (body(min_tokens=6, max_completion_tokens=5), "min_tokens", "greater than 'max_tokens' (5)"),
    (body(max_tokens=0), "max_tokens", "1"),
    (body(max_tokens=-1), "max_tokens", "-1"),
    (body(max_tokens=1.0), "max_tokens", "integer"),
    (body(max_tokens=10**30), "max_tokens", "out of any range"),
    (body(max_tokens=1, max_completion_tokens=2), "max_tokens", "differ"),
    # Choices and log-probabilities.
    (body(n=0), "n", "1"),
    (body(n=129), "n", "128"),
    (body(n=True), "n", "integer"),
    (body(n="2"), "n", "a string"),
    (body(logprobs=1), "logprobs", "boolean"),
    (body(top_logprobs=21), "top_logprobs", "20"),
    (body(top_logprobs=-1), "top_logprobs", "0"),
    (body(top_logprobs=True), "top_logprobs", "integer"),
    # Constraints.
    (body(response_format="json"), "response_format", "an object"),
    (body(response_format={}), "response_format.type", "one of text"),
    (body(response_format={"type": "xml"}), "response_format.type", "one of text"),
    (body(response_format={"type": "text", "x": 1}), "response_format.x", "Unrecognized"),
    (
        body(response_format={"type": "json_object", "schema": []}),
        "response_format.schema",
        "an object",
    ),
    (
        body(response_format={"type": "json_schema"}),
        "response_format.json_schema",
        "an object, got null",
    ),
    (body(response_format=schema_format(name="a b")), f"{FORMAT}.name", "64"),
    (body(response_format=schema_format(name=None)), f"{FORMAT}.name", "a string"),
    (body(response_format=schema_format(schema=None)), f"{FORMAT}.schema", "an object"),
    (body(response_format=schema_format(schema=True)), f"{FORMAT}.schema", "an object"),
    (body(response_format=schema_format(strict=1)), f"{FORMAT}.strict", "true or false"),
    (body(response_format=schema_format(description=1)), f"{FORMAT}.description", "a string"),
    (body(response_format=schema_format(x=1)), f"{FORMAT}.x", "Unrecognized"),
    (
        body(response_format=schema_format(schema={"maximum": 2**65})),
        f"{FORMAT}.schema.maximum",
        "64 bits",
    ),
    (
        raw('{"model":"m","messages":[1],"json_schema":{"maximum":1e999}}'),
        "json_schema.maximum",
        "out of any range",
    ),
    (body(json_schema="{}"), "json_schema", "an object"),
    (body(grammar=1), "grammar", "string"),
    (body(regex=""), "regex", "1 character"),
    (body(regex="x", grammar="y"), "regex", "'grammar' and 'regex'"),
    (
        body(regex="x", response_format={"type": "json_object"}),
        "regex",
        "'response_format' and 'regex'",
    ),
    (body(json_schema={}, grammar="y"), "json_schema", "'grammar' and 'json_schema'"),
    (body(guided_regex="x"), "guided_regex", "Unrecognized"),
    (
        body(tools=[tool()], tool_choice="required", regex="x"),
        "regex",
        "'regex' and 'tool_choice'",
    ),
    (
        body(tools=[tool()], tool_choice=tool(), response_format=schema_format()),
        "response_format",
        "'response_format' and 'tool_choice'",
    ),
    # Tools.
    (body(tools={}), "tools", "an array"),
    (body(tools=[tool(f"f{number}") for number in range(129)]), "tools", "128"),
    (body(tools=["x"]), "tools[0]", "an object"),
    (body(tools=[{"type": "custom", "custom": {}}]), "tools[0].type", "'function'"),
    (body(tools=[{"function": {"name": "f"}}]), "tools[0].type", "'function'"),
    (body(tools=[{"type": "function"}]), "tools[0].function", "an object"),
    (body(tools=[{**tool(), "x": 1}]), "tools[0].x", "Unrecognized"),
    (body(tools=[tool(x=1)]), "tools[0].function.x", "Unrecognized"),
    (body(tools=[tool("")]), "tools[0].function.name", "64"),
    (body(tools=[tool("a" * 65)]), "tools[0].function.name", "64"),
    (body(tools=[tool("a.b")]), "tools[0].function.name", "64"),
    (body(tools=[tool("a\n")]), "tools[0].function.name", "64"),
    (body(tools=[tool(name=5)]), "tools[0].function.name", "a string"),
    (body(tools=[tool(), tool("g"), tool()]), "tools[2].function.name", "two functions f"),
    (body(tools=[tool(parameters=[])]), "tools[0].function.parameters", "an object"),
    *(
        (body(tools=[tool(parameters={"type": kind})]), "tools[0].function.parameters.type", "obj")
        for kind in ("string", "objekt", ["array", "null"], 5, None)
    ),
    (
        body(tools=[tool(parameters={"a": [2**64]})]),
        "tools[0].function.parameters.a[0]",
        "64 bits",
    ),
    (body(tools=[tool(description=5)]), "tools[0].function.description", "a string"),
    (body(tools=[tool(strict="yes")]), "tools[0].function.strict", "true or false"),
    (body(tool_choice="required"), "tool_choice", "no 'tools'"),
    (body(tools=[tool()], tool_choice="any"), "tool_choice", "'required'"),
    (body(tools=[tool()], tool_choice=1), "tool_choice", "'required'"),
    (body(tools=[tool()], tool_choice={"type": "x"}), "tool_choice", "'required'"),
    (
        body(tools=[tool()], tool_choice=tool("g")),
        "tool_choice.function.name",
        "among the 'tools'",
    ),
    (body(tool_choice=tool("g")), "tool_choice.function.name", "among the 'tools'"),
    (body(tools=[tool()], tool_choice=tool(x=1)), "tool_choice.function.x", "Unrecognized"),
    (
        body(tools=[tool()], tool_choice=allowed("none", "f")),
        "tool_choice.allowed_tools.mode",
        "'auto'",
    ),
    (
        body(tools=[tool()], tool_choice=allowed("auto")),
        "tool_choice.allowed_tools.tools",
        "at least one",
    ),
    (
        body(tools=[tool()], tool_choice=allowed("auto", "f", "g")),
        "tool_choice.allowed_tools.tools[1].function.name",
        "among the 'tools'",
    ),
    (body(parallel_tool_calls=1), "parallel_tool_calls", "boolean"),
    (body(functions=[{"name": "f"}]), "functions", "'tools'"),
    (body(function_call={"name": "f"}), "function_call", "'tool_choice'"),
    # Thinking, templates, conversations.
    (body(reasoning_effort="most"), "reasoning_effort", "'none'"),
    (body(enable_thinking="yes"), "enable_thinking", "boolean"),
    (body(thinking_budget=-1), "thinking_budget", "0"),
    (body(enable_thinking=True, reasoning_effort="none"), "enable_thinking", "reasoning_effort"),
    (
        body(enable_thinking=True, chat_template_kwargs={"enable_thinking": False}),
        "enable_thinking",
        "contradict",
    ),
    (
        body(chat_template_kwargs={"enable_thinking": 1}),
        "chat_template_kwargs.enable_thinking",
        "true or false",
    ),
    (body(chat_template_kwargs=[]), "chat_template_kwargs", "an array"),
    (body(chat_template_kwargs={"tools": []}), "chat_template_kwargs.tools", "itself"),
    (body(chat_template_kwargs={"a": 2**64}), "chat_template_kwargs.a", "64 bits"),
    (body(imc_id=""), "imc_id", "1 character"),
    (body(imc_id="x" * 257), "imc_id", "256"),
    (body(imc_id=5), "imc_id", "string"),
    # Stop.
    (body(stop=""), "stop", "empty"),
    (body(stop=["a", ""]), "stop", "empty"),
    (body(stop=["a", 1]), "stop", "strings"),
    (body(stop=5), "stop", "string"),
    (body(stop=["a"] * 17), "stop", "16"),
    # The form of the answer.
    (body(stream="yes"), "stream", "boolean"),
    (body(stream=1), "stream", "boolean"),
    (body(stream_options={}), "stream_options", "only allowed"),
    (body(stream=True, stream_options=[]), "stream_options", "an array"),
    (body(stream=True, stream_options={"x": 1}), "stream_options.x", "Unrecognized"),
    (
        body(stream=True, stream_options={"include_usage": 1}),
        "stream_options.include_usage",
        "boolean",
    ),
    # What nobody knows, and what is only taken note of.
    (body(colour="red"), "colour", "Unrecognized request argument supplied: colour"),
    (body(user=5), "user", "string"),
    (body(safety_identifier="x" * 129), "safety_identifier", "128"),
    (body(store="x"), "store", "boolean"),
    (body(metadata="x"), "metadata", "an object, got a string"),
    (body(metadata={"a": 1}), "metadata.a", "a string, got 1"),
    (body(metadata={"a": "x" * 513}), "metadata.a", "512 characters at most, got 513"),
    (body(metadata={"k" * 65: "x"}), "metadata", "64 characters at most, got 65"),
    (body(metadata={str(at): "" for at in range(17)}), "metadata", "16 pairs at most, got 17"),
    (body(service_tier="best"), "service_tier", "'auto'"),
    (body(prompt_cache_key=1), "prompt_cache_key", "string"),
    (body(prompt_cache_retention="1h"), "prompt_cache_retention", "'24h'"),
    (body(prompt_cache_options={"ttl": "1h"}), "prompt_cache_options.ttl", "'30m'"),
    (body(prompt_cache_options={"x": 1}), "prompt_cache_options.x", "Unrecognized"),
    (body(prediction="x"), "prediction", "an object"),
    (body(prediction={"content": "x"}), "prediction.type", "'content'"),
    (body(prediction=predicted(None)), "prediction.content", "text parts, got null"),
    (body(prediction=predicted(["x"])), "prediction.content[0]", "an object"),
    (body(prediction=predicted([{"type": "x"}])), "prediction.content[0].type", "'text'"),
    (body(prediction=predicted([{"type": "text"}])), "prediction.content[0].text", "a string"),
    (body(verbosity="low"), "verbosity", "not supported"),
    (body(modalities=["text", "audio"]), "modalities", "not supported"),
]


@pytest.mark.parametrize(("given", "param", "words"), WRONG)
def test_a_wrong_request_is_refused_by_the_name_of_its_field(
    given: bytes, param: str | None, words: str
) -> None:
    error = refusal(given)
    assert error.param == param
    assert words in error.message
    assert len(error.message) < 400


def test_a_million_wrong_messages_cost_one_error() -> None:
    error = refusal(b'{"model":"m","messages":[' + b"{}," * 1_000_000 + b"{}]}")
    assert error.param == "messages[0].role"


def test_whatever_parses_fits_the_wire() -> None:
    given = {"n": 2**64 - 1, "m": -(2**63), "f": 1e300}
    calls = [{"id": "1", "function": {"name": "f", "arguments": given}}]
    asked = submit(
        body(
            **SAMPLED,
            messages=[{"role": "assistant", "tool_calls": calls}],
            tools=[tool(parameters=given)],
            chat_template_kwargs=given,
            json_schema=given,
            top_logprobs=2,
        )
    )
    assert to_worker.DATA.decode(encode(1, [asked]))[1] == [asked]
