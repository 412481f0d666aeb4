"""Bodies of chat requests: what is taken, what is refused, and which field the refusal names."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kronk.gateway.dialects.chat import NEUTRAL, ChatBody, parse
from kronk.shared.errors import InvalidArgument
from kronk.shared.wire import to_worker
from kronk.shared.wire.codec import encode
from kronk.shared.wire.to_worker import Submit
from kronk.shared.wire.values import Answer, Sampling

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
    optional = [*(ChatBody.model_fields.keys() - {"model", "messages"}), *NEUTRAL]
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
            "tool_calls": [{"id": "1", "function": {"name": "f"}}],
        },
    ),
    (
        {"role": "tool", "content": "4", "tool_call_id": "1"},
        {"role": "tool", "content": "4", "tool_call_id": "1"},
    ),
]


@pytest.mark.parametrize(("given", "plain"), MESSAGES)
def test_a_message_becomes_plain_for_the_template(given: Any, plain: Any) -> None:
    assert submit(said(given)).prompt.messages == (plain,)


NEUTRAL_VALUES = [(name, value) for name, values in NEUTRAL.items() for value in values]


@pytest.mark.parametrize(("name", "value"), NEUTRAL_VALUES)
def test_an_unbuilt_parameter_is_taken_where_it_changes_nothing(name: str, value: Any) -> None:
    assert parse(body(**{name: value})) == parse(body())


@pytest.mark.parametrize("name", NEUTRAL)
def test_an_unbuilt_parameter_is_refused_where_it_would_matter(name: str) -> None:
    error = refusal(body(**{name: {"some": ["value"]}}))
    assert error.param == name
    assert "not supported by this version of Kronk" in error.message


@pytest.mark.parametrize("name", ["n", "frequency_penalty", "presence_penalty", "logprobs"])
def test_a_boolean_is_not_a_neutral_number_nor_the_other_way(name: str) -> None:
    wrong = 0 if name == "logprobs" else name == "n"
    assert refusal(body(**{name: wrong})).param == name


def raw(text: str) -> bytes:
    return text.encode()


SAID = "messages[0].content"

WRONG: list[tuple[bytes, str | None, str]] = [
    # Not a JSON object.
    (b"", None, "not valid JSON"),
    (b"{", None, "not valid JSON"),
    (b"[]", None, "must be a JSON object"),
    (b"null", None, "must be a JSON object"),
    (b'"x"', None, "must be a JSON object"),
    (b"\xff\xfe", None, "not valid JSON"),
    (b'{"model": "\xff"}', None, "not valid JSON"),
    (b"[" * 10_000, None, "not valid JSON"),
    (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, None, "not valid JSON"),
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
    (body(messages={}), "messages", "list"),
    (body(messages="hi"), "messages", "list"),
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
        "messages[0].content[0].type",
        "image_url",
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
        said({"role": "assistant", "content": "", "refusal": "no"}),
        "messages[0].refusal",
        "not supported",
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
        said({"role": "assistant", "tool_calls": [{"function": {"name": "f", "a": 2**70}}]}),
        "messages[0].tool_calls[0].function.a",
        "64 bits",
    ),
    # Sampling and limits.
    (body(temperature="hot"), "temperature", "number"),
    (body(temperature=True), "temperature", "number"),
    (body(temperature=-0.1), "temperature", "-0.1"),
    (body(temperature=2.1), "temperature", "2"),
    (raw('{"model":"m","messages":[1],"temperature":1e999}'), "temperature", "2"),
    (body(temperature=10**400), "temperature", ""),
    (body(top_p=1.01), "top_p", "1"),
    (body(top_k=-1), "top_k", "0"),
    (body(top_k=1.5), "top_k", "integer"),
    (body(top_k=True), "top_k", "integer"),
    (body(min_p=[]), "min_p", "an array"),
    (body(seed="1"), "seed", "a string"),
    (body(seed=2**64), "seed", "less than or equal"),
    (body(max_tokens=0), "max_tokens", "1"),
    (body(max_tokens=-1), "max_tokens", "-1"),
    (body(max_tokens=1.0), "max_tokens", "integer"),
    (body(max_tokens=10**30), "max_tokens", "out of any range"),
    (body(max_tokens=1, max_completion_tokens=2), "max_tokens", "differ"),
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
    (body(metadata="x"), "metadata", "a string"),
    (body(store="x"), "store", "boolean"),
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
    calls = [{"id": "1", "function": {"name": "f", "arguments": "{}", "n": 2**64 - 1, "f": 1e300}}]
    asked = submit(said({"role": "assistant", "tool_calls": calls}))
    assert to_worker.DATA.decode(encode(1, [asked]))[1] == [asked]
