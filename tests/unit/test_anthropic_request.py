"""Bodies of Anthropic's requests: what is taken, what is refused, and which field is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from anthropic.types import message_count_tokens_params, message_create_params
from anthropic.types.beta import message_create_params as beta_create_params
from hypothesis import given
from hypothesis import strategies as st

from harness.golden import check, job_text
from harness.media_files import JPEG, png, text, wav
from kronk.gateway.dialects.anthropic.request import (
    NEUTRAL,
    ConversationBody,
    MessagesBody,
    parse,
    parse_count,
)
from kronk.gateway.dialects.anthropic.signature import signature
from kronk.gateway.dialects.anthropic.tools import MOST_TOOLS
from kronk.gateway.dialects.errors import envelope
from kronk.gateway.dialects.media import LinkedMedia
from kronk.shared.errors import ContextLengthExceeded, InvalidArgument
from kronk.shared.sampling_params import PARAMETERS
from kronk.shared.wire.codec import encode
from kronk.shared.wire.to_worker import Inspect, Submit
from kronk.shared.wire.values import Answer, Constraint, Sampling
from kronk.worker.prompting import too_long

HI: list[Any] = [{"role": "user", "content": "hi"}]
PNG, WAV = png(255, 0, 0, size=2), wav(300, seconds=0.001)
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
TOOL = {"name": "get", "description": "Gets it.", "input_schema": SCHEMA}
ADD = {"name": "add", "input_schema": {"type": "object"}}
CACHED = {"cache_control": {"type": "ephemeral", "ttl": "1h", "scope": "global"}}
HEADER = "x-anthropic-billing-header: cc_version=2.1.7; cc_entrypoint=cli; cch=ab12f;"
IMAGE = {
    "type": "image",
    "source": {"type": "base64", "media_type": "image/png", "data": text(PNG)},
}


def body(**fields: Any) -> bytes:
    return json.dumps({"model": "m", "max_tokens": 100, "messages": HI, **fields}).encode()


def submit(**fields: Any) -> Submit:
    ask = parse(body(**fields)).job.message(1, "x")
    assert isinstance(ask, Submit)
    return ask


def seen(*messages: Any, **fields: Any) -> list[Any]:
    """The messages that the template gets."""
    found = submit(messages=list(messages), **fields).prompt.messages
    assert found is not None
    return list(found)


def refusal(raw: bytes, read: Callable[[bytes], Any] = parse) -> InvalidArgument:
    with pytest.raises(InvalidArgument) as caught:
        read(raw)
    return caught.value


def user(*blocks: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def assistant(*blocks: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": list(blocks)}


def said(words: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": words, **more}


def call(id: str = "toolu_1", name: str = "get", **arguments: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": id, "name": name, "input": arguments}


def result(id: str = "toolu_1", **fields: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": id, **fields}


def called(id: str = "toolu_1", name: str = "get", arguments: str = "{}") -> dict[str, Any]:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


# The whole of it.

REQUESTS: dict[str, dict[str, Any]] = {
    "least": {},
    "system_and_sampling": {
        "system": "Be brief.",
        "temperature": 0,
        "top_k": 5,
        "top_p": 0.5,
        "stop_sequences": ["\n\nHuman:", "END"],
        "stream": True,
        "metadata": {"user_id": "user_1_session_2"},
        "service_tier": "auto",
    },
    "claude_code": {
        "system": [
            said(HEADER),
            said("You are Claude Code.", **CACHED),
            said("\nFollow the rules.", **CACHED),
        ],
        "messages": [
            user(said("<system-reminder>\nx\n</system-reminder>\n"), said("List it.", **CACHED))
        ],
        "tools": [
            {**TOOL, **CACHED, "eager_input_streaming": True},
            {**ADD, "type": "custom", "strict": False, "input_examples": [{"b": 1}]},
        ],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
        "thinking": {"type": "enabled", "budget_tokens": 99},
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        "metadata": {"user_id": "user_1_session_2"},
        "stream": True,
    },
    "tool_loop": {
        "messages": [
            {"role": "user", "content": "Add."},
            assistant(
                {"type": "thinking", "thinking": "Adding.", "signature": "kronk.v1."},
                said("I add.", citations=None),
                call("toolu_1", "add", x=1, y="ä"),
                {**call("toolu_2", "get"), "caller": {"type": "direct"}, "toolset_name": None},
            ),
            user(
                result("toolu_1", content="3", **CACHED),
                result("toolu_2", content=[said("no"), IMAGE], is_error=True),
                said("Go on."),
            ),
        ],
        "tools": [TOOL, ADD],
        "tool_choice": {"type": "tool", "name": "add"},
    },
    "form": {
        "output_config": {"effort": "max", "format": {"type": "json_schema", "schema": SCHEMA}},
        "thinking": {"type": "disabled"},
    },
    "image": {"messages": [user(said("What is this?"), {**IMAGE, **CACHED})]},
}


@pytest.mark.parametrize("case", REQUESTS)
def test_a_request_is_golden(case: str) -> None:
    check(f"anthropic/request_{case}.json", job_text(parse(body(**REQUESTS[case])).job))


def test_the_least_request_says_nothing_about_sampling() -> None:
    asked = submit()
    assert asked.sampling == Sampling()
    assert asked.answer == Answer()
    assert (asked.max_tokens, asked.stop) == (100, ())
    assert asked.prompt.enable_thinking is None
    assert not parse(body()).stream


def test_null_is_unset_for_every_optional_field() -> None:
    optional = {*MessagesBody.model_fields, *NEUTRAL, *PARAMETERS} - {
        "model",
        "messages",
        "max_tokens",
    }
    assert parse(body(**dict.fromkeys(optional))) == parse(body())


@pytest.mark.parametrize(
    ("known", "fields"),
    [
        (message_create_params.MessageCreateParamsBase, MessagesBody),
        (beta_create_params.MessageCreateParamsBase, MessagesBody),
        (message_count_tokens_params.MessageCountTokensParams, ConversationBody),
    ],
)
def test_every_field_that_the_client_knows_is_known(known: Any, fields: Any) -> None:
    # `betas` becomes a header.
    assert known.__annotations__.keys() - {"betas"} <= {*fields.model_fields, *NEUTRAL}


@pytest.mark.parametrize(
    "fields",
    [
        {"container": None, "mcp_servers": [], "inference_geo": "global", "speed": "standard"},
        {"fallbacks": [], "context_management": {"edits": []}, "diagnostics": {}},
        {"cache_control": {"type": "ephemeral"}, "workspace_id": "w", "user_profile_id": "p"},
        {"context_management": {}, "output_config": {}, "metadata": {}},
        {"service_tier": "standard_only", "tools": [], "tool_choice": {"type": "auto"}},
    ],
)
def test_fields_that_ask_for_nothing_change_nothing(fields: dict[str, Any]) -> None:
    assert parse(body(**fields)) == parse(body())


def test_our_own_fields_are_taken() -> None:
    job = parse(body(imc_id="me", keep_alive="5m")).job
    assert job.ttl == 300.0
    assert isinstance(job.ask, Submit)
    assert job.ask.prompt.session == "me"
    named = parse(body(), imc_header="you").job.ask
    assert isinstance(named, Submit)
    assert named.prompt.session == "you"


def test_no_tokens_at_all_only_reads_the_prompt() -> None:
    asked = parse(
        body(max_tokens=0, tools=[TOOL], tool_choice={"type": "any"}, imc_id="me", stream=True)
    )
    assert isinstance(asked.job.ask, Submit)
    assert asked.shown == "nothing"
    assert asked.job.ask.max_tokens == 1
    assert asked.job.ask.answer == Answer()
    full = submit(tools=[TOOL], tool_choice={"type": "any"}, imc_id="me")
    assert asked.job.ask.prompt == full.prompt


# The conversation.


@pytest.mark.parametrize(
    ("system", "content"),
    [
        ("Be brief.", "Be brief."),
        ([said("Be"), said("brief.", **CACHED)], "Be\nbrief."),
        ([said(HEADER), said("Be brief.")], "Be brief."),
        ([said(f"{HEADER}\nBe brief.")], "Be brief."),
        (f"{HEADER}\nBe brief.", "Be brief."),
        # Only where it stands at the start of a block.
        (f"Be brief.\n{HEADER}", f"Be brief.\n{HEADER}"),
        (f" {HEADER}\nBe brief.", f" {HEADER}\nBe brief."),
    ],
)
def test_a_system_prompt_is_without_the_billing_header(system: Any, content: str) -> None:
    first, second = seen(*HI, system=system)
    assert first == {"role": "system", "content": content}
    assert second == HI[0]


@pytest.mark.parametrize("system", [None, "", [], [said(HEADER)], HEADER])
def test_a_system_prompt_that_says_nothing_is_none(system: Any) -> None:
    assert seen(*HI, system=system) == HI


def test_the_billing_header_stays_in_what_users_say() -> None:
    assert seen({"role": "user", "content": HEADER})[0]["content"] == HEADER


def test_turns_of_one_role_are_one_message() -> None:
    messages = [
        {"role": "system", "content": "B"},
        {"role": "user", "content": "1"},
        user(said("2"), said("3")),
        assistant(said("4")),
        {"role": "assistant", "content": "5"},
        {"role": "user", "content": "6"},
        {"role": "system", "content": [said("7")]},
        {"role": "user", "content": "8"},
    ]
    assert [(one["role"], one["content"]) for one in seen(*messages, system="A")] == [
        ("system", "A\nB"),
        ("user", "1\n2\n3"),
        ("assistant", "4\n5"),
        ("user", "6"),
        ("system", "7"),
        ("user", "8"),
    ]


def test_results_are_messages_of_their_own_with_the_name_of_the_function() -> None:
    found = seen(
        *HI,
        assistant(call("a", "get"), call("b", "add", x=1)),
        user(result("a", content="1"), result("b"), said("Go on.")),
    )
    assert found[1] == {
        "role": "assistant",
        "content": "",
        "tool_calls": [called("a"), called("b", "add", '{"x": 1}')],
    }
    assert found[2:] == [
        {"role": "tool", "tool_call_id": "a", "name": "get", "content": "1"},
        {"role": "tool", "tool_call_id": "b", "name": "add", "content": ""},
        {"role": "user", "content": "Go on."},
    ]


@pytest.mark.parametrize(
    ("fields", "content"),
    [
        ({}, ""),
        ({"content": None}, ""),
        ({"content": []}, ""),
        ({"content": "x"}, "x"),
        ({"content": "x", "is_error": False}, "x"),
        ({"content": "x", "is_error": True}, "Error:\nx"),
        ({"content": [said("x"), said("y", **CACHED)]}, "x\ny"),
        (
            {
                "content": [
                    {
                        "type": "search_result",
                        "source": "https://a.b",
                        "title": "T",
                        "content": [said("x")],
                        "citations": {"enabled": False},
                    }
                ]
            },
            "T\nhttps://a.b\nx",
        ),
    ],
)
def test_what_a_tool_answered(fields: dict[str, Any], content: str) -> None:
    (answer,) = seen(*HI, assistant(call()), user(result(**fields)))[2:]
    assert answer["content"] == content


def test_thinking_comes_back_to_the_model() -> None:
    found = seen(
        *HI,
        assistant(
            {"type": "thinking", "thinking": "Hm.", "signature": "EqQBCkYIBhgC"},
            {"type": "redacted_thinking", "data": "EmwKAhgB"},
            {"type": "thinking", "thinking": "", "signature": signature("Hidden.")},
            said("Yes?"),
        ),
        *HI,
    )
    assert found[1] == {
        "role": "assistant",
        "content": "Yes?",
        "reasoning_content": "Hm.\nHidden.",
    }


@pytest.mark.parametrize(
    ("edit", "kept"),
    [
        ({}, ["2"]),
        ({"keep": {"type": "thinking_turns", "value": 2}}, ["1", "2"]),
        ({"keep": {"type": "thinking_turns", "value": 9}}, ["0", "1", "2"]),
        ({"keep": "all"}, ["0", "1", "2"]),
        ({"keep": {"type": "all"}}, ["0", "1", "2"]),
    ],
)
def test_old_thinking_is_left_out_as_asked(edit: dict[str, Any], kept: list[str]) -> None:
    turns = [
        turn
        for number in range(3)
        for turn in (*HI, assistant({"type": "thinking", "thinking": str(number)}, said("x")))
    ]
    edits = [{"type": "clear_thinking_20251015", **edit}]
    found = seen(*turns, *HI, context_management={"edits": edits})
    thoughts = [one["reasoning_content"] for one in found if "reasoning_content" in one]
    assert thoughts == kept


def test_documents_that_are_text_are_read() -> None:
    document = {
        "type": "document",
        "source": {"type": "text", "media_type": "text/plain", "data": "Once."},
        "title": "A tale",
        "context": "By nobody.",
        **CACHED,
    }
    made = {"type": "document", "source": {"type": "content", "content": [said("x"), IMAGE]}}
    plain = {"type": "document", "source": {"type": "content", "content": "y"}}
    assert seen(user(document))[0]["content"] == "A tale\nBy nobody.\nOnce."
    assert seen(user(plain))[0]["content"] == "y"
    assert seen(user(made))[0]["content"] == [said("x"), {"type": "image", "media": 0}]


def test_images_are_where_they_stand() -> None:
    second = {"type": "image", "source": {"type": "url", "url": "https://a.b/c.jpg"}}
    ask = submit(
        messages=[
            user(said("One"), IMAGE, said("Two"), second),
            assistant(call()),
            user(result(content=[IMAGE]), said("What?")),
        ]
    )
    assert ask.prompt.messages is not None
    assert ask.prompt.messages[0]["content"] == [
        said("One"),
        {"type": "image", "media": 0},
        said("Two"),
        {"type": "image", "media": 1},
    ]
    assert ask.prompt.messages[2]["content"] == [{"type": "image", "media": 2}]
    params = [media.param for media in ask.prompt.media]
    assert params == [
        "messages[0].content[1].source.data",
        "messages[0].content[3].source.url",
        "messages[2].content[0].content[0].source.data",
    ]
    linked = ask.prompt.media[1]
    assert isinstance(linked, LinkedMedia)
    assert linked.url == "https://a.b/c.jpg"
    assert ask.prompt.media[0].data == PNG


# Tools, thinking, form.


def test_tools_are_the_wires_functions() -> None:
    ask = submit(tools=[TOOL, {**ADD, "strict": True, "input_examples": [{"b": 1}]}])
    assert ask.prompt.tools == (
        {
            "type": "function",
            "function": {"name": "get", "description": "Gets it.", "parameters": SCHEMA},
        },
        {
            "type": "function",
            "function": {
                "name": "add",
                "parameters": {"type": "object", "examples": [{"b": 1}]},
                "strict": True,
            },
        },
    )


def test_schemas_with_any_keywords_are_taken() -> None:
    schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "properties": {"a": {"type": "string", "not": {"const": ""}, "format": "uri"}},
        "patternProperties": {"^x": {}},
        "if": {"required": ["a"]},
        "unheardOf": [1],
    }
    (tool,) = submit(tools=[{"name": "f", "input_schema": schema}]).prompt.tools
    assert tool["function"]["parameters"] == schema


@pytest.mark.parametrize(
    ("choice", "answer"),
    [
        ({"type": "auto"}, Answer()),
        ({"type": "auto", "disable_parallel_tool_use": True}, Answer(parallel_tool_calls=False)),
        ({"type": "any"}, Answer(tool_choice="required")),
        (
            {"type": "any", "disable_parallel_tool_use": True},
            Answer(tool_choice="required", parallel_tool_calls=False),
        ),
        ({"type": "tool", "name": "add"}, Answer(tool_choice="named", tool_name="add")),
        ({"type": "none"}, Answer(tool_choice="none")),
    ],
)
def test_a_choice_among_tools(choice: dict[str, Any], answer: Answer) -> None:
    asked = parse(body(tools=[TOOL, ADD], tool_choice=choice))
    assert isinstance(asked.job.ask, Submit)
    assert asked.job.ask.answer == answer
    assert len(asked.job.ask.prompt.tools) == (0 if choice["type"] == "none" else 2)
    assert asked.calls_are_certain == (choice["type"] in ("any", "tool"))


@pytest.mark.parametrize(
    ("thinking", "wanted", "budget", "shown"),
    [
        ({"type": "enabled", "budget_tokens": 99}, True, 99, "everything"),
        ({"type": "enabled", "budget_tokens": 1, "display": "omitted"}, True, 1, "no thinking"),
        ({"type": "adaptive"}, True, None, "everything"),
        ({"type": "adaptive", "display": "summarized"}, True, None, "everything"),
        ({"type": "adaptive", "display": "omitted"}, True, None, "no thinking"),
        ({"type": "adaptive", "budget_tokens": 0}, True, None, "everything"),
        ({"type": "disabled"}, False, None, "everything"),
        ({"type": "disabled", "budget_tokens": 0}, False, None, "everything"),
        ({"type": "between_tools"}, False, None, "everything"),
    ],
)
def test_thinking_is_as_asked_for(
    thinking: Any, wanted: bool, budget: int | None, shown: str
) -> None:
    asked = parse(body(thinking=thinking))
    assert isinstance(asked.job.ask, Submit)
    assert asked.job.ask.prompt.enable_thinking is wanted
    assert asked.job.ask.answer.thinking_budget == budget
    assert asked.shown == shown


def test_a_budget_between_calls_may_be_more_than_an_answer_has() -> None:
    asked = body(thinking={"type": "enabled", "budget_tokens": 100})
    assert refusal(asked).param == "thinking.budget_tokens"
    job = parse(asked, betas="claude-code-20250219,interleaved-thinking-2025-05-14").job
    assert isinstance(job.ask, Submit)
    assert job.ask.answer.thinking_budget == 100


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        (
            {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
            "output_config.format.schema",
        ),
        ({"output_format": {"type": "json_schema", "schema": SCHEMA}}, "output_format.schema"),
        (
            {"output_config": {}, "output_format": {"type": "json_schema", "schema": SCHEMA}},
            "output_format.schema",
        ),
    ],
)
def test_an_answer_may_have_a_form(fields: dict[str, Any], param: str) -> None:
    made = Constraint("json_schema", json.dumps(SCHEMA), param)
    assert submit(**fields).answer.constraint == made
    # It is ended early where it would not be whole.
    assert parse(body(**fields)).limit is None
    assert parse(body()).limit == 100


@pytest.mark.parametrize("effort", ["low", "medium", "high", "xhigh", "max"])
def test_effort_is_the_templates_affair(effort: str) -> None:
    prompt = submit(output_config={"effort": effort}).prompt
    assert (prompt.reasoning_effort, prompt.enable_thinking) == (effort, None)


# The count.


@pytest.mark.parametrize("case", REQUESTS)
def test_a_count_is_of_the_same_prompt(case: str) -> None:
    fields = {
        key: value
        for key, value in {"model": "m", "messages": HI, **REQUESTS[case]}.items()
        if key in ConversationBody.model_fields
    }
    job = parse_count(json.dumps(fields).encode())
    assert isinstance(job.ask, Inspect)
    assert job.ask.prompt == submit(**REQUESTS[case]).prompt
    assert job.ask.wants == ()


@pytest.mark.parametrize("field", ["max_tokens", "stream", "temperature", "stop_sequences"])
def test_a_count_takes_nothing_that_is_about_the_answer(field: str) -> None:
    raw = json.dumps({"model": "m", "messages": HI, field: 1}).encode()
    assert refusal(raw, parse_count).param == field


# What is refused.

SHARED = set(ConversationBody.model_fields)
AT = "messages[0].content[0]"
BAD: list[tuple[dict[str, Any], str]] = [
    ({"messages": []}, "messages"),
    ({"messages": None}, "messages"),
    ({"messages": "hi"}, "messages"),
    ({"messages": [1]}, "messages[0]"),
    ({"messages": [{"role": "user"}]}, "messages[0].content"),
    ({"messages": [{"content": "x"}]}, "messages[0].role"),
    ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role"),
    ({"messages": [{"role": [], "content": "x"}]}, "messages[0].role"),
    ({"messages": [{"role": "user", "content": "x", "name": "n"}]}, "messages[0].name"),
    ({"messages": [{"role": "user", "content": None}]}, "messages[0].content"),
    ({"messages": [{"role": "user", "content": []}]}, "messages[0].content"),
    ({"messages": [{"role": "system", "content": None}]}, "messages[0].content"),
    ({"messages": [user("x")]}, AT),
    ({"messages": [user({"text": "x"})]}, f"{AT}.type"),
    ({"messages": [user({"type": 1})]}, f"{AT}.type"),
    ({"messages": [user({"type": "thinking", "thinking": "x"})]}, f"{AT}.type"),
    ({"messages": [user(call())]}, f"{AT}.type"),
    ({"messages": [user({"type": "server_tool_use"})]}, f"{AT}.type"),
    ({"messages": [user({"type": "container_upload", "file_id": "f"})]}, f"{AT}.type"),
    ({"messages": [user({"type": "text"})]}, f"{AT}.text"),
    ({"messages": [user({"type": "text", "text": 1})]}, f"{AT}.text"),
    ({"messages": [user(said("x", extra=1))]}, f"{AT}.extra"),
    ({"messages": [user(said("x", cache_control="yes"))]}, f"{AT}.cache_control"),
    ({"messages": [user({"type": "image"})]}, f"{AT}.source"),
    ({"messages": [user({"type": "image", "source": {}})]}, f"{AT}.source.type"),
    ({"messages": [user({**IMAGE, "transformations": {"a": 1}})]}, f"{AT}.transformations"),
    (
        {"messages": [user({"type": "image", "source": {"type": "file", "file_id": "f"}})]},
        f"{AT}.source.type",
    ),
    (
        {"messages": [user({"type": "image", "source": {"type": "base64", "data": "!"}})]},
        f"{AT}.source.media_type",
    ),
    (
        {
            "messages": [
                user(
                    {
                        "type": "image",
                        "source": {"type": "base64", "media_type": "image/png", "data": text(WAV)},
                    }
                )
            ]
        },
        f"{AT}.source.data",
    ),
    (
        {"messages": [user({"type": "image", "source": {"type": "url", "url": "ftp://a"}})]},
        f"{AT}.source.url",
    ),
    (
        {
            "messages": [
                user(
                    {
                        "type": "document",
                        "source": {
                            "type": "base64",
                            "media_type": "application/pdf",
                            "data": text(JPEG),
                        },
                    }
                )
            ]
        },
        f"{AT}.source.type",
    ),
    (
        {
            "messages": [
                user(
                    {
                        "type": "document",
                        "source": {"type": "text", "data": "x"},
                        "citations": {"enabled": True},
                    }
                )
            ]
        },
        f"{AT}.citations.enabled",
    ),
    ({"messages": [*HI, assistant(IMAGE), *HI]}, "messages[1].content[0].type"),
    ({"messages": [*HI, assistant(result()), *HI]}, "messages[1].content[0].type"),
    (
        {"messages": [*HI, assistant({"type": "thinking", "thinking": 1}), *HI]},
        "messages[1].content[0].thinking",
    ),
    (
        {"messages": [*HI, assistant({"type": "redacted_thinking"}), *HI]},
        "messages[1].content[0].data",
    ),
    (
        {"messages": [*HI, assistant({**call(), "input": "{}"}), user(result())]},
        "messages[1].content[0].input",
    ),
    (
        {"messages": [*HI, assistant({**call(), "input": {"a": 2**70}}), user(result())]},
        "messages[1].content[0].input.a",
    ),
    (
        {"messages": [*HI, assistant({**call(), "toolset_name": "browser"}), user(result())]},
        "messages[1].content[0].toolset_name",
    ),
    ({"messages": [*HI, assistant(call(), call()), *HI]}, "messages[1].content[1].id"),
    ({"messages": [user(result("nobody"))]}, f"{AT}.tool_use_id"),
    ({"messages": [user({"type": "tool_result"})]}, f"{AT}.tool_use_id"),
    ({"messages": [*HI, assistant(call()), *HI]}, "messages[1]"),
    ({"messages": [*HI, assistant(call()), *HI, assistant(said("x")), *HI]}, "messages[1]"),
    (
        {"messages": [*HI, assistant(call()), user(result(), result())]},
        "messages[2].content[1].tool_use_id",
    ),
    (
        {"messages": [*HI, assistant(call()), user(result(is_error="yes"))]},
        "messages[2].content[0].is_error",
    ),
    (
        {"messages": [*HI, assistant(call()), user(result(content=1))]},
        "messages[2].content[0].content",
    ),
    (
        {"messages": [*HI, assistant(call()), user(result(content=[result()]))]},
        "messages[2].content[0].content[0].type",
    ),
    ({"system": 1}, "system"),
    ({"system": [IMAGE]}, "system[0].type"),
    ({"system": [said("x"), {"type": "text"}]}, "system[1].text"),
    ({"model": None}, "model"),
    ({"model": ""}, "model"),
    ({"max_tokens": None}, "max_tokens"),
    ({"max_tokens": -1}, "max_tokens"),
    ({"max_tokens": 1.5}, "max_tokens"),
    ({"max_tokens": "5"}, "max_tokens"),
    ({"temperature": 3}, "temperature"),
    ({"temperature": "hot"}, "temperature"),
    ({"top_p": 1.5}, "top_p"),
    ({"top_k": -1}, "top_k"),
    ({"stop_sequences": "x"}, "stop_sequences"),
    ({"stop_sequences": [""]}, "stop_sequences[0]"),
    ({"stop_sequences": [1]}, "stop_sequences[0]"),
    ({"stop_sequences": ["x"] * 17}, "stop_sequences"),
    ({"stream": "yes"}, "stream"),
    ({"metadata": {"name": "x"}}, "metadata.name"),
    ({"metadata": {"user_id": 1}}, "metadata.user_id"),
    ({"service_tier": "priority"}, "service_tier"),
    ({"container": "c"}, "container"),
    ({"mcp_servers": [{"type": "url", "url": "x", "name": "y"}]}, "mcp_servers"),
    ({"speed": "fast"}, "speed"),
    ({"inference_geo": "us"}, "inference_geo"),
    ({"stop": ["x"]}, "stop"),
    ({"n": 2}, "n"),
    ({"tools": {}}, "tools"),
    ({"tools": [1]}, "tools[0]"),
    ({"tools": [{"input_schema": SCHEMA}]}, "tools[0].name"),
    ({"tools": [{**TOOL, "name": "a b"}]}, "tools[0].name"),
    ({"tools": [{**TOOL, "name": "a" * 129}]}, "tools[0].name"),
    ({"tools": [TOOL, TOOL]}, "tools[1].name"),
    ({"tools": [{"name": "x"}]}, "tools[0].input_schema"),
    ({"tools": [{"name": "x", "input_schema": {}}]}, "tools[0].input_schema.type"),
    ({"tools": [{"name": "x", "input_schema": {"type": "string"}}]}, "tools[0].input_schema.type"),
    ({"tools": [{**TOOL, "description": 1}]}, "tools[0].description"),
    ({"tools": [{**TOOL, "extra": 1}]}, "tools[0].extra"),
    ({"tools": [{**TOOL, "strict": 1}]}, "tools[0].strict"),
    ({"tools": [{**TOOL, "defer_loading": True}]}, "tools[0].defer_loading"),
    ({"tools": [{**TOOL, "allowed_callers": ["x"]}]}, "tools[0].allowed_callers"),
    ({"tools": [{**TOOL, "input_examples": ["x"]}]}, "tools[0].input_examples[0]"),
    ({"tools": [{**TOOL, "cache_control": 1}]}, "tools[0].cache_control"),
    ({"tools": [{**ADD, "name": f"t{n}"} for n in range(MOST_TOOLS + 1)]}, "tools"),
    ({"tools": [TOOL], "tool_choice": "auto"}, "tool_choice"),
    ({"tools": [TOOL], "tool_choice": {}}, "tool_choice.type"),
    ({"tools": [TOOL], "tool_choice": {"type": "required"}}, "tool_choice.type"),
    ({"tools": [TOOL], "tool_choice": {"type": "tool"}}, "tool_choice.name"),
    ({"tools": [TOOL], "tool_choice": {"type": "tool", "name": "x"}}, "tool_choice.name"),
    ({"tools": [TOOL], "tool_choice": {"type": "auto", "name": "get"}}, "tool_choice.name"),
    ({"tool_choice": {"type": "any"}}, "tool_choice"),
    (
        {"tools": [TOOL], "tool_choice": {"type": "any", "disable_parallel_tool_use": 1}},
        "tool_choice.disable_parallel_tool_use",
    ),
    ({"thinking": True}, "thinking"),
    ({"thinking": {}}, "thinking.type"),
    ({"thinking": {"type": "enabled"}}, "thinking.budget_tokens"),
    ({"thinking": {"type": "enabled", "budget_tokens": 0}}, "thinking.budget_tokens"),
    ({"thinking": {"type": "enabled", "budget_tokens": True}}, "thinking.budget_tokens"),
    ({"thinking": {"type": "adaptive", "display": []}}, "thinking.display"),
    ({"thinking": {"type": "disabled", "budget_tokens": 9}}, "thinking.budget_tokens"),
    ({"output_config": {"effort": "most"}}, "output_config.effort"),
    ({"output_config": {"effort": []}}, "output_config.effort"),
    ({"output_config": {"task_budget": {"type": "tokens"}}}, "output_config.task_budget"),
    ({"output_config": {"format": {"type": "json"}}}, "output_config.format.type"),
    ({"output_config": {"format": {"type": "json_schema"}}}, "output_config.format.schema"),
    ({"output_format": {"type": "json_schema", "schema": []}}, "output_format.schema"),
    (
        {
            "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}},
            "output_format": {"type": "json_schema", "schema": SCHEMA},
        },
        "output_format",
    ),
    (
        {
            "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}},
            "tools": [TOOL],
            "tool_choice": {"type": "any"},
        },
        "output_config",
    ),
    ({"context_management": {"edits": 1}}, "context_management.edits"),
    ({"context_management": {"edits": [1]}}, "context_management.edits[0]"),
    (
        {"context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]}},
        "context_management.edits[0].type",
    ),
    (
        {"context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": 0}]}},
        "context_management.edits[0].keep",
    ),
    ({"imc_id": ""}, "imc_id"),
]


@pytest.mark.parametrize(("fields", "param"), BAD)
def test_what_is_not_acceptable_is_refused_by_name(fields: dict[str, Any], param: str) -> None:
    assert refusal(body(**fields)).param == param


@pytest.mark.parametrize(("fields", "param"), [case for case in BAD if case[0].keys() <= SHARED])
def test_a_count_refuses_the_same(fields: dict[str, Any], param: str) -> None:
    raw = json.dumps({"model": "m", "messages": HI, **fields}).encode()
    assert refusal(raw, parse_count).param == param


@pytest.mark.parametrize(
    "kind",
    [
        "bash_20250124",
        "text_editor_20250728",
        "computer_20250124",
        "web_search_20250305",
        "web_fetch_20250910",
        "code_execution_20250825",
        "memory_20250818",
        "tool_search_tool_regex_20251119",
        "mcp_toolset",
    ],
)
def test_tools_that_anthropic_defines_are_refused(kind: str) -> None:
    error = refusal(body(tools=[TOOL, {"type": kind, "name": "x"}]))
    assert error.param == "tools[1].type"
    assert kind in error.message


@pytest.mark.parametrize("raw", [b"", b"[]", b"{", b'{"a": NaN}', b'{"model": "\\ud800"}'])
def test_what_is_no_request_is_refused(raw: bytes) -> None:
    assert refusal(raw).status == 400


def test_a_message_names_the_field_as_anthropic_does() -> None:
    error = refusal(body(messages=[user(said("x"), {"type": "image", "source": 1})]))
    found = envelope(error, "/v1/messages", "req-1")
    assert found["error"]["param"] == "messages[0].content[1].source"
    assert "'messages.0.content.1.source'" in found["error"]["message"]
    assert found["request_id"] == "req-1"


def test_a_schema_that_the_worker_refuses_has_anthropics_name() -> None:
    where = "tools[1].function.parameters"
    error = InvalidArgument(f"'{where}.properties.a': unsupported keyword 'not'", param=where)
    found = envelope(error, "/v1/messages")["error"]
    assert found["param"] == "tools[1].input_schema"
    assert found["message"] == "'tools.1.input_schema.properties.a': unsupported keyword 'not'"
    assert envelope(error, "/v1/chat/completions")["error"]["param"] == where


def test_the_client_is_told_that_there_are_no_threads() -> None:
    # Its tool runner then sends whole conversations.
    error = refusal(body(thread={"type": "create"}))
    details = envelope(error, "/v1/messages")["error"]["details"]
    assert details == {"error_code": "thread_unsupported_request"}
    assert "details" not in envelope(refusal(body(n=1)), "/v1/messages")["error"]


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (too_long(8192, "20000", "messages"), "prompt is too long: 20000 tokens > 8192 maximum"),
        (too_long(8192, "at least 9", "messages"), "prompt is too long: 9 tokens > 8192 maximum"),
        (ContextLengthExceeded("No room."), "prompt is too long: No room."),
    ],
)
def test_a_prompt_that_is_too_long_is_so_in_anthropics_words(error: Any, message: str) -> None:
    found = envelope(error, "/v1/messages")["error"]
    assert found["message"] == message
    assert (found["type"], found["code"]) == ("invalid_request_error", error.code)


# Whatever is sent.

WORDS = st.sampled_from(
    [
        *("text", "image", "tool_use", "tool_result", "thinking", "redacted_thinking", "document"),
        *("user", "assistant", "system", "custom", "base64", "url", "content", "search_result"),
        *("auto", "any", "tool", "none", "enabled", "adaptive", "json_schema", "object", "get"),
    ]
)
KEYS = st.sampled_from(
    [
        *("type", "text", "role", "content", "source", "data", "media_type", "url", "title"),
        *("id", "name", "input", "tool_use_id", "is_error", "thinking", "signature", "schema"),
        *("input_schema", "description", "budget_tokens", "format", "edits", "keep", "value"),
        *("cache_control", "citations", "enabled", "strict", "effort", "display", "context"),
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(
    st.dictionaries(st.sampled_from(sorted({*MessagesBody.model_fields, *NEUTRAL})), JSON),
    st.sampled_from([parse, parse_count]),
)
def test_anything_is_a_job_or_refused(fields: dict[str, Any], read: Callable[[bytes], Any]) -> None:
    raw = json.dumps({"model": "m", "messages": HI, **fields}).encode()
    try:
        read(raw)
    except InvalidArgument as error:
        assert envelope(error, "/v1/messages")["error"]["message"]


@given(st.lists(JSON, min_size=1, max_size=4), st.sampled_from(["user", "assistant", "system"]))
def test_any_content_can_be_carried_or_is_refused(blocks: list[Any], role: str) -> None:
    messages = [{"role": role, "content": blocks}, *HI]
    try:
        job = parse(body(messages=messages)).job
    except InvalidArgument as error:
        assert error.param is not None
        assert error.param.startswith("messages")
    else:
        encode(1, job.message(1, "x"))
