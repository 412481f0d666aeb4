"""Bodies of Responses requests: what is taken, what is refused, and which field a refusal names."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from openai.types.responses import ResponseItem
from pydantic import TypeAdapter

from harness import golden
from kronk.gateway.dialects.responses.ids import birth, keeper, response_name
from kronk.gateway.dialects.responses.request import (
    NEUTRAL,
    ResponseBody,
    ResponseRequest,
    parse,
    schema,
)
from kronk.gateway.dialects.responses.stored import Stored
from kronk.gateway.dialects.responses.thoughts import sealed
from kronk.shared.errors import InvalidArgument, KronkError, NotFound
from kronk.shared.sampling_params import PARAMETERS
from kronk.shared.wire.codec import encode
from kronk.shared.wire.to_worker import Submit
from kronk.shared.wire.values import Answer, Constraint

NOW = 0x6553F100
NAME = response_name(NOW, b"\xab" * 20)
EARLIER = response_name(NOW - 60, b"\xcd" * 20)
VALIDATOR = jsonschema.Draft202012Validator(schema())
ITEM: TypeAdapter[Any] = TypeAdapter(ResponseItem)
PNG = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"


def body(**fields: Any) -> bytes:
    return json.dumps({"model": "m", "input": "hi", **fields}).encode()


def said(*items: Any, **fields: Any) -> bytes:
    return body(input=list(items), **fields)


def nothing(name: str) -> None:
    return None


def asked(raw: bytes, *stored: Stored) -> ResponseRequest:
    found = {one.response["id"]: one for one in stored}
    return parse(raw, NAME, NOW, found.get)


def submit(raw: bytes, *stored: Stored) -> Submit:
    ask = asked(raw, *stored).job.message(1, "x")
    assert isinstance(ask, Submit)
    assert encode(1, [ask])
    return ask


def messages(raw: bytes, *stored: Stored) -> list[Any]:
    found = submit(raw, *stored).prompt.messages
    assert found is not None
    return list(found)


def refusal(raw: bytes, *stored: Stored) -> KronkError:
    with pytest.raises(KronkError) as caught:
        asked(raw, *stored)
    return caught.value


def user(text: Any, **more: Any) -> dict[str, Any]:
    return {"role": "user", "content": text, **more}


def call(call_id: str = "c1", name: str = "f", arguments: str = '{"a": 1}', **more: Any) -> Any:
    item = {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments}
    return item | more


def output(call_id: str = "c1", text: Any = "sunny", **more: Any) -> Any:
    return {"type": "function_call_output", "call_id": call_id, "output": text, **more}


def thought(*texts: str, **more: Any) -> Any:
    content = [{"type": "reasoning_text", "text": text} for text in texts]
    return {"type": "reasoning", "id": "rs_1", "summary": [], "content": content, **more}


def answer(text: str, **more: Any) -> Any:
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    return {"type": "message", "role": "assistant", "content": [part], **more}


def tool(name: str = "f", **more: Any) -> Any:
    return {"type": "function", "name": name, **more}


def kept(raw: bytes, *items: Any, before: Stored | None = None) -> Stored:
    """A stored response to the request in `raw` that was answered with these items."""
    request = parse(raw, EARLIER, NOW - 60, {EARLIER: before}.get if before else nothing)
    assert request.kept is not None
    named = [{"id": f"out_{at}", "status": "completed", **item} for at, item in enumerate(items)]
    return Stored(request.born | {"output": named}, request.kept.items, request.kept.size)


# Names.


def test_a_name_tells_when_a_response_was_born_and_an_item_where_it_is_kept() -> None:
    assert birth(NAME) == NOW
    for item in asked(said(user("a"), call(), output(), thought("x", id=None))).kept.items:  # type: ignore[union-attr]
        assert keeper(item["id"]) == NAME
    for other in ("", "resp_", "resp_xyz", NAME + "0", "chatcmpl-1", NAME.upper(), "../" + NAME):
        assert birth(other) is None
    for other in ("msg_1", "rs_" + "z" * 52, NAME):
        assert keeper(other) is None


# The least, and nothing.


def test_the_least_request_says_nothing() -> None:
    least = submit(body())
    assert least.prompt.messages == ({"role": "user", "content": "hi"},)
    assert least.answer == Answer(limit_param="max_output_tokens")
    assert least.max_tokens is None
    assert not asked(body()).stream


def test_null_is_unset_for_every_optional_field() -> None:
    optional = {*ResponseBody.model_fields, *NEUTRAL, *PARAMETERS} - {"model", "input"}
    nulls = dict.fromkeys(optional)
    assert submit(body(**nulls)) == submit(body())
    assert asked(body(**nulls)).born == asked(body()).born


def test_what_changes_nothing_is_taken() -> None:
    for name, values in NEUTRAL.items():
        for value in values:
            assert submit(body(**{name: value})) == submit(body())


FULL: list[tuple[dict[str, Any], str, Any]] = [
    ({"max_output_tokens": 7}, "max_tokens", 7),
    ({"temperature": 0, "seed": 3}, "sampling.seed", 3),
    ({"top_k": 5}, "sampling.top_k", 5),
    ({"stop": ["x"]}, "stop", ("x",)),
    ({"top_logprobs": 3}, "answer.logprobs", 3),
    ({"include": ["message.output_text.logprobs"]}, "answer.logprobs", 0),
    ({"include": ["reasoning.encrypted_content"]}, "answer.logprobs", None),
    ({"parallel_tool_calls": False}, "answer.parallel_tool_calls", False),
    ({"thinking_budget": 0}, "answer.thinking_budget", 0),
    ({"reasoning": {"effort": "high"}}, "prompt.reasoning_effort", "high"),
    ({"reasoning": {"effort": "low", "summary": "auto"}}, "prompt.enable_thinking", None),
    ({"reasoning": {"effort": "none"}}, "prompt.enable_thinking", False),
    ({"enable_thinking": False}, "prompt.enable_thinking", False),
    ({"chat_template_kwargs": {"a": 1}}, "prompt.template_kwargs", {"a": 1}),
    ({"imc_id": "ann"}, "prompt.session", "ann"),
    ({"text": {"format": {"type": "text"}, "verbosity": "medium"}}, "answer.constraint", None),
    (
        {"text": {"format": {"type": "json_object"}}},
        "answer.constraint",
        Constraint("json_object", "", "text.format"),
    ),
    (
        {"text": {"format": {"type": "json_schema", "name": "n", "schema": {"a": 1}}}},
        "answer.constraint",
        Constraint("json_schema", '{"a": 1}', "text.format.schema"),
    ),
    ({"regex": "a+"}, "answer.constraint", Constraint("regex", "a+", "regex")),
    ({"tools": [tool()], "tool_choice": "required"}, "answer.tool_choice", "required"),
    ({"tools": [tool()], "tool_choice": tool()}, "answer.tool_name", "f"),
    (
        {"tools": [tool(description="d", parameters={"type": "object"}, strict=True)]},
        "prompt.tools",
        (
            {
                "type": "function",
                "function": {
                    "name": "f",
                    "description": "d",
                    "parameters": {"type": "object"},
                    "strict": True,
                },
            },
        ),
    ),
    (
        {"tools": [tool(), tool("g")]},
        "prompt.tool_params",
        ("tools[0].parameters", "tools[1].parameters"),
    ),
    (
        {
            "tools": [tool(), tool("g")],
            "tool_choice": {"type": "allowed_tools", "mode": "required", "tools": [tool("g")]},
        },
        "prompt.tool_params",
        ("tools[1].parameters",),
    ),
]


@pytest.mark.parametrize(("fields", "where", "value"), FULL)
def test_a_field_reaches_the_worker(fields: dict[str, Any], where: str, value: Any) -> None:
    found: Any = submit(body(**fields))
    for step in where.split("."):
        found = getattr(found, step)
    assert found == value


def test_a_model_may_be_told_how_long_to_stay() -> None:
    assert asked(body(ttl="5m")).job.ttl == 300


# Items.

SYSTEM = {"role": "system", "content": "S"}
ITEMS: list[tuple[list[Any], list[Any]]] = [
    ([user("a")], [user("a")]),
    ([user([{"type": "input_text", "text": "a"}])], [user("a")]),
    (
        [user([{"type": "input_text", "text": "a"}, {"type": "input_text", "text": "b"}])],
        [user("a\nb")],
    ),
    ([{"type": "message", **user("a")}], [user("a")]),
    ([{"role": "developer", "content": "S"}, user("a")], [SYSTEM, user("a")]),
    # Many templates take one system message, and only as the first.
    (
        [SYSTEM, {"role": "developer", "content": "T"}, user("a")],
        [{**SYSTEM, "content": "S\n\nT"}, user("a")],
    ),
    ([user("a"), SYSTEM], [user("a"), SYSTEM]),
    (
        [user("a"), {"role": "assistant", "content": "b"}, user("c")],
        [user("a"), {"role": "assistant", "content": "b"}, user("c")],
    ),
    (
        [user("a"), answer("b"), user("c")],
        [user("a"), {"role": "assistant", "content": "b"}, user("c")],
    ),
    (
        [user("a"), {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]}],
        [user("a"), {"role": "assistant", "content": "no"}],
    ),
    # Two messages are two, one answer's items are one.
    (
        [answer("a"), answer("b")],
        [{"role": "assistant", "content": "a"}, {"role": "assistant", "content": "b"}],
    ),
    (
        [user("q"), thought("hm", "m"), answer("b"), call(), call("c2"), output("c2"), output()],
        [
            user("q"),
            {
                "role": "assistant",
                "content": "b",
                "reasoning_content": "hmm",
                "tool_calls": [
                    {
                        "type": "function",
                        "function": {"name": "f", "arguments": '{"a": 1}'},
                        "id": one,
                    }
                    for one in ("c1", "c2")
                ],
            },
            {"role": "tool", "content": "sunny", "tool_call_id": "c2", "name": "f"},
            {"role": "tool", "content": "sunny", "tool_call_id": "c1", "name": "f"},
        ],
    ),
    (
        [user("q"), thought("x"), thought("y", id="rs_2"), user("r")],
        [
            user("q"),
            {"role": "assistant", "content": "", "reasoning_content": "xy"},
            user("r"),
        ],
    ),
    (
        [thought("x"), answer("a"), thought("y", id="rs_2"), answer("b")],
        [
            {"role": "assistant", "content": "a", "reasoning_content": "x"},
            {"role": "assistant", "content": "b", "reasoning_content": "y"},
        ],
    ),
    (
        [{"type": "reasoning", "id": "r", "summary": [], "encrypted_content": sealed("hm ü")}],
        [{"role": "assistant", "content": "", "reasoning_content": "hm ü"}],
    ),
    (
        [{"type": "reasoning", "id": "r", "summary": [{"type": "summary_text", "text": "s"}]}],
        [{"role": "assistant", "content": "", "reasoning_content": "s"}],
    ),
    # The empty arguments of a function without parameters.
    (
        [call(arguments=""), output(text=[{"type": "input_text", "text": "x"}])],
        [
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [
                    {"type": "function", "function": {"name": "f", "arguments": "{}"}, "id": "c1"}
                ],
            },
            {"role": "tool", "content": "x", "tool_call_id": "c1", "name": "f"},
        ],
    ),
    # A call that was never completed is none.
    ([user("a"), call(arguments='{"a', status="incomplete")], [user("a")]),
]


@pytest.mark.parametrize(("items", "expected"), ITEMS)
def test_items_become_messages(items: list[Any], expected: list[Any]) -> None:
    assert messages(said(*items)) == expected


@pytest.mark.parametrize(("items", "expected"), ITEMS)
def test_items_are_kept_as_the_official_clients_types(items: list[Any], expected: Any) -> None:
    found = asked(said(*items)).kept
    assert found is not None
    for item in found.items:
        ITEM.validate_python(item)
    # And may be sent again as they were listed.
    assert messages(said(*found.items)) == expected


def test_members_that_are_null_say_nothing() -> None:
    item = answer("b", id=None, status=None, phase=None)
    assert messages(said(user("a"), item)) == messages(said(user("a"), answer("b")))


def test_instructions_come_first() -> None:
    assert messages(body(instructions="I")) == [{"role": "system", "content": "I"}, user("hi")]
    both = messages(said({"role": "developer", "content": "D"}, user("a"), instructions="I"))
    assert both == [{"role": "system", "content": "I\n\nD"}, user("a")]
    assert messages(body(instructions="")) == [user("hi")]


def test_images_are_shown_and_kept() -> None:
    image = {"type": "input_image", "image_url": PNG, "detail": "low"}
    raw = said(user([{"type": "input_text", "text": "What?"}, image]))
    prompt = submit(raw).prompt
    assert prompt.messages == (
        user([{"type": "text", "text": "What?"}, {"type": "image", "media": 0}]),
    )
    assert prompt.media[0].param == "input[0].content[1].image_url"
    stored = kept(raw, answer("a dot"))
    chained = submit(body(previous_response_id=EARLIER), stored).prompt
    assert chained.media[0].data == prompt.media[0].data
    assert chained.media[0].param == "previous_response_id"


def test_a_function_may_return_an_image() -> None:
    image = {"type": "input_image", "image_url": PNG, "detail": "auto"}
    prompt = submit(said(call(), output(text=[image]))).prompt
    assert prompt.messages is not None
    assert prompt.messages[-1]["content"] == [{"type": "image", "media": 0}]


# What is continued.


def test_a_response_is_continued_with_all_that_was_said_but_for_instructions() -> None:
    first = kept(body(input="one", instructions="I"), thought("hm", id="rs_9"), answer("two"))
    raw = body(input="three", previous_response_id=EARLIER, instructions="J")
    assert messages(raw, first) == [
        {"role": "system", "content": "J"},
        user("one"),
        {"role": "assistant", "content": "two", "reasoning_content": "hm"},
        user("three"),
    ]
    request = asked(raw, first)
    assert request.kept is not None
    assert [item["type"] for item in request.kept.items] == [
        "message",
        "reasoning",
        "message",
        "message",
    ]
    assert request.born["previous_response_id"] == EARLIER


def test_a_calls_output_is_enough_of_an_input() -> None:
    first = kept(body(tools=[tool()]), call("c7"))
    found = messages(body(input=[output("c7")], previous_response_id=EARLIER), first)
    assert [message["role"] for message in found] == ["user", "assistant", "tool"]


def test_a_response_may_be_continued_without_an_input() -> None:
    first = kept(body(input="one"), answer("two"))
    raw = json.dumps({"model": "m", "previous_response_id": EARLIER}).encode()
    assert messages(raw, first) == messages(said(user("one"), answer("two")))


@pytest.mark.parametrize("form", [{"type": "item_reference"}, {}, {"type": None}])
def test_an_item_can_be_named_instead_of_sent(form: dict[str, Any]) -> None:
    request = parse(body(input="one"), EARLIER, NOW, nothing)
    name = request.names.new("message")
    first = kept(body(input="one"), answer("two", id=name))
    raw = said({"id": first.items[0]["id"], **form}, {"id": name, **form}, user("three"))
    assert messages(raw, first) == messages(said(user("one"), answer("two"), user("three")))


def test_the_newest_record_has_the_items_of_all_before() -> None:
    """A client that names every item has a request of one read, not of as many as there were
    turns."""
    reads: list[str] = []
    records: dict[str, Stored] = {}

    def find(name: str) -> Stored | None:
        reads.append(name)
        return records.get(name)

    sent: list[Any] = []
    for turn in range(40):
        reads.clear()
        name = response_name(NOW, turn.to_bytes(20))
        sent.append(user(f"q{turn}"))
        request = parse(said(*sent), name, NOW, find)
        assert request.kept is not None
        output = {**answer("a"), "id": request.names.new("message"), "status": "completed"}
        records[name] = Stored(request.born | {"output": [output]}, request.kept.items, 1)
        assert len(reads) == min(turn, 1)
        sent.append({"type": "item_reference", "id": output["id"]})
    assert len(request.kept.items) == 79
    assert request.kept.size > 79 * 50


def test_references_lead_to_a_bounded_number_of_records() -> None:
    names = [f"msg_{response_name(NOW, at.to_bytes(20))[5:]}0000" for at in range(33)]
    assert refusal(said(*({"id": name} for name in names))).param == "input"
    assert isinstance(refusal(said(*({"id": name} for name in names[1:]))), NotFound)


def test_nothing_is_kept_of_what_is_not_to_be_stored() -> None:
    assert asked(body(store=False)).kept is None
    assert asked(body(store=False)).born["store"] is False
    assert asked(body(store=True)).kept is not None


# Refusals.

REFUSED: list[tuple[bytes, str | None, str]] = [
    (b"{", None, "not valid JSON"),
    (json.dumps({"input": "x"}).encode(), "model", "missing model"),
    (json.dumps({"model": "m"}).encode(), "input", "at least one item"),
    (body(input=[]), "input", "at least one item"),
    (body(input=5), "input", "a string or an array of items, got 5"),
    (body(input={}), "input", "an object"),
    (said(5), "input[0]", "an object, got 5"),
    (said({}), "input[0].type", "a string, got null"),
    (said({"type": 5}), "input[0].type", "a string"),
    (said({"type": "web_search_call", "id": "x"}), "input[0].type", "'web_search_call'"),
    (said({"type": "custom_tool_call"}), "input[0].type", "not supported"),
    (said(user("a"), {"role": "tool", "content": "x"}), "input[1].role", "'tool'"),
    (said(user("a"), {"role": [], "content": "x"}), "input[1].role", "a string"),
    (said({"type": "message", "content": "x"}), "input[0].role", "a string, got null"),
    (said(user(5)), "input[0].content", "a string or an array of content parts"),
    (said({"role": "user"}), "input[0].content", "got null"),
    (said(user("a", x=1)), "input[0].x", "Unrecognized"),
    (said(user("a", id="")), "input[0].id", "1 to 256"),
    (said(user("a", id=5)), "input[0].id", "a string"),
    (said(user("a", status="done")), "input[0].status", "completed"),
    (said(answer("a", phase="x")), "input[0].phase", "final_answer"),
    (said(user([5])), "input[0].content[0]", "an object"),
    (said(user([{}])), "input[0].content[0].type", "a string"),
    (said(user([{"type": "text", "text": "x"}])), "input[0].content[0].type", "'text'"),
    (said(user([{"type": "input_text"}])), "input[0].content[0].text", "a string"),
    (said(user([{"type": "input_text", "text": "x", "y": 1}])), "input[0].content[0].y", "Unrec"),
    (said(user([{"type": "output_text", "text": "x"}])), "input[0].content[0].type", "input_image"),
    (said(user([{"type": "input_file", "file_id": "f"}])), "input[0].content[0].type", "files"),
    (
        said({"role": "system", "content": [{"type": "input_image"}]}),
        "input[0].content[0].type",
        "input_text",
    ),
    (said(user([{"type": "input_image"}])), "input[0].content[0].image_url", "a string"),
    (
        said(user([{"type": "input_image", "file_id": "f"}])),
        "input[0].content[0].file_id",
        "data URL",
    ),
    (
        said(user([{"type": "input_image", "image_url": PNG, "detail": "x"}])),
        "input[0].content[0].detail",
        "auto",
    ),
    (
        said(user([{"type": "input_image", "image_url": "data:image/png;base64,AAAA"}])),
        "input[0].content[0].image_url",
        "PNG",
    ),
    (
        said(user([{"type": "input_audio", "input_audio": {"data": "AAAA"}}])),
        "input[0].content[0].input_audio.data",
        "WAV",
    ),
    (
        said(user([{"type": "input_audio", "input_audio": {"data": "x", "format": "ogg"}}])),
        "input[0].content[0].input_audio.format",
        "wav",
    ),
    (said(call(x=1), output()), "input[0].x", "Unrecognized"),
    (said(call(arguments="{"), output()), "input[0].arguments", "not valid JSON"),
    (said(call(arguments=None), output()), "input[0].arguments", "a string"),
    (said(call(call_id=None), output()), "input[0].call_id", "a string"),
    (said(call(name=5), output()), "input[0].name", "a string"),
    (said(call(), output(text=None)), "input[1].output", "array of content parts"),
    (said(call(), output(text=[{"type": "x"}])), "input[1].output[0].type", "input_text"),
    (said(user("a"), call()), "input", "No tool output found for function call c1."),
    (said(output()), "input", "No tool call found for function call output with call_id c1."),
    (said(output(), call()), "input", "No tool call found"),
    (said(user("a"), thought(status=5)), "input[1].status", "a string"),
    (said(thought(x=1)), "input[0].x", "Unrecognized"),
    (
        said({"type": "reasoning", "content": [{"type": "x", "text": "y"}]}),
        "input[0].content[0].type",
        "reasoning_text",
    ),
    (
        said({"type": "reasoning", "summary": "x"}),
        "input[0].summary",
        "array",
    ),
    (
        said({"type": "reasoning", "summary": [], "encrypted_content": "gAAAAB"}),
        "input[0].encrypted_content",
        "remove the item",
    ),
    (
        said({"type": "reasoning", "summary": [], "encrypted_content": "kronk1.%"}),
        "input[0].encrypted_content",
        "remove the item",
    ),
    (said(user("a", id="i"), user("b", id="i")), "input", "Duplicate item found with id i"),
    (said({"type": "item_reference", "id": 5}), "input[0].id", "a string"),
    (body(previous_response_id=5), "previous_response_id", "string"),
    (body(instructions=5), "instructions", "string"),
    (body(store=1), "store", "boolean"),
    (body(max_output_tokens=0), "max_output_tokens", "greater than or equal to 1"),
    (body(min_tokens=5, max_output_tokens=4), "min_tokens", "max_output_tokens"),
    (body(max_tool_calls=0), "max_tool_calls", "1"),
    (body(top_logprobs=21), "top_logprobs", "20"),
    (body(temperature=3), "temperature", "2"),
    (body(top_p="x"), "top_p", "top_p"),
    # Neither Chat Completions nor something unheard of.
    (body(messages=[]), "messages", "moved to 'input'"),
    (body(max_tokens=5), "max_tokens", "moved to 'max_output_tokens'"),
    (body(response_format={}), "response_format", "'text.format'"),
    (body(reasoning_effort="low"), "reasoning_effort", "'reasoning.effort'"),
    (body(n=2), "n", "Unrecognized"),
    (body(colour="red"), "colour", "Unrecognized"),
    # What is not built says so.
    (body(background=True), "background", "not supported"),
    (body(conversation="conv_1"), "conversation", "'previous_response_id'"),
    (body(prompt={"id": "p"}), "prompt", "'instructions'"),
    (body(context_management=[{"type": "compaction"}]), "context_management", "not supported"),
    (body(moderation={"model": "x"}), "moderation", "not supported"),
    (body(service_tier="x"), "service_tier", "'default'"),
    (body(truncation="middle"), "truncation", "'disabled'"),
    (body(include=["x"]), "include[0]", "reasoning.encrypted_content"),
    (body(include="x"), "include", "an array"),
    (body(reasoning={"effort": "most"}), "reasoning.effort", "'none'"),
    (body(reasoning={"summary": "long"}), "reasoning.summary", "'auto'"),
    (body(reasoning={"context": "all_turns"}), "reasoning.context", "'auto'"),
    (body(reasoning={"x": 1}), "reasoning.x", "Unrecognized"),
    (body(reasoning="high"), "reasoning", "a string"),
    (
        body(reasoning={"effort": "none"}, enable_thinking=True),
        "enable_thinking",
        "reasoning.effort",
    ),
    (body(text="x"), "text", "a string"),
    (body(text={"x": 1}), "text.x", "Unrecognized"),
    (body(text={"verbosity": "low"}), "text.verbosity", "'medium'"),
    (body(text={"format": "json"}), "text.format", "an object"),
    (body(text={"format": {"type": "xml"}}), "text.format.type", "json_schema"),
    (body(text={"format": {"type": "json_schema"}}), "text.format.name", "a string"),
    (
        body(text={"format": {"type": "json_schema", "name": "n"}}),
        "text.format.schema",
        "an object",
    ),
    (
        body(text={"format": {"type": "json_schema", "name": "n", "json_schema": {}}}),
        "text.format.json_schema",
        "Unrecognized",
    ),
    (body(text={"format": {"type": "json_object"}}, regex="x"), "regex", "'text' and 'regex'"),
    (body(metadata={"k": 5}), "metadata.k", "a string"),
    (body(metadata={str(at): "v" for at in range(17)}), "metadata", "16"),
    (body(metadata={"k": "v" * 513}), "metadata.k", "512"),
    (body(safety_identifier="x" * 129), "safety_identifier", "128"),
    (body(client_metadata={"k": 5}), "client_metadata.k", "string"),
    (body(stream="yes"), "stream", "boolean"),
    (body(stream_options={}), "stream_options", "only allowed"),
    (
        body(stream=True, stream_options={"include_usage": True}),
        "stream_options.include_usage",
        "Unrecognized",
    ),
    # Tools.
    (body(tools=5), "tools", "an array"),
    (body(tools=[5]), "tools[0]", "an object"),
    (body(tools=[{"name": "f"}]), "tools[0].type", "a string"),
    (body(tools=[tool(), {"type": "web_search"}]), "tools[1].type", "'web_search'"),
    (body(tools=[{"type": "custom", "name": "x"}]), "tools[0].type", "'custom'"),
    (body(tools=[{"type": "function", "function": {"name": "f"}}]), "tools[0].function", "Unrec"),
    (body(tools=[{"type": "function"}]), "tools[0].name", "a string"),
    (body(tools=[tool("a b")]), "tools[0].name", "64"),
    (body(tools=[tool(), tool()]), "tools[1].name", "two functions f"),
    (body(tools=[tool(parameters=[])]), "tools[0].parameters", "an object"),
    (body(tools=[tool(parameters={"type": "string"})]), "tools[0].parameters.type", "'object'"),
    (body(tools=[tool(strict=1)]), "tools[0].strict", "true or false"),
    (body(tools=[tool(defer_loading=True)]), "tools[0].defer_loading", "not supported"),
    (body(tools=[tool(output_schema={})]), "tools[0].output_schema", "not supported"),
    (body(tool_choice="required"), "tool_choice", "no 'tools'"),
    (body(tools=[tool()], tool_choice="any"), "tool_choice", "'required'"),
    (body(tools=[tool()], tool_choice=["auto"]), "tool_choice", "'required'"),
    (body(tools=[tool()], tool_choice=tool("g")), "tool_choice.name", "among the 'tools'"),
    (body(tools=[tool()], tool_choice={"type": "file_search"}), "tool_choice.type", "file_search"),
    (
        body(tools=[tool()], tool_choice={"type": "allowed_tools", "mode": "x", "tools": []}),
        "tool_choice.mode",
        "'auto'",
    ),
    (
        body(
            tools=[tool()],
            tool_choice={"type": "allowed_tools", "mode": "auto", "tools": [tool("g")]},
        ),
        "tool_choice.tools[0].name",
        "among the 'tools'",
    ),
    (
        body(
            tools=[tool()],
            tool_choice={"type": "allowed_tools", "mode": "auto", "tools": [{"type": "mcp"}]},
        ),
        "tool_choice.tools[0].type",
        "'mcp'",
    ),
    (
        body(tools=[tool()], tool_choice="required", text={"format": {"type": "json_object"}}),
        "text",
        "'text' and 'tool_choice'",
    ),
]


@pytest.mark.parametrize(("raw", "param", "says"), REFUSED)
def test_a_wrong_request_is_refused_by_the_name_of_its_field(
    raw: bytes, param: str | None, says: str
) -> None:
    error = refusal(raw)
    assert isinstance(error, InvalidArgument)
    assert error.param == param
    assert says in error.message


def test_an_unknown_response_cannot_be_continued() -> None:
    error = refusal(body(previous_response_id=EARLIER))
    assert (error.status, error.code) == (400, "previous_response_not_found")
    assert error.param == "previous_response_id"
    assert EARLIER in error.message


@pytest.mark.parametrize("name", ["msg_1", f"msg_{EARLIER[5:]}0009", f"msg_{NAME[5:]}0000"])
def test_an_unknown_item_cannot_be_named(name: str) -> None:
    error = refusal(said({"type": "item_reference", "id": name}), kept(body(), answer("a")))
    assert isinstance(error, NotFound)
    assert error.param == "input"
    assert name in error.message


def test_items_that_are_part_of_what_is_continued_are_not_sent_again() -> None:
    first = kept(body(input="one"), answer("two"))
    raw = said(first.response["output"][0], user("x"), previous_response_id=EARLIER)
    assert "Duplicate item found" in refusal(raw, first).message


def test_a_conversation_that_is_too_large_to_keep_is_refused_unless_it_need_not_be() -> None:
    first = kept(body(), answer("a"))
    large = Stored(first.response, first.items, 2**25)
    error = refusal(body(previous_response_id=EARLIER), large)
    assert error.param == "store"
    assert asked(body(previous_response_id=EARLIER, store=False), large).kept is None


# The document.


@pytest.mark.parametrize(("items", "expected"), ITEMS)
def test_the_schema_takes_what_is_taken(items: list[Any], expected: list[Any]) -> None:
    VALIDATOR.validate(json.loads(said(*items)))


@pytest.mark.parametrize(("fields", "where", "value"), FULL)
def test_the_schema_takes_every_field(fields: dict[str, Any], where: str, value: Any) -> None:
    VALIDATOR.validate(json.loads(body(**fields)))


# Golden.

GOLDEN: dict[str, bytes] = {
    "least": body(),
    "agent": said(
        {"role": "developer", "content": [{"type": "input_text", "text": "Use tools."}]},
        user([{"type": "input_text", "text": "Weather?"}]),
        {"type": "reasoning", "summary": [], "encrypted_content": sealed("I look.")},
        call(),
        output(),
        instructions="You are an agent.",
        tools=[tool(parameters={"type": "object", "properties": {}}, strict=False)],
        tool_choice="auto",
        parallel_tool_calls=False,
        reasoning={"effort": "medium", "summary": "auto"},
        store=False,
        stream=True,
        include=["reasoning.encrypted_content"],
        prompt_cache_key="thread",
        # As Codex does.
        client_metadata={"x-codex-installation-id": "i"},
    ),
    "schema": body(
        text={
            "format": {
                "type": "json_schema",
                "name": "person",
                "strict": True,
                "schema": {"type": "object", "properties": {"name": {"type": "string"}}},
            }
        },
        temperature=0.2,
        max_output_tokens=100,
        top_logprobs=2,
    ),
    "picture": said(
        user([{"type": "input_text", "text": "What?"}, {"type": "input_image", "image_url": PNG}])
    ),
}


@pytest.mark.parametrize("case", GOLDEN)
def test_a_request_becomes_a_job(case: str) -> None:
    golden.check(f"responses/request_{case}.json", golden.job_text(asked(GOLDEN[case]).job))


# Namespaces.


def space(*tools: Any, name: str = "mcp__sky", **more: Any) -> Any:
    return {"type": "namespace", "name": name, "tools": list(tools), **more}


def test_functions_in_a_namespace_have_its_name_in_front() -> None:
    tools = [tool("f"), space(tool("f", description="F."), tool("g"), description="Of the sky.")]
    found = submit(body(tools=tools)).prompt
    functions = [offered["function"] for offered in found.tools]
    assert [function["name"] for function in functions] == ["f", "mcp__sky__f", "mcp__sky__g"]
    assert [function.get("description") for function in functions] == [
        None,
        "Of the sky.\n\nF.",
        None,
    ]
    assert found.tool_params == (
        "tools[0].parameters",
        "tools[1].tools[0].parameters",
        "tools[1].tools[1].parameters",
    )
    assert dict(asked(body(tools=tools)).spaces) == {
        "mcp__sky__f": ("mcp__sky", "f"),
        "mcp__sky__g": ("mcp__sky", "g"),
    }


def test_a_call_of_a_function_in_a_namespace_comes_back_under_the_name_it_was_made_by() -> None:
    items = [user("hi"), call(name="f", namespace="mcp__sky"), output()]
    answer = messages(said(*items, tools=[space(tool("f"))]))
    assert answer[1]["tool_calls"][0]["function"]["name"] == "mcp__sky__f"
    assert answer[2]["name"] == "mcp__sky__f"


def test_a_search_that_must_not_reach_the_web_offers_nothing() -> None:
    search = {"type": "web_search", "external_web_access": False}
    assert [
        one["function"]["name"] for one in submit(body(tools=[search, tool()])).prompt.tools
    ] == ["f"]
    assert asked(body(tools=[search])).born["tools"] == [search]


@pytest.mark.parametrize(
    ("tools", "param"),
    [
        ([space(tool("f")), tool("mcp__sky__f")], "tools[1].name"),
        ([space(tool("f"), tool("f"))], "tools[0].tools[1].name"),
        ([space(name="a b")], "tools[0].name"),
        ([space(tool("a b"))], "tools[0].tools[0].name"),
        ([space({"type": "custom", "name": "f"})], "tools[0].tools[0].type"),
        ([space(tool("f", defer_loading=True))], "tools[0].tools[0].defer_loading"),
        ([space(frob=1)], "tools[0].frob"),
        ([{"type": "namespace", "name": "n"}], "tools[0].tools"),
        ([space(description=5)], "tools[0].description"),
        ([{"type": "web_search"}], "tools[0].type"),
        ([{"type": "web_search", "external_web_access": True}], "tools[0].type"),
    ],
)
def test_what_is_wrong_with_a_namespace_is_named(tools: Any, param: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        asked(body(tools=tools))
    assert caught.value.param == param
