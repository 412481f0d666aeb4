"""OpenAI's own client against the real gateway process and scripted workers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import openai
import pytest
from openai.types.chat import ChatCompletionUserMessageParam
from pydantic import BaseModel

from fakes.gateway_house import WORKER, House, done, ended, play, say
from kronk.gateway.job import WINDOW
from kronk.shared.wire.to_gateway import (
    Accepted,
    Delta,
    Failed,
    Finished,
    Granted,
    ReasoningDelta,
    Refused,
    ScoredDelta,
    ToolCallDelta,
    ToolCallRetracted,
)
from kronk.shared.wire.to_supervisor import LeaseRequest
from kronk.shared.wire.to_worker import Cancel, Submit
from kronk.shared.wire.values import Alternative, Constraint, TokenLogprob

COMPLETIONS = "/v1/completions"
HI: list[ChatCompletionUserMessageParam] = [{"role": "user", "content": "hi"}]


@pytest.fixture(scope="module")
def shared_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with House(tmp_path_factory.mktemp("h")) as house:
        yield house


@pytest.fixture
def house(shared_house: House) -> House:
    shared_house.forget()
    return shared_house


@pytest.fixture
def client(house: House) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{house.url}/v1", api_key="none", max_retries=0) as client:
        yield client


@pytest.fixture
def http(house: House) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=house.url, timeout=20) as client:
        yield client


TOOL: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "strict": True,
        "parameters": {
            "type": "object",
            "properties": {"place": {"type": "string"}},
            "required": ["place"],
            "additionalProperties": False,
        },
    },
}
CALLS = play(
    lambda request: ReasoningDelta(request, 0, "hm", (1,)),
    lambda request: ToolCallDelta(request, 0, 0, "call_a", "get_weather", ""),
    lambda request: ToolCallDelta(request, 0, 0, None, None, '{"place": '),
    lambda request: ToolCallDelta(request, 0, 0, None, None, '"Paris"}'),
    lambda request: ToolCallDelta(request, 0, 1, "call_b", "get_weather", ""),
    lambda request: ToolCallDelta(request, 0, 1, None, None, '{"place": "Rome"}'),
    lambda request: Finished(request, 0, "tool_calls"),
)


def test_a_stream_of_tool_calls_is_put_together_as_it_was_meant(
    house: House, client: openai.OpenAI
) -> None:
    house.script = CALLS
    with client.chat.completions.stream(model="tiny", messages=HI, tools=[TOOL]) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_completion()
    (choice,) = final.choices
    assert choice.finish_reason == "tool_calls"
    assert not choice.message.content
    assert choice.message.reasoning_content == "hm"  # type: ignore[attr-defined]
    assert choice.message.tool_calls is not None
    assert [(call.id, call.function.parsed_arguments) for call in choice.message.tool_calls] == [
        ("call_a", {"place": "Paris"}),
        ("call_b", {"place": "Rome"}),
    ]
    assert kinds.count("tool_calls.function.arguments.done") == 2
    (submit,) = house.wait_for(Submit)
    assert submit.prompt.tools == (TOOL,)


def test_tool_calls_of_a_whole_answer_can_be_sent_back(house: House, client: openai.OpenAI) -> None:
    house.script = CALLS
    answer = client.chat.completions.create(model="tiny", messages=HI, tools=[TOOL])
    message = answer.choices[0].message
    assert message.content is None
    house.script = say("It is sunny.")
    results: Any = [
        {"role": "tool", "tool_call_id": call.id, "content": "18"}
        for call in message.tool_calls or []
    ]
    given: Any = message.model_dump(exclude_none=True)
    client.chat.completions.create(model="tiny", messages=[*HI, given, *results], tools=[TOOL])
    sent = house.wait_for(Submit, 2)[1].prompt.messages
    assert [one["role"] for one in sent] == ["user", "assistant", "tool", "tool"]
    assert sent[1]["reasoning_content"] == "hm"
    assert [call["function"]["arguments"] for call in sent[1]["tool_calls"]] == [
        '{"place": "Paris"}',
        '{"place": "Rome"}',
    ]


def test_a_retracted_call_is_content_and_no_call(house: House, client: openai.OpenAI) -> None:
    house.script = play(
        lambda request: ToolCallDelta(request, 0, 0, "call_a", "get_weather", ""),
        lambda request: ToolCallRetracted(request, 0, 0, "<tool_call>{"),
        lambda request: Finished(request, 0, "length"),
    )
    (choice,) = client.chat.completions.create(model="tiny", messages=HI, tools=[TOOL]).choices
    assert choice.message.tool_calls is None
    assert (choice.message.content, choice.finish_reason) == ("<tool_call>{", "length")
    stream = client.chat.completions.create(model="tiny", messages=HI, tools=[TOOL], stream=True)
    choices = [chunk.choices[0] for chunk in stream]
    assert "".join(one.delta.content or "" for one in choices) == "<tool_call>{"
    assert choices[-1].finish_reason == "length"


class Weather(BaseModel):
    place: str
    degrees: int


def test_a_parsed_answer_follows_its_schema(house: House, client: openai.OpenAI) -> None:
    house.script = say('{"place": "Paris", ', '"degrees": 18}')
    answer = client.chat.completions.parse(model="tiny", messages=HI, response_format=Weather)
    assert answer.choices[0].message.parsed == Weather(place="Paris", degrees=18)
    constraint = house.wait_for(Submit)[0].answer.constraint
    assert isinstance(constraint, Constraint)
    assert constraint.kind == "json_schema"
    assert '"degrees"' in constraint.source
    with client.chat.completions.stream(
        model="tiny", messages=HI, response_format=Weather
    ) as stream:
        assert stream.get_final_completion().choices[0].message.parsed is not None


def score(piece: bytes) -> TokenLogprob:
    return TokenLogprob(piece, -0.25, (Alternative(piece, -0.25), Alternative(b"x", -3.0)))


def test_log_probabilities_reach_the_client_whole_and_streamed(
    house: House, client: openai.OpenAI
) -> None:
    house.script = play(
        lambda request: ScoredDelta(request, 0, "", (1,), (score(b"\xc3"),)),
        lambda request: ScoredDelta(request, 0, "\u00e9", (2,), (score(b"\xa9"),)),
        lambda request: Finished(request, 0, "stop"),
    )
    answer = client.chat.completions.create(
        model="tiny", messages=HI, logprobs=True, top_logprobs=2
    )
    assert answer.choices[0].logprobs is not None
    tokens = answer.choices[0].logprobs.content or []
    assert [token.bytes for token in tokens] == [[0xC3], [0xA9]]
    assert [other.token for other in tokens[0].top_logprobs] == ["\ufffd", "x"]
    stream = client.chat.completions.create(
        model="tiny", messages=HI, logprobs=True, top_logprobs=2, stream=True
    )
    parts = [chunk.choices[0].logprobs for chunk in stream]
    assert [token for part in parts if part for token in part.content or []] == tokens


def test_two_choices_are_told_apart(house: House, client: openai.OpenAI) -> None:
    house.script = play(
        lambda request: Delta(request, 1, "b", (1,)),
        lambda request: Delta(request, 0, "a", (1,)),
        lambda request: Finished(request, 1, "stop"),
        lambda request: Delta(request, 0, "a", (1,)),
        lambda request: Finished(request, 0, "length"),
    )
    answer = client.chat.completions.create(model="tiny", messages=HI, n=2)
    assert [choice.message.content for choice in answer.choices] == ["aa", "b"]
    assert [choice.finish_reason for choice in answer.choices] == ["length", "stop"]
    assert house.wait_for(Submit)[0].answer.choices == 2
    texts = ["", ""]
    roles = []
    for chunk in client.chat.completions.create(model="tiny", messages=HI, n=2, stream=True):
        (choice,) = chunk.choices
        texts[choice.index] += choice.delta.content or ""
        roles += [choice.index] if choice.delta.role else []
    assert (texts, roles) == (["aa", "b"], [0, 1])


@pytest.mark.parametrize("stream", [False, True])
def test_the_client_comes_again_when_the_server_was_busy(
    house: House, client: openai.OpenAI, stream: bool
) -> None:
    refusals = [Refused(0, "overloaded", "busy", None, 0.0)]

    def grant(ask: LeaseRequest) -> Granted | Refused:
        if refusals:
            return replace(refusals.pop(), lease=ask.lease)
        return Granted(ask.lease, WORKER)

    house.grant = grant
    create: Any = client.with_options(max_retries=1).chat.completions.create
    answer = create(model="tiny", messages=HI, stream=stream)
    choices = (
        [chunk.choices[0].delta for chunk in answer] if stream else [answer.choices[0].message]
    )
    assert "".join(one.content or "" for one in choices) == "Hello world"
    assert len(house.all(LeaseRequest)) == 2
    house.forget()
    house.grant = lambda ask: Refused(ask.lease, "overloaded", "busy", None, 0.0)
    with pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(model="tiny", messages=HI)
    assert (caught.value.status_code, caught.value.code) == (503, "overloaded")


def test_a_completion_whole_and_streamed(house: House, client: openai.OpenAI) -> None:
    answer = client.completions.create(model="tiny", prompt="Say: ", suffix="!", echo=True)
    assert answer.object == "text_completion"
    assert answer.choices[0].text == "Say: Hello world"
    assert answer.usage is not None
    assert answer.usage.total_tokens == 7
    (submit,) = house.wait_for(Submit)
    assert (submit.prompt.text, submit.prompt.suffix, submit.max_tokens) == ("Say: ", "!", 16)
    stream = client.completions.create(model="tiny", prompt=[1, 2], stream=True)
    chunks = [chunk.choices[0] for chunk in stream]
    assert [chunk.text for chunk in chunks] == ["Hello", " world", ""]
    assert chunks[-1].finish_reason == "stop"
    assert house.wait_for(Submit, 2)[1].prompt.tokens == (1, 2)


def test_logprobs_of_a_completion(house: House, client: openai.OpenAI) -> None:
    house.script = play(
        lambda request: ScoredDelta(request, 0, "ab", (1, 2), (score(b"a"), score(b"b"))),
        lambda request: Finished(request, 0, "stop"),
    )
    answer = client.completions.create(model="tiny", prompt="x", logprobs=2)
    scores = answer.choices[0].logprobs
    assert scores is not None
    assert (scores.tokens, scores.text_offset) == (["a", "b"], [0, 1])
    assert scores.top_logprobs == [{"a": -0.25, "x": -3.0}, {"b": -0.25, "x": -3.0}]


def parrot(submit: Submit) -> Iterator[Any]:
    """Says the prompt for each choice."""
    yield Accepted(submit.request, 5)
    for choice in range(submit.answer.choices):
        yield Delta(submit.request, choice, f"{submit.prompt.text}{choice}", (1,))
        yield Finished(submit.request, choice, "stop")
    yield ended(submit.request)


@pytest.mark.parametrize("stream", [False, True])
def test_several_prompts_are_one_answer(house: House, client: openai.OpenAI, stream: bool) -> None:
    house.script = parrot
    made: Any = client.completions.create(model="tiny", prompt=["a", "b"], n=2, stream=stream)
    texts = [""] * 4
    for part in made if stream else [made]:
        for choice in part.choices:
            texts[choice.index] += choice.text
    assert texts == ["a0", "a1", "b0", "b1"]
    if not stream:
        assert (made.usage.prompt_tokens, made.usage.completion_tokens) == (10, 4)
    assert house.settled()


@pytest.mark.parametrize("stream", [False, True])
def test_a_prompt_that_is_refused_refuses_all_of_them(
    house: House, http: httpx.Client, stream: bool
) -> None:
    def script(submit: Submit) -> Iterator[Any]:
        if submit.prompt.text == "b":
            yield Failed(submit.request, "context_length_exceeded", "9 > 8 tokens", "prompt")
        else:
            yield Accepted(submit.request, 5)
            yield Delta(submit.request, 0, "x", (1,))

    house.script = script
    body = {"model": "tiny", "prompt": ["a", "b"], "stream": stream}
    answer = http.post(COMPLETIONS, json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "prompt"
    assert house.settled()
    assert len(house.wait_for(Cancel)) == 1


@pytest.mark.parametrize("stream", [False, True])
def test_prompts_that_wait_for_one_anothers_places_all_come_through(
    house: House, http: httpx.Client, stream: bool
) -> None:
    asked: list[LeaseRequest] = []

    def grant(ask: LeaseRequest) -> Granted | None:
        asked.append(ask)
        return Granted(ask.lease, WORKER) if len(asked) == 1 else None

    def script(submit: Submit) -> Iterator[Any]:
        yield Accepted(submit.request, 5)
        for _ in range(3 * WINDOW):
            yield Delta(submit.request, 0, "@", (1,))
        if submit.prompt.text == "a":
            house.control(Granted(asked[1].lease, WORKER))
        yield from done(submit.request)

    house.grant, house.script = grant, script
    body = {"model": "tiny", "prompt": ["a", "b"], "stream": stream}
    answer = http.post(COMPLETIONS, json=body)
    assert answer.status_code == 200
    assert answer.text.count("@") == 6 * WINDOW
    assert house.settled()
