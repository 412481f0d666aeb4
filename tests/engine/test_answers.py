"""What an answer can be asked to be: thinking apart, calls, JSON that validates, scored."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from harness import random_gguf
from harness.engine import EngineRun
from kronk.shared.errors import InvalidArgument
from kronk.shared.wire.loading import CacheSpec, ContextSpec, LoadSpec, PlacementSpec
from kronk.shared.wire.values import Answer, Constraint, Prompt, Sampling

TINY = Path(__file__).parents[1] / "models" / "tiny-chat-q8_0.gguf"
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get current weather for a location",
        "parameters": {
            "type": "object",
            "properties": {"location": {"type": "string", "description": "City name"}},
            "required": ["location"],
        },
    },
}
TIME = {
    "type": "function",
    "function": {
        "name": "get_time",
        "parameters": {
            "type": "object",
            "properties": {"zone": {"enum": ["UTC", "CET"]}, "offset": {"type": "integer"}},
            "required": ["zone", "offset"],
            "additionalProperties": False,
        },
    },
}
PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 20},
        "age": {"type": "integer", "minimum": 0, "maximum": 150},
        "tags": {"type": "array", "items": {"enum": ["a", "b"]}, "minItems": 1, "maxItems": 3},
    },
    "required": ["name", "age", "tags"],
    "additionalProperties": False,
}
AS_JSON = Constraint("json_object", "", "response_format")
WARM = Sampling(temperature=1.5, top_k=0, top_p=1.0, seed=3)


def ask(text: str, **options: Any) -> Prompt:
    return Prompt(({"role": "user", "content": text},), **options)


def as_json(schema: dict[str, Any]) -> Constraint:
    return Constraint("json_schema", json.dumps(schema), "response_format.json_schema.schema")


@pytest.fixture(scope="module")
def tiny() -> Iterator[EngineRun]:
    run = EngineRun(
        LoadSpec(
            "tiny",
            str(TINY),
            context=ContextSpec(window=1024, slots=4, n_threads=1),
            placement=PlacementSpec(n_gpu_layers=0),
            cache=CacheSpec(min_tokens=8),
        )
    )
    yield run
    run.stop_all()


def test_thinking_is_no_part_of_the_content(tiny: EngineRun) -> None:
    answered = tiny.ask("What is the capital of France?", 200)
    said = answered.choices[0]
    assert said.reasoning
    assert said.text
    assert "think>" not in said.reasoning + said.text
    assert 0 < answered.usage.reasoning_tokens < answered.usage.completion_tokens
    without = tiny.ask(ask("What is the capital of France?", enable_thinking=False), 200)
    assert (without.choices[0].reasoning, without.usage.reasoning_tokens) == ("", 0)
    assert without.text == said.text


@pytest.mark.parametrize("budget", [0, 1, 5])
def test_thinking_ends_with_its_budget_and_the_answer_comes(tiny: EngineRun, budget: int) -> None:
    answered = tiny.ask(
        "What is the capital of France?", 200, answer=Answer(thinking_budget=budget)
    )
    said = answered.choices[0]
    assert said.text
    # The tags count too: the opening one, and the closing one with its white space.
    assert answered.usage.reasoning_tokens <= budget + 5
    assert said.reason == "stop"


@pytest.mark.parametrize("max_tokens", [3, 200])
def test_a_stop_string_in_the_thinking_stops_nothing(tiny: EngineRun, max_tokens: int) -> None:
    plain = tiny.ask("Hello!", max_tokens).choices[0]
    word = plain.reasoning.split()[0]
    assert word not in plain.text
    stopped = tiny.ask("Hello!", max_tokens, stop=(word,)).choices[0]
    assert (stopped.reasoning, stopped.text) == (plain.reasoning, plain.text)


def test_a_call_comes_with_its_name_and_arguments(tiny: EngineRun) -> None:
    prompt = ask("What is the weather in NYC?", tools=(WEATHER,))
    said = tiny.ask(prompt, 200).choices[0]
    assert said.reason == "tool_calls"
    (call,) = said.calls.values()
    assert call.name == "get_weather"
    assert json.loads(call.arguments) == {"location": "NYC"}
    assert said.text == ""


def test_a_call_that_is_cut_comes_back_as_text(tiny: EngineRun) -> None:
    prompt = ask("What is the weather in NYC?", tools=(WEATHER,), enable_thinking=False)
    whole = tiny.ask(prompt, 200)
    cuts = [tiny.ask(prompt, tokens) for tokens in range(1, whole.usage.completion_tokens)]
    assert {cut.reason for cut in cuts} <= {"length"}
    for cut in cuts[:-2]:
        assert not cut.choices[0].calls
    assert any("get_weather" in cut.text for cut in cuts)


@pytest.mark.parametrize("choice", ["required", "named"])
@pytest.mark.parametrize("thinks", [None, False])
@pytest.mark.parametrize("sampling", [Sampling(temperature=0.0), WARM])
def test_a_call_that_must_come_comes(
    tiny: EngineRun, choice: Any, thinks: bool | None, sampling: Sampling
) -> None:
    prompt = ask("Hello!", tools=(WEATHER, TIME), enable_thinking=thinks)
    answer = Answer(tool_choice=choice, tool_name="get_time" if choice == "named" else None)
    said = tiny.ask(prompt, 200, answer=answer, sampling=sampling).choices[0]
    assert said.calls, said
    assert said.text == ""
    assert said.reason in ("tool_calls", "length")
    tools = {tool["function"]["name"]: tool["function"] for tool in (WEATHER, TIME)}
    for call in said.calls.values():
        jsonschema.validate(json.loads(call.arguments), tools[call.name]["parameters"])
    if choice == "named":
        assert [call.name for call in said.calls.values()] == ["get_time"]


@pytest.mark.parametrize("thinks", [None, False])
@pytest.mark.parametrize("max_tokens", [40, 60, 90, 300])
@pytest.mark.parametrize("seed", range(3))
def test_json_validates_however_short_the_answer_is_cut(
    tiny: EngineRun, thinks: bool | None, max_tokens: int, seed: int
) -> None:
    warm = Sampling(temperature=1.5, top_k=0, top_p=1.0, seed=seed)
    prompt = ask("Give me JSON for a person called Alice aged 30.", enable_thinking=thinks)
    answered = tiny.ask(
        prompt, max_tokens, answer=Answer(constraint=as_json(PERSON)), sampling=warm
    )
    jsonschema.validate(json.loads(answered.text), PERSON)
    assert answered.usage.completion_tokens <= max_tokens


@pytest.mark.parametrize(
    ("prompt", "answer"),
    [
        (
            ask("Give me JSON for a person called Alice aged 30.", enable_thinking=False),
            Answer(constraint=AS_JSON),
        ),
        (
            ask("What is the weather in NYC?", tools=(WEATHER,), enable_thinking=False),
            Answer(tool_choice="required"),
        ),
    ],
    ids=["json", "call"],
)
def test_an_answer_in_a_form_says_that_it_was_cut(
    tiny: EngineRun, prompt: Prompt, answer: Answer
) -> None:
    """Valid as it is, it is not what the model had to say."""
    whole = tiny.ask(prompt, 200, answer=answer)
    assert whole.choices[0].reason in ("stop", "tool_calls")
    cut = tiny.ask(prompt, whole.usage.completion_tokens - 1, answer=answer).choices[0]
    assert cut.reason == "length"
    (said,) = [call.arguments for call in cut.calls.values()] or [cut.text]
    assert isinstance(json.loads(said), dict)


@pytest.mark.parametrize("thinks", [None, False])
def test_what_does_not_fit_into_the_tokens_is_refused_and_what_does_is_not(
    tiny: EngineRun, thinks: bool | None
) -> None:
    prompt, answer = ask("Hello!", enable_thinking=thinks), Answer(constraint=as_json(PERSON))
    with pytest.raises(
        InvalidArgument, match=r"'max_tokens': .* takes \d+ tokens; there are 5"
    ) as refused:
        tiny.ask(prompt, 5, answer=answer)
    least = int(re.findall(r"takes (\d+)", str(refused.value))[0])
    said = tiny.ask(prompt, least, answer=answer)
    jsonschema.validate(json.loads(said.text), PERSON)
    assert said.usage.completion_tokens == least


@pytest.mark.parametrize("answer", [Answer(tool_choice="required"), Answer(constraint=AS_JSON)])
@pytest.mark.parametrize(
    ("schema", "path"),
    [
        ({"type": "string", "pattern": "("}, ".pattern"),
        ({"type": "integer", "minimum": 5, "maximum": 3}, ".minimum"),
        ({"type": "text"}, ".type"),
    ],
)
def test_a_tool_whose_arguments_no_call_could_have_is_refused_by_its_path(
    tiny: EngineRun, answer: Answer, schema: dict[str, Any], path: str
) -> None:
    parameters = {"type": "object", "properties": {"a": schema}, "required": ["a"]}
    bad = {"type": "function", "function": {"name": "bad", "parameters": parameters}}
    with pytest.raises(InvalidArgument) as refused:
        tiny.ask(ask("Hello!", tools=(WEATHER, bad)), 100, answer=answer)
    assert refused.value.param == f"tools[1].function.parameters.properties.a{path}"


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize(
    ("schema", "path"),
    [
        ({"uniqueItems": True}, ".uniqueItems"),
        ({"not": {"type": "null"}}, ".not"),
        ({"x-order": 1, "oneOf": [{"minimum": 1}, {"maximum": 9}]}, ""),
    ],
)
def test_a_schema_beyond_what_is_enforced_is_refused_only_where_it_is_strict(
    tiny: EngineRun, schema: dict[str, Any], path: str, strict: bool
) -> None:
    parameters = {"type": "object", "properties": {"location": schema}, "required": ["location"]}
    function = {"name": "get_weather", "parameters": parameters, "strict": strict}
    prompt = ask("What is the weather in NYC?", tools=({"type": "function", "function": function},))
    answer = Answer(tool_choice="required")
    if strict:
        with pytest.raises(InvalidArgument) as refused:
            tiny.ask(prompt, 100, answer=answer)
        assert refused.value.param.startswith(
            f"tools[0].function.parameters.properties.location{path}"
        )
        return
    (call,) = tiny.ask(prompt, 100, answer=answer).choices[0].calls.values()
    assert (call.name, json.loads(call.arguments)) == ("get_weather", {"location": "NYC"})


def test_an_answer_in_a_form_may_still_be_a_call(tiny: EngineRun) -> None:
    answer = Answer(constraint=as_json(PERSON))
    prompt = ask("What is the weather in NYC?", tools=(WEATHER,), enable_thinking=False)
    said = tiny.ask(prompt, 200, answer=answer).choices[0]
    assert [call.name for call in said.calls.values()] == ["get_weather"]
    other = ask("Hello!", tools=(WEATHER,), enable_thinking=False)
    said = tiny.ask(other, 200, answer=answer).choices[0]
    if not said.calls:
        jsonschema.validate(json.loads(said.text), PERSON)


@pytest.mark.parametrize("top", [0, 3, 20])
def test_log_probabilities_stand_beside_their_text(tiny: EngineRun, top: int) -> None:
    prompt = ask("What is the capital of France?", enable_thinking=False)
    said = tiny.ask(prompt, 60, answer=Answer(logprobs=top)).choices[0]
    assert b"".join(one.piece for one in said.logprobs).decode() == said.text
    for one in said.logprobs:
        assert one.logprob <= 0.0
        assert len(one.top) == top
        odds = [other.logprob for other in one.top]
        assert odds == sorted(odds, reverse=True)
        if top:
            # Greedy: the token is the likeliest.
            assert one.top[0].piece == one.piece
            assert one.top[0].logprob == one.logprob


def test_log_probabilities_end_where_a_stop_string_ends_the_text(tiny: EngineRun) -> None:
    prompt = ask("What is the capital of France?", enable_thinking=False)
    whole = tiny.ask(prompt, 60).text
    stop = whole[len(whole) // 2 :][:4]
    said = tiny.ask(prompt, 60, answer=Answer(logprobs=0), stop=(stop,)).choices[0]
    pieces = b"".join(one.piece for one in said.logprobs).decode()
    assert said.text == whole[: whole.index(stop)]
    assert said.stop == stop
    # A token that begins in the text and ends in the stop string belongs to the text.
    assert pieces.startswith(said.text)
    assert not b"".join(one.piece for one in said.logprobs[:-1]).decode().startswith(said.text)


def test_thinking_has_no_log_probabilities_in_the_content(tiny: EngineRun) -> None:
    said = tiny.ask("What is the capital of France?", 200, answer=Answer(logprobs=1)).choices[0]
    assert b"".join(one.piece for one in said.logprobs).decode() == said.text


def test_choices_of_a_warm_request_differ(tiny: EngineRun) -> None:
    answered = tiny.ask(
        "Why is the sky blue?", 30, answer=Answer(choices=8), sampling=WARM, window=2_000
    )
    assert len({said.reasoning + said.text for said in answered.choices}) > 1


def test_a_gap_cannot_be_filled_without_tokens_for_it(tiny: EngineRun) -> None:
    with pytest.raises(InvalidArgument, match="suffix") as refused:
        tiny.ask(Prompt(text="def f(", suffix="return 1"), 10)
    assert refused.value.param == "suffix"


def test_a_gap_is_filled_between_the_tokens_for_it(tmp_path: Path) -> None:
    path = tmp_path / "code.gguf"
    marks = {"fim_pre": 40, "fim_suf": 41, "fim_mid": 42}
    random_gguf.write(path, random_gguf.LLAMA, tokens=marks)
    run = EngineRun(
        LoadSpec(
            "code",
            str(path),
            context=ContextSpec(window=512, slots=1, n_threads=1),
            placement=PlacementSpec(n_gpu_layers=0),
        )
    )
    before, after = "def f(", "return 1"
    tokens = [
        marks["fim_pre"],
        *run.loaded.model.tokenize_part(before),
        marks["fim_suf"],
        *run.loaded.model.tokenize_part(after),
        marks["fim_mid"],
    ]
    filled = run.ask(Prompt(text=before, suffix=after), 12)
    assert filled.usage.prompt_tokens == len(tokens)
    assert filled.text == run.ask(Prompt(tokens=tuple(tokens)), 12).text
    assert filled.text != run.ask(Prompt(text=before + after), 12).text
    run.stop_all()


def test_a_text_goes_on_without_a_template(tiny: EngineRun) -> None:
    rendered = "<|im_start|>user\nHello!<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
    chat = tiny.ask(ask("Hello!", enable_thinking=False), 40)
    assert tiny.ask(Prompt(text=rendered), 40).text == chat.text
    tokens = tuple(tiny.loaded.model.tokenize(rendered))
    assert tiny.ask(Prompt(tokens=tokens), 40).text == chat.text
    with pytest.raises(InvalidArgument, match=r"prompt\[1\]"):
        tiny.ask(Prompt(tokens=(1, 2048)), 10)


def test_an_answer_goes_on_from_what_it_is_to_begin_with(tiny: EngineRun) -> None:
    asked = ({"role": "user", "content": "What is the capital of France?"},)
    prompt = Prompt(asked, enable_thinking=False, prefill="The capital of")
    (choice,) = tiny.ask(prompt).choices
    assert (choice.text, choice.reasoning) == (" France is Paris.", "")
