"""Bodies of completion requests: what is taken, what is refused, and by which name."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kronk.gateway.dialects.openai.completions import AT_ONCE, CompletionBody, parse, schema
from kronk.shared.errors import InvalidArgument
from kronk.shared.sampling_params import PARAMETERS
from kronk.shared.wire import to_worker
from kronk.shared.wire.codec import encode
from kronk.shared.wire.to_worker import Submit
from kronk.shared.wire.values import Answer, Constraint, Prompt, Sampling


def body(**fields: Any) -> bytes:
    return json.dumps({"model": "m", "prompt": "once", **fields}).encode()


def submits(raw: bytes) -> list[Submit]:
    asks = [job.message(at, "x") for at, job in enumerate(parse(raw).jobs)]
    assert all(isinstance(ask, Submit) for ask in asks)
    return asks  # type: ignore[return-value]


def submit(raw: bytes) -> Submit:
    (ask,) = submits(raw)
    return ask


def test_the_least_request_is_sixteen_tokens_of_one_choice() -> None:
    asked = parse(body())
    ask = submit(body())
    assert (ask.prompt, ask.sampling, ask.answer) == (Prompt(text="once"), Sampling(), Answer())
    assert (ask.max_tokens, ask.stop) == (16, ())
    assert (asked.stream, asked.include_usage, asked.openings, asked.logprobs) == (
        False,
        False,
        ("",),
        None,
    )


def test_null_is_unset_for_every_optional_field() -> None:
    optional = {*CompletionBody.model_fields, *PARAMETERS} - {"model", "prompt"}
    assert parse(body(**dict.fromkeys(optional))) == parse(body())


PROMPTS: list[tuple[Any, list[Prompt]]] = [
    ("", [Prompt(text="")]),
    (["a"], [Prompt(text="a")]),
    (["a", "b"], [Prompt(text="a"), Prompt(text="b")]),
    ([1, 2**31 - 1], [Prompt(tokens=(1, 2**31 - 1))]),
    ([[0], [5, 6]], [Prompt(tokens=(0,)), Prompt(tokens=(5, 6))]),
]


@pytest.mark.parametrize(("prompt", "prompts"), PROMPTS)
def test_a_prompt_is_text_or_tokens_and_one_or_several(prompt: Any, prompts: list[Prompt]) -> None:
    asks = submits(body(prompt=prompt))
    assert [ask.prompt for ask in asks] == prompts
    for ask in asks:
        assert to_worker.DATA.decode(encode(1, [ask]))[1] == [ask]


FULL: list[tuple[dict[str, Any], str, Any]] = [
    ({"max_tokens": 3}, "max_tokens", 3),
    ({"n": 2, "best_of": 2}, "answer.choices", 2),
    ({"logprobs": 0}, "answer.logprobs", 0),
    ({"logprobs": 5}, "answer.logprobs", 5),
    ({"suffix": ""}, "prompt.suffix", ""),
    ({"suffix": "end"}, "prompt.suffix", "end"),
    ({"imc_id": "ann"}, "prompt.session", "ann"),
    ({"stop": "x"}, "stop", ("x",)),
    ({"temperature": 0}, "sampling.temperature", 0.0),
    ({"logit_bias": {"5": -100}}, "sampling.logit_bias", {"5": -100.0}),
    ({"regex": "a+"}, "answer.constraint", Constraint("regex", "a+", "regex")),
]


@pytest.mark.parametrize(("fields", "where", "value"), FULL)
def test_a_field_arrives_on_the_wire(fields: dict[str, Any], where: str, value: Any) -> None:
    got: Any = submit(body(**fields))
    for step in where.split("."):
        got = getattr(got, step)
    assert got == value
    assert type(got) is type(value)


def test_many_prompts_do_not_fill_the_queue() -> None:
    jobs = parse(body(prompt=["a"] * (AT_ONCE + 2))).jobs
    assert [job.priority for job in jobs] == ["interactive"] * AT_ONCE + ["batch"] * 2


def test_each_choice_of_each_echoed_prompt_begins_with_it() -> None:
    asked = parse(body(prompt=["a", "b"], n=2, echo=True))
    assert asked.openings == ("a", "a", "b", "b")
    assert parse(body(prompt=["a", "b"], n=2)).openings == ("",) * 4
    assert not any(ask.answer.echo for ask in submits(body(prompt=["a", "b"], echo=True)))


def test_what_tokens_stand_for_is_asked_of_the_model() -> None:
    asked = parse(body(prompt=[[1], [2]], n=2, echo=True))
    assert (asked.openings, asked.choices) == (("",) * 4, 2)
    assert all(ask.answer.echo for ask in submits(body(prompt=[[1], [2]], echo=True)))
    assert not submit(body(prompt=[1])).answer.echo


WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"prompt": None}, "prompt", "null"),
    ({"prompt": 5}, "prompt", "a string or an array"),
    ({"prompt": {}}, "prompt", "a string or an array"),
    ({"prompt": []}, "prompt", "empty"),
    ({"prompt": ["a", 1]}, "prompt[1]", "a string"),
    ({"prompt": [1, "a"]}, "prompt[1]", "a token id"),
    ({"prompt": [1, True]}, "prompt[1]", "a token id"),
    ({"prompt": [-1]}, "prompt[0]", "a token id, got -1"),
    ({"prompt": [2**31]}, "prompt[0]", "a token id"),
    ({"prompt": [1.0]}, "prompt[0]", "a token id"),
    ({"prompt": [None]}, "prompt[0]", "a token id"),
    ({"prompt": [[1], []]}, "prompt[1]", "at least one"),
    ({"prompt": [[1], "a"]}, "prompt[1]", "an array"),
    ({"prompt": [[1, "a"]]}, "prompt[0][1]", "a token id"),
    ({"prompt": ["a"] * 129}, "prompt", "128"),
    ({"prompt": ["a"] * 65, "n": 2}, "prompt", "65 prompts with 2 choices"),
    ({"max_tokens": 0}, "max_tokens", "1"),
    ({"min_tokens": 17}, "min_tokens", "greater than 'max_tokens' (16)"),
    ({"n": 0}, "n", "1"),
    ({"n": 2, "best_of": 1}, "best_of", "less than 'n' (2)"),
    ({"best_of": 2}, "best_of", "not supported"),
    ({"logprobs": True}, "logprobs", "integer"),
    ({"logprobs": 6}, "logprobs", "5"),
    ({"echo": 1}, "echo", "boolean"),
    ({"echo": True, "logprobs": 0}, "echo", "'echo' and 'logprobs'"),
    ({"suffix": "x", "prompt": [[1]]}, "suffix", "text"),
    ({"suffix": 1}, "suffix", "string"),
    ({"messages": []}, "messages", "Unrecognized"),
    ({"tools": []}, "tools", "Unrecognized"),
    ({"temperature": 3}, "temperature", "0 to 2"),
    ({"stream_options": {}}, "stream_options", "only allowed"),
    ({"stop": ""}, "stop", "empty"),
    ({"regex": "a", "grammar": "b"}, "regex", "'grammar' and 'regex'"),
    ({"model": ""}, "model", "1 character"),
    ({"imc_id": ""}, "imc_id", "1 character"),
]


@pytest.mark.parametrize(("fields", "param", "words"), WRONG)
def test_a_wrong_request_is_refused_by_the_name_of_its_field(
    fields: dict[str, Any], param: str, words: str
) -> None:
    with pytest.raises(InvalidArgument) as caught:
        parse(body(**fields))
    assert caught.value.param == param
    assert words in caught.value.message


def test_a_prompt_must_be_given() -> None:
    with pytest.raises(InvalidArgument, match="missing prompt") as caught:
        parse(b'{"model": "m"}')
    assert caught.value.param == "prompt"


def test_the_schema_knows_every_field_and_the_default_of_max_tokens() -> None:
    properties = schema()["properties"]
    assert set(properties) == {*CompletionBody.model_fields, *PARAMETERS, "sampling_preset"}
    assert properties["max_tokens"]["default"] == 16
