"""Tokenise, detokenise and apply a template: what is asked of the model, and the answers."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from kronk.gateway.dialects import tokens
from kronk.gateway.dialects.openai import chat
from kronk.gateway.dialects.tokens import (
    PromptWhole,
    TextWhole,
    TokensWhole,
    parse_detokenize,
    parse_template,
    parse_tokenize,
)
from kronk.gateway.job import Job
from kronk.shared.errors import Internal, InvalidArgument
from kronk.shared.wire.to_gateway import Done, Inspected
from kronk.shared.wire.to_worker import Inspect, Submit
from kronk.shared.wire.values import Constraint, Prompt, Timings, Usage

HELLO = [{"role": "user", "content": "Hello!"}]
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
DONE = Done(1, Usage(3, 0), Timings(0.0, 0.1, 0.0))
FOUND = Inspected(1, "a🕰", (5, 6, 7), (b"a", b"\xf0\x9f", b"\x95\xb0"), 512)


def body(**fields: Any) -> bytes:
    return json.dumps({"model": "m", **fields}).encode()


def inspected(job: Job) -> Inspect:
    assert isinstance(job.ask, Inspect)
    return job.ask


def tokenized(**fields: Any) -> Inspect:
    return inspected(parse_tokenize(body(**fields)).job)


# Each server's clients get what they got there.
SPECIALS: list[tuple[dict[str, Any], bool, bool]] = [
    ({"content": "x"}, False, True),
    ({"prompt": "x"}, True, True),
    ({"content": "x", "add_special": True}, True, True),
    ({"prompt": "x", "add_special_tokens": False}, False, True),
    ({"prompt": "x", "add_special": False, "add_special_tokens": False}, False, True),
    ({"content": "x", "parse_special": False}, False, False),
    ({"prompt": "x", "add_special": None, "parse_special": None}, True, True),
]


@pytest.mark.parametrize(("fields", "adds", "parses"), SPECIALS)
def test_special_tokens_are_as_the_fields_name_has_them(
    fields: dict[str, Any], adds: bool, parses: bool
) -> None:
    ask = tokenized(**fields)
    # Errors name the field that the text came in.
    assert ask.prompt == Prompt(text="x", param="prompt" if "prompt" in fields else "content")
    assert (ask.add_special, ask.parse_special) == (adds, parses)


def test_only_what_is_shown_is_asked_for() -> None:
    assert tokenized(content="").wants == ("tokens",)
    assert tokenized(content="x", with_pieces=True).wants == ("tokens", "pieces")
    assert tokenized(messages=HELLO, return_token_strs=True).wants == ("tokens", "pieces")
    assert inspected(parse_detokenize(body(tokens=[1]))).wants == ("text",)
    assert inspected(parse_template(body(messages=HELLO))).wants == ("text",)


@pytest.mark.parametrize("parse", [parse_template, lambda raw: parse_tokenize(raw).job])
def test_a_chat_is_read_as_the_chat_route_reads_it(parse: Any) -> None:
    fields = {
        "messages": HELLO,
        "tools": [TOOL],
        "tool_choice": "auto",
        "chat_template_kwargs": {"a": 1},
        "enable_thinking": False,
        "response_format": {"type": "json_object"},
        "ttl": 5,
        "stream": True,
        "max_tokens": 7,
    }
    job = parse(body(**fields, add_generation_prompt=False))
    answered = chat.parse(body(**fields)).job
    assert isinstance(answered.ask, Submit)
    ask = inspected(job)
    assert (ask.prompt, ask.answer) == (answered.ask.prompt, answered.ask.answer)
    assert ask.answer.constraint == Constraint("json_object", "", "response_format")
    assert (job.ttl, ask.add_generation_prompt) == (5.0, False)
    assert inspected(parse(body(messages=HELLO))).add_generation_prompt


def test_an_answer_that_is_gone_on_with_is_looked_at_with_its_beginning() -> None:
    said = [*HELLO, {"role": "assistant", "content": "Hello, my"}]
    for opens in ({}, {"add_generation_prompt": False}):
        ask = inspected(parse_template(body(messages=said, continue_final_message=True, **opens)))
        assert (ask.prompt.prefill, ask.add_generation_prompt) == ("Hello, my", True)


WRONG: list[tuple[dict[str, Any], str]] = [
    ({}, "prompt"),
    ({"content": None}, "prompt"),
    ({"content": "x", "prompt": "x"}, "prompt"),
    ({"content": 5}, "content"),
    ({"prompt": ["x"]}, "prompt"),
    ({"content": "x", "with_pieces": 1}, "with_pieces"),
    ({"content": "x", "add_special": True, "add_special_tokens": False}, "add_special_tokens"),
    ({"content": "x", "pieces": True}, "pieces"),
    ({"content": "x", "model": ""}, "model"),
    ({"messages": []}, "messages"),
    ({"messages": HELLO, "content": "x"}, "content"),
    ({"messages": HELLO, "with_pieces": "yes"}, "with_pieces"),
    ({"messages": HELLO, "add_special": True}, "add_special"),
    ({"messages": HELLO, "add_generation_prompt": "yes"}, "add_generation_prompt"),
    ({"messages": HELLO, "chat_template_kwargs": {"tools": []}}, "chat_template_kwargs.tools"),
]


@pytest.mark.parametrize(("fields", "param"), WRONG)
def test_what_is_wrong_is_named(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        tokenized(**fields)
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("given", "param"),
    [
        (None, "tokens"),
        ([], "tokens"),
        ("5", "tokens"),
        ([1, "a"], "tokens[1]"),
        ([True], "tokens[0]"),
        ([-1], "tokens[0]"),
        ([2**31], "tokens[0]"),
        ([1.0], "tokens[0]"),
    ],
)
def test_tokens_are_numbers_that_could_be_some(given: Any, param: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        parse_detokenize(body(tokens=given))
    assert caught.value.param == param


def answer(*found: Inspected, **fields: Any) -> Any:
    whole = TokensWhole(parse_tokenize(body(content="x", **fields)))
    for part in found:
        whole.add(part)
    return json.loads(whole.body(DONE))


def test_tokens_are_counted_and_listed() -> None:
    assert answer(FOUND) == {"tokens": [5, 6, 7], "count": 3, "max_model_len": 512}


def test_a_piece_that_is_no_text_is_its_bytes() -> None:
    assert answer(FOUND, with_pieces=True)["tokens"] == [
        {"id": 5, "piece": "a"},
        {"id": 6, "piece": [240, 159]},
        {"id": 7, "piece": [149, 176]},
    ]
    assert answer(FOUND, return_token_strs=True)["token_strs"] == ["a", "�", "��"]


@pytest.mark.parametrize("fields", [{}, {"with_pieces": True}, {"return_token_strs": True}])
def test_parts_are_put_together(fields: dict[str, Any]) -> None:
    first = replace(FOUND, tokens=FOUND.tokens[:1], pieces=FOUND.pieces[:1])
    second = replace(FOUND, tokens=FOUND.tokens[1:], pieces=FOUND.pieces[1:])
    assert answer(first, second, **fields) == answer(FOUND, **fields)


def test_nothing_has_no_tokens() -> None:
    nothing = Inspected(1, "", (), (), 512)
    assert answer(nothing, return_token_strs=True)["tokens"] == []
    assert answer(nothing, return_token_strs=True)["token_strs"] == []


def test_texts_have_the_names_that_their_clients_read() -> None:
    detokenized, prompt = TextWhole(), PromptWhole()
    for whole in (detokenized, prompt):
        whole.add(FOUND)
    assert detokenized.body(DONE) == {"content": "a🕰", "prompt": "a🕰"}
    assert prompt.body(DONE) == {"prompt": "a🕰"}


def test_an_end_without_a_finding_is_a_bug() -> None:
    for whole in (PromptWhole(), TokensWhole(parse_tokenize(body(content="x")))):
        with pytest.raises(Internal):
            whole.body(DONE)


def test_the_schemas_know_the_fields() -> None:
    text, about_chat = tokens.tokenize_schema()["anyOf"]
    assert {"content", "prompt", "with_pieces"} <= set(text["properties"])
    assert {"messages", "with_pieces", "add_generation_prompt"} <= set(about_chat["properties"])
