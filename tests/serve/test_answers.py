"""What a chat or a completion can be asked for, through the official client."""

from __future__ import annotations

import json
from typing import Any, Literal

import jsonschema
import openai
import pydantic
import pytest

from harness.counting_model import counted
from harness.prompts import CLEAR, THOUGHTS
from harness.server import Server

WARM: dict[str, Any] = {"temperature": 1.5, "top_p": 1.0}
PARIS = "What is the capital of France?"
ALICE = "Give me JSON for a person called Alice aged 30."
NYC = "What is the weather in NYC?"
CALM = {"enable_thinking": False}


def tool(name: str, **properties: Any) -> Any:
    parameters = {"type": "object", "properties": properties, "required": list(properties)}
    return {"type": "function", "function": {"name": name, "parameters": parameters}}


WEATHER = tool("get_weather", location={"type": "string", "description": "City name"})
TIME = tool("get_time", zone={"enum": ["UTC", "CET"]}, offset={"type": "integer"})
TOOLS = [WEATHER, TIME]
BAD_TOOL = tool("bad", here={"$ref": "#/nowhere"})


def only(name: str) -> Any:
    listed = [{"type": "function", "function": {"name": name}}]
    return {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": listed}}


class Person(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid")

    name: str
    age: int
    kind: Literal["human", "robot"]


@pytest.fixture(scope="module")
def client(house: Server) -> openai.OpenAI:
    return house.openai()


class Whole:
    """One choice of an answer, streamed or not: what a client makes of it."""

    def __init__(self) -> None:
        self.content = ""
        self.reasoning = ""
        self.calls: list[dict[str, str]] = []
        self.logprobs: list[Any] = []
        self.finish: str | None = None
        self.usage: Any = None

    def read(self, choice: Any) -> None:
        """A whole choice, or that of a chunk."""
        said = getattr(choice, "message", None) or choice.delta
        assert self.finish is None, "nothing comes after the end"
        self.content += said.content or ""
        self.reasoning += getattr(said, "reasoning_content", None) or ""
        for at, call in enumerate(said.tool_calls or ()):
            index = getattr(call, "index", at)
            if index == len(self.calls):
                # Id and name come first, and once.
                assert call.id
                assert call.type == "function"
                self.calls.append({"id": call.id, "name": call.function.name, "arguments": ""})
            self.calls[index]["arguments"] += call.function.arguments or ""
        self.logprobs += (choice.logprobs and choice.logprobs.content) or []
        self.finish = choice.finish_reason


class Asker:
    """Asks with the official client, whole or streamed."""

    def __init__(self, client: openai.OpenAI, *, streamed: bool) -> None:
        self.client = client
        self.streamed = streamed

    def all(self, prompt: str, model: str = "Tiny", **options: Any) -> list[Whole]:
        """Every choice of the answer to a user's message; `extra` has fields of our own."""
        extra = options.pop("extra", None)
        arguments = {"temperature": 0, "max_tokens": 400} | options
        create: Any = self.client.chat.completions.create
        messages = [{"role": "user", "content": prompt}]
        if not self.streamed:
            answer = create(model=model, messages=messages, extra_body=extra, **arguments)
            found = [Whole() for _ in answer.choices]
            for choice in answer.choices:
                found[choice.index].read(choice)
                found[choice.index].usage = answer.usage
            return found
        arguments["stream_options"] = {"include_usage": True}
        found = [Whole() for _ in range(options.get("n", 1))]
        with create(
            model=model, messages=messages, extra_body=extra, stream=True, **arguments
        ) as chunks:
            for chunk in chunks:
                for choice in chunk.choices:
                    found[choice.index].read(choice)
                for whole in found:
                    whole.usage = chunk.usage or whole.usage
        return found

    def __call__(self, prompt: str, model: str = "Tiny", **options: Any) -> Whole:
        """The one choice of an answer."""
        (whole,) = self.all(prompt, model, **options)
        assert whole.finish is not None
        return whole


@pytest.fixture(scope="module", params=[False, True], ids=["whole", "streamed"])
def ask(client: openai.OpenAI, request: pytest.FixtureRequest) -> Asker:
    return Asker(client, streamed=request.param)


# Thinking.


@pytest.mark.parametrize("prompt", CLEAR)
def test_thinking_is_told_apart_from_the_answer(ask: Asker, prompt: str) -> None:
    answer = ask(prompt)
    assert answer.reasoning.strip() == THOUGHTS[prompt]
    assert answer.content == CLEAR[prompt]
    assert answer.finish == "stop"
    details = answer.usage.completion_tokens_details
    assert 0 < details.reasoning_tokens < answer.usage.completion_tokens


@pytest.mark.parametrize(
    "calm",
    [
        {"extra": CALM},
        {"extra": {"chat_template_kwargs": CALM}},
        {"reasoning_effort": "none"},
    ],
)
def test_thinking_can_be_switched_off(ask: Asker, calm: dict[str, Any]) -> None:
    answer = ask(PARIS, **calm)
    assert (answer.reasoning, answer.content) == ("", CLEAR[PARIS])
    assert answer.usage.completion_tokens_details.reasoning_tokens == 0


@pytest.mark.parametrize("budget", [0, 1, 5])
def test_thinking_has_a_budget(ask: Asker, budget: int) -> None:
    answer = ask(PARIS, extra={"thinking_budget": budget})
    assert len(answer.reasoning) < len(THOUGHTS[PARIS])
    assert THOUGHTS[PARIS].startswith(answer.reasoning.strip())
    assert answer.content
    assert answer.finish == "stop"


@pytest.mark.parametrize("budget", [0, 2])
def test_an_answer_in_a_form_follows_thinking_that_was_ended(ask: Asker, budget: int) -> None:
    answer = ask(PARIS, extra={"thinking_budget": budget, "regex": "[0-9]{3}"})
    assert len(answer.content) == 3
    assert answer.content.isdigit()


# Answers that are gone on with.


@pytest.mark.parametrize("tokens", [1, 3, 5])
def test_an_answer_that_was_cut_is_gone_on_with(client: openai.OpenAI, tokens: int) -> None:
    create: Any = client.chat.completions.create
    question = {"role": "user", "content": PARIS}
    asked = {"model": "Tiny", "temperature": 0}
    cut = create(messages=[question], max_tokens=tokens, extra_body=CALM, **asked).choices[0]
    assert (cut.finish_reason, CLEAR[PARIS].startswith(cut.message.content)) == ("length", True)
    said = [question, {"role": "assistant", "content": cut.message.content}]
    rest = create(messages=said, extra_body={"continue_final_message": True}, **asked).choices[0]
    assert cut.message.content + rest.message.content == CLEAR[PARIS]
    assert rest.finish_reason == "stop"


# Tools.


def test_a_call_has_its_name_and_its_arguments(ask: Asker) -> None:
    answer = ask(NYC, tools=TOOLS)
    (call,) = answer.calls
    assert call["name"] == "get_weather"
    assert json.loads(call["arguments"]) == {"location": "NYC"}
    assert answer.finish == "tool_calls"
    assert answer.content == ""
    assert answer.reasoning


def test_tools_that_are_not_needed_are_not_called(ask: Asker) -> None:
    answer = ask("Hello!", tools=TOOLS, extra=CALM)
    assert answer.calls == []
    assert answer.finish == "stop"
    assert answer.content


@pytest.mark.parametrize("calm", [{}, CALM], ids=["thinking", "calm"])
def test_a_call_that_is_demanded_comes(ask: Asker, calm: dict[str, Any]) -> None:
    answer = ask("Hello!", tools=TOOLS, tool_choice="required", extra=calm)
    assert answer.calls
    schemas = {one["function"]["name"]: one["function"]["parameters"] for one in TOOLS}
    for call in answer.calls:
        jsonschema.validate(json.loads(call["arguments"]), schemas[call["name"]])
    assert answer.finish == "tool_calls"
    assert len({call["id"] for call in answer.calls}) == len(answer.calls)


def test_a_call_that_is_named_is_that_one(ask: Asker) -> None:
    named = {"type": "function", "function": {"name": "get_time"}}
    answer = ask(NYC, tools=TOOLS, tool_choice=named, extra=CALM)
    (call,) = answer.calls
    assert call["name"] == "get_time"
    jsonschema.validate(json.loads(call["arguments"]), TIME["function"]["parameters"])
    assert answer.finish == "tool_calls"


def test_without_parallel_calls_there_is_one(ask: Asker) -> None:
    for seed in range(4):
        answer = ask(
            NYC,
            tools=TOOLS,
            tool_choice="required",
            parallel_tool_calls=False,
            extra=CALM,
            **WARM | {"seed": seed},
        )
        assert len(answer.calls) == 1
        assert answer.finish == "tool_calls"


def test_with_the_choice_none_nothing_is_called(ask: Asker) -> None:
    answer = ask(NYC, tools=TOOLS, tool_choice="none", extra=CALM)
    assert answer.calls == []
    assert answer.finish in ("stop", "length")


def test_a_call_that_is_cut_comes_back_as_text(ask: Asker) -> None:
    answer = ask(NYC, tools=TOOLS, extra=CALM, max_tokens=8)
    assert answer.finish == "length"
    assert answer.calls == []
    assert answer.content


# Forms.


def test_a_schema_is_kept_and_parses_into_its_class(client: openai.OpenAI) -> None:
    answer = client.chat.completions.parse(
        model="Tiny",
        messages=[{"role": "user", "content": ALICE}],
        response_format=Person,
        max_tokens=200,
        extra_body=WARM | {"seed": 5},
    )
    assert answer.choices[0].finish_reason == "stop"
    assert isinstance(answer.choices[0].message.parsed, Person)


def strict(schema: dict[str, Any]) -> Any:
    return {"type": "json_schema", "json_schema": {"name": "it", "schema": schema, "strict": True}}


@pytest.mark.parametrize("calm", [{}, CALM], ids=["thinking", "calm"])
@pytest.mark.parametrize("seed", range(3))
def test_json_that_is_cut_is_whole_all_the_same(
    ask: Asker, calm: dict[str, Any], seed: int
) -> None:
    schema = {
        "type": "object",
        "properties": {"items": {"type": "array", "items": {"type": "string"}, "minItems": 1}},
        "required": ["items"],
        "additionalProperties": False,
    }
    answer = ask(
        "Count from 1 to 50",
        response_format=strict(schema),
        max_tokens=40,
        extra=calm,
        **WARM | {"seed": seed},
    )
    jsonschema.validate(json.loads(answer.content), schema)
    assert answer.usage.completion_tokens <= 40


def test_json_objects_are_json_objects(ask: Asker) -> None:
    answer = ask(ALICE, response_format={"type": "json_object"})
    assert json.loads(answer.content) == {"name": "Alice", "age": 30}
    for seed in range(3):
        other = ask("Hello!", response_format={"type": "json_object"}, **WARM | {"seed": seed})
        assert isinstance(json.loads(other.content), dict)


@pytest.mark.parametrize(
    ("form", "answers"),
    [
        ({"regex": "(yes|no)"}, {"yes", "no"}),
        ({"grammar": 'root ::= "left" | "right"'}, {"left", "right"}),
        ({"json_schema": {"enum": ["red", "blue"]}}, {'"red"', '"blue"'}),
    ],
)
def test_an_answer_is_in_the_language_it_was_asked_for(
    ask: Asker, form: dict[str, Any], answers: set[str]
) -> None:
    for calm in ({}, CALM):
        answer = ask("Hello!", extra=form | calm)
        assert answer.content in answers
        assert answer.finish == "stop"


@pytest.mark.parametrize(
    ("fields", "param", "says"),
    [
        (
            {"response_format": strict({"type": "object", "properties": {"a": {"type": "int"}}})},
            "response_format.json_schema.schema",
            "properties",
        ),
        ({"json_schema": {"$ref": "#/nowhere"}}, "json_schema", "nowhere"),
        ({"regex": "(unclosed"}, "regex", "regex"),
        ({"grammar": "root ::= other"}, "grammar", "other"),
        ({"regex": "a", "grammar": 'root ::= "a"'}, "regex", "one of them"),
        ({"max_tokens": 2, "regex": "[0-9]{40}"}, "max_tokens", "shortest"),
        ({"thinking_budget": -1}, "thinking_budget", "thinking_budget"),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs", "top_logprobs"),
        ({"tool_choice": "required"}, "tool_choice", "tool"),
        # By its place among all the tools, also where only it is allowed.
        (
            {"tools": [WEATHER, BAD_TOOL], "tool_choice": only("bad")},
            "tools[1].function.parameters",
            "nowhere",
        ),
        (
            {"tools": [WEATHER, BAD_TOOL], "tool_choice": "required"},
            "tools[1].function.parameters",
            "nowhere",
        ),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
def test_what_cannot_be_honoured_is_refused_by_name(
    house: Server, fields: dict[str, Any], param: str, says: str, streamed: bool
) -> None:
    body = {"model": "Tiny", "messages": [{"role": "user", "content": "Hello!"}]}
    limits = {"max_tokens": 20, "stream": streamed}
    answer = house.http().post("/v1/chat/completions", json=body | limits | fields)
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert error["type"] == "invalid_request_error"
    assert error["param"].startswith(param)
    assert says in error["message"]


# Scores and choices.


@pytest.mark.parametrize("stop", [None, "France"])
def test_scores_stand_beside_the_text(ask: Asker, stop: str | None) -> None:
    answer = ask(PARIS, logprobs=True, top_logprobs=3, extra=CALM, stop=stop)
    pieces = b"".join(bytes(one.bytes) for one in answer.logprobs).decode()
    expected = CLEAR[PARIS].partition(stop)[0] if stop else CLEAR[PARIS]
    assert answer.content == expected
    # Only the last token may be more than the text, where a stop string cuts it.
    assert pieces.startswith(expected) if stop else pieces == expected
    for one in answer.logprobs:
        assert one.logprob <= 0
        assert one.bytes == list(one.token.encode())
        assert one.top_logprobs[0].token == one.token
        assert len(one.top_logprobs) == 3


def test_several_choices_are_several_answers_to_one_prompt(ask: Asker) -> None:
    hot = {"temperature": 2.0, "top_p": 1.0, "seed": 1}
    answers = ask.all("Hello!", n=6, max_tokens=60, extra={"top_k": 0}, **hot)
    assert len(answers) == 6
    assert all(answer.finish for answer in answers)
    assert len({answer.reasoning + answer.content for answer in answers}) > 1
    usage = answers[0].usage
    assert usage.completion_tokens <= 360
    # The prompt counts once.
    assert usage.prompt_tokens == ask("Hello!", max_tokens=1).usage.prompt_tokens


def test_greedy_choices_are_all_the_same(ask: Asker) -> None:
    answers = ask.all("from 7", "Count", n=3, max_tokens=9)
    assert [answer.content for answer in answers] == [counted(7, 9)] * 3
    assert [answer.finish for answer in answers] == ["length"] * 3
    assert answers[0].usage.completion_tokens == 27


# What was computed before.


def test_a_prompt_that_was_computed_before_is_not_computed_again(ask: Asker) -> None:
    kind = "streamed" if ask.streamed else "whole"
    prompt = f"This is said {kind}. " + "It is said again and again. " * 30
    first, again = (ask(prompt, max_tokens=10) for _ in range(2))
    tokens = again.usage.prompt_tokens
    assert first.usage.prompt_tokens_details.cached_tokens < tokens // 2
    assert again.usage.prompt_tokens_details.cached_tokens == tokens - 1
    assert (again.reasoning, again.content) == (first.reasoning, first.content)


def test_a_conversation_may_have_a_name(house: Server, client: openai.OpenAI) -> None:
    named = client.with_options(default_headers={"KRONK_IMC_ID": "me"})
    assert Asker(named, streamed=False)(PARIS).content == CLEAR[PARIS]
    assert Asker(client, streamed=False)(PARIS, extra={"imc_id": "me"}).content == CLEAR[PARIS]
    too_long = client.with_options(default_headers={"KRONK_IMC_ID": "x" * 300})
    with pytest.raises(openai.BadRequestError, match="KRONK_IMC_ID"):
        Asker(too_long, streamed=False)(PARIS)


# Completions.


@pytest.mark.parametrize("streamed", [False, True])
def test_a_text_is_completed(client: openai.OpenAI, streamed: bool) -> None:
    create: Any = client.completions.create
    answer = create(model="Count", prompt="from 7", max_tokens=5, stream=streamed)
    found = list(answer) if streamed else [answer]
    choices = [choice for one in found for choice in one.choices]
    assert "".join(choice.text for choice in choices) == counted(7, 5)
    assert choices[-1].finish_reason == "length"


def test_a_text_has_sixteen_tokens_unless_more_are_asked_for(client: openai.OpenAI) -> None:
    answer = client.completions.create(model="Count", prompt="from 7")
    assert answer.choices[0].text == counted(7, 16)


def test_several_texts_and_choices_are_completed_in_order(client: openai.OpenAI) -> None:
    answer = client.completions.create(
        model="Count", prompt=["from 7", "from 90"], n=2, max_tokens=3, temperature=0
    )
    texts = {choice.index: choice.text for choice in answer.choices}
    assert texts == {0: counted(7, 3), 1: counted(7, 3), 2: counted(90, 3), 3: counted(90, 3)}


def test_a_text_can_come_back_with_its_completion_and_scores(client: openai.OpenAI) -> None:
    (choice,) = client.completions.create(
        model="Count", prompt="from 7", max_tokens=4, echo=True
    ).choices
    assert choice.text == "from 7" + counted(7, 4)
    (choice,) = client.completions.create(
        model="Count", prompt="from 7", max_tokens=4, logprobs=2, temperature=0
    ).choices
    scores: Any = choice.logprobs
    assert scores.tokens == [" 8", " 9", " 10", " 11"]
    assert scores.text_offset == [0, 2, 4, 7]
    assert all(-0.01 < logprob <= 0 for logprob in scores.token_logprobs)
    assert [max(top, key=top.get) for top in scores.top_logprobs] == scores.tokens


def test_a_gap_is_not_filled_by_a_model_that_has_no_tokens_for_it(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.completions.create(model="Tiny", prompt="def f(", suffix="return 1", max_tokens=5)
    assert refused.value.param == "suffix"
