"""Anthropic's own client against a real server and real models."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anthropic
import httpx
import pydantic
import pytest

from harness.counting_model import counted
from harness.media_files import png, text
from harness.prompts import CLEAR, THOUGHTS
from harness.server import PATIENCE, Server
from kronk.gateway.dialects.anthropic.signature import unsealed

StartServer = Callable[..., Server]

PARIS = "What is the capital of France?"
ALICE = "Give me JSON for a person called Alice aged 30."
NYC = "What is the weather in NYC?"
GREEDY = {"temperature": 0}
CALM: Any = {"type": "disabled"}
WEATHER: Any = {
    "name": "get_weather",
    "input_schema": {
        "type": "object",
        "properties": {"location": {"type": "string", "description": "City name"}},
        "required": ["location"],
    },
}


class Person(pydantic.BaseModel):
    name: str
    age: int


@pytest.fixture(scope="module")
def client(house: Server) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(
        base_url=house.url, api_key="none", max_retries=0, timeout=PATIENCE
    ) as client:
        yield client


class Asker:
    """Asks with the official client, whole or with its stream helper."""

    def __init__(self, client: anthropic.Anthropic, *, streamed: bool) -> None:
        self.client = client
        self.streamed = streamed

    def __call__(self, prompt: str | list[Any], model: str = "Tiny", **options: Any) -> Any:
        messages = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
        fields: dict[str, Any] = {"max_tokens": 400, "extra_body": GREEDY, **options}
        if not self.streamed:
            return self.client.messages.create(model=model, messages=messages, **fields)
        with self.client.messages.stream(model=model, messages=messages, **fields) as stream:
            return stream.get_final_message()


@pytest.fixture(scope="module", params=[False, True], ids=["whole", "streamed"])
def ask(client: anthropic.Anthropic, request: pytest.FixtureRequest) -> Asker:
    return Asker(client, streamed=request.param)


def said(message: Any) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


def read_tokens(message: Any) -> int:
    """All tokens of the prompt."""
    usage = message.usage
    assert usage.cache_creation_input_tokens == 0
    return int(usage.input_tokens + usage.cache_read_input_tokens)


def test_thinking_and_text_are_blocks(ask: Asker) -> None:
    message = ask(PARIS)
    thinking, words = message.content
    assert (thinking.type, thinking.thinking.strip()) == ("thinking", THOUGHTS[PARIS])
    assert thinking.signature
    assert (words.type, words.text) == ("text", CLEAR[PARIS])
    assert (message.stop_reason, message.stop_sequence) == ("end_turn", None)
    assert message.id.startswith("msg_")
    details = message.usage.output_tokens_details
    assert 0 < details.thinking_tokens < message.usage.output_tokens


def test_the_stream_helper_sees_text_as_it_comes(client: anthropic.Anthropic) -> None:
    with client.messages.stream(
        model="Tiny",
        max_tokens=400,
        messages=[{"role": "user", "content": PARIS}],
        thinking=CALM,
        extra_body=GREEDY,
    ) as stream:
        pieces = list(stream.text_stream)
        final = stream.get_final_message()
    assert len(pieces) > 3
    assert "".join(pieces) == CLEAR[PARIS] == said(final)
    assert stream.request_id == stream.response.headers["x-request-id"]


def test_the_async_client_works_alike(house: Server) -> None:
    async def both() -> tuple[Any, Any]:
        async with anthropic.AsyncAnthropic(
            base_url=house.url, api_key="none", max_retries=0, timeout=PATIENCE
        ) as client:
            fields: dict[str, Any] = {
                "model": "Tiny",
                "max_tokens": 400,
                "messages": [{"role": "user", "content": PARIS}],
                "extra_body": GREEDY,
            }
            async with client.messages.stream(**fields) as stream:
                streamed = await stream.get_final_message()
            return await client.messages.create(**fields), streamed

    whole, streamed = asyncio.run(both())
    assert whole.content[1].text == streamed.content[1].text == CLEAR[PARIS]


# Thinking.


def test_thinking_can_be_switched_off(ask: Asker) -> None:
    message = ask(PARIS, thinking=CALM)
    assert [block.type for block in message.content] == ["text"]
    assert said(message) == CLEAR[PARIS]


def test_thinking_has_a_budget(ask: Asker) -> None:
    message = ask(PARIS, thinking={"type": "enabled", "budget_tokens": 5})
    thought = message.content[0].thinking.strip()
    assert THOUGHTS[PARIS].startswith(thought)
    assert len(thought) < len(THOUGHTS[PARIS])
    assert said(message)
    assert message.stop_reason == "end_turn"


def test_thinking_can_be_left_out_of_the_answer(ask: Asker) -> None:
    message = ask(PARIS, thinking={"type": "adaptive", "display": "omitted"})
    thinking, words = message.content
    assert thinking.thinking == ""
    assert unsealed(thinking.signature).strip() == THOUGHTS[PARIS]
    assert words.text == CLEAR[PARIS]


# Tools.


def test_a_call_is_made_and_its_result_read(ask: Asker) -> None:
    first = ask(NYC, tools=[WEATHER])
    assert first.stop_reason == "tool_use"
    *_, call = first.content
    assert (call.type, call.name, call.input) == ("tool_use", "get_weather", {"location": "NYC"})
    conversation = [
        {"role": "user", "content": NYC},
        {"role": "assistant", "content": first.content},
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": call.id,
                    "content": [{"type": "text", "text": "Sunny, 20 degrees."}],
                }
            ],
        },
    ]
    second = ask(conversation, tools=[WEATHER])
    assert second.content
    # The call and its result stand behind what was asked; the template leaves the thinking out.
    spoken = first.usage.output_tokens - first.usage.output_tokens_details.thinking_tokens
    assert read_tokens(second) > read_tokens(first) + spoken


@pytest.mark.parametrize(
    "choice",
    [{"type": "any"}, {"type": "tool", "name": "get_weather"}],
)
def test_a_call_that_is_demanded_comes(ask: Asker, choice: Any) -> None:
    message = ask("Hello!", tools=[WEATHER], tool_choice=choice, thinking=CALM)
    calls = [block for block in message.content if block.type == "tool_use"]
    assert calls
    assert all(call.name == "get_weather" and "location" in call.input for call in calls)
    assert message.stop_reason == "tool_use"


def test_arguments_of_a_demanded_call_come_as_they_are_written(
    client: anthropic.Anthropic,
) -> None:
    with client.messages.stream(
        model="Tiny",
        max_tokens=400,
        messages=[{"role": "user", "content": NYC}],
        tools=[WEATHER],
        tool_choice={"type": "any"},
        thinking=CALM,
        extra_body=GREEDY,
    ) as stream:
        pieces = [event.partial_json for event in stream if event.type == "input_json"]
        final = stream.get_final_message()
    assert len(pieces) > 1
    call = final.content[0]
    assert call.type == "tool_use"
    assert json.loads("".join(pieces)) == call.input


def test_a_call_that_is_cut_is_text(ask: Asker) -> None:
    message = ask(NYC, tools=[WEATHER], thinking=CALM, max_tokens=8)
    assert [block.type for block in message.content] == ["text"]
    assert message.stop_reason == "max_tokens"


def test_tools_of_any_schema_may_be_offered(ask: Asker) -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": "string", "not": {"const": ""}, "format": "uri"}},
        "patternProperties": {"^x": {"contains": 1}},
    }
    odd = {"name": "odd", "input_schema": schema, "cache_control": {"type": "ephemeral"}}
    assert said(ask(PARIS, tools=[odd, WEATHER], thinking=CALM))


def test_the_clients_tool_runner_runs_tools(client: anthropic.Anthropic) -> None:
    places = []

    @anthropic.beta_tool
    def get_weather(location: str) -> str:
        """Weather.

        Args:
            location: City name
        """
        places.append(location)
        return "Sunny, 20 degrees."

    runner = client.beta.messages.tool_runner(
        model="Tiny",
        max_tokens=300,
        messages=[{"role": "user", "content": NYC}],
        tools=[get_weather],
        max_iterations=2,
        extra_body=GREEDY,
    )
    messages = list(runner)
    assert messages[0].stop_reason == "tool_use"
    assert places[0] == "NYC"
    assert len(messages) == 2


# Ends.


def test_a_stop_sequence_ends_an_answer_and_is_named(ask: Asker) -> None:
    message = ask("from 7", "Count", stop_sequences=["nothing", " 10"], max_tokens=50)
    assert said(message) == counted(7, 2)
    assert (message.stop_reason, message.stop_sequence) == ("stop_sequence", " 10")


def test_the_last_token_that_is_allowed_ends_an_answer(ask: Asker) -> None:
    message = ask("from 7", "Count", max_tokens=5)
    assert said(message) == counted(7, 5)
    assert (message.stop_reason, message.usage.output_tokens) == ("max_tokens", 5)


def test_the_end_of_the_window_ends_an_answer_too(ask: Asker) -> None:
    message = ask("from 7", "Count", max_tokens=2000)
    assert message.stop_reason == "model_context_window_exceeded"
    assert read_tokens(message) + message.usage.output_tokens == 1024


def test_an_answer_has_the_form_that_was_asked_for(client: anthropic.Anthropic) -> None:
    message = client.messages.parse(
        model="Tiny",
        max_tokens=200,
        messages=[{"role": "user", "content": ALICE}],
        output_format=Person,
        thinking=CALM,
        extra_body=GREEDY,
    )
    assert message.parsed_output == Person(name="Alice", age=30)


def test_an_answer_goes_on_from_where_it_was_begun(ask: Asker) -> None:
    begun = [
        {"role": "user", "content": PARIS},
        {"role": "assistant", "content": "The capital of France"},
    ]
    message = ask(begun)
    assert said(message) == CLEAR[PARIS].removeprefix("The capital of France")
    count = ask.client.messages.count_tokens(model="Tiny", messages=begun)  # type: ignore[arg-type]
    assert count.input_tokens == read_tokens(message)


# Counts and the cache.


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"system": "Be brief."},
        {"tools": [WEATHER]},
        {"tools": [WEATHER], "tool_choice": {"type": "none"}},
        {"thinking": CALM},
        {"system": [{"type": "text", "text": "Be brief."}], "tools": [WEATHER], "thinking": CALM},
    ],
)
def test_tokens_are_counted_as_they_are_read(ask: Asker, fields: dict[str, Any]) -> None:
    messages: Any = [{"role": "user", "content": NYC}]
    count = ask.client.messages.count_tokens(model="Tiny", messages=messages, **fields)
    assert count.input_tokens == read_tokens(ask(NYC, max_tokens=1, **fields))


LONG = "You answer what you are asked. " * 30


def test_claude_codes_billing_header_does_not_defeat_the_cache(ask: Asker) -> None:
    checksums = itertools.count(0xABCDE + 16 * ask.streamed)

    def asked(lead: str) -> Any:
        header = f"x-anthropic-billing-header: cc_version=2.1.7; cch={next(checksums):05x};"
        system = [
            {"type": "text", "text": header},
            {"type": "text", "text": lead + LONG, "cache_control": {"type": "ephemeral"}},
        ]
        return ask(PARIS, system=system, max_tokens=1)

    lead = f"Streamed: {ask.streamed}. "
    first, again = asked(lead), asked(lead)
    assert first.usage.cache_read_input_tokens < 50
    assert again.usage.input_tokens == 1
    assert read_tokens(again) == read_tokens(first)


def test_a_request_for_no_tokens_warms_the_cache(ask: Asker) -> None:
    system = f"Warm and streamed: {ask.streamed}. {LONG}"
    cold = ask(PARIS, system=system, max_tokens=0)
    assert (cold.content, cold.stop_reason) == ([], "max_tokens")
    assert cold.usage.output_tokens == 0
    assert cold.usage.cache_read_input_tokens < 50
    assert ask(PARIS, system=system, max_tokens=1).usage.input_tokens == 1


def test_a_message_starts_with_the_tokens_that_the_cache_had(client: anthropic.Anthropic) -> None:
    fields: dict[str, Any] = {
        "model": "Tiny",
        "max_tokens": 1,
        "messages": [{"role": "user", "content": PARIS}],
        "system": f"The start. {LONG}",
    }
    client.messages.create(**fields)
    start, *_ = client.messages.create(**fields, stream=True)
    assert start.type == "message_start"
    assert start.message.usage.input_tokens == 1
    assert (start.message.usage.cache_read_input_tokens or 0) > 200


# Errors.


def test_errors_are_the_clients_own(client: anthropic.Anthropic) -> None:
    create: Any = client.messages.create
    fields = {"model": "Tiny", "max_tokens": 10, "messages": [{"role": "user", "content": "x"}]}
    with pytest.raises(anthropic.NotFoundError) as missing:
        create(**fields | {"model": "Nobody"})
    assert missing.value.body["error"]["type"] == "not_found_error"  # type: ignore[index]
    assert missing.value.request_id
    with pytest.raises(anthropic.BadRequestError, match=r"messages\.0\.content") as bad:
        create(**fields | {"messages": [{"role": "user", "content": 1}]})
    assert bad.value.body["error"]["type"] == "invalid_request_error"  # type: ignore[index]
    with pytest.raises(anthropic.BadRequestError, match=r"tools\.0\.type"):
        create(**fields | {"tools": [{"type": "web_search_20250305", "name": "web_search"}]})
    with pytest.raises(anthropic.BadRequestError, match=r"prompt is too long: \d+ tokens > 1024"):
        create(**fields | {"messages": [{"role": "user", "content": "word " * 2000}]})
    with pytest.raises(anthropic.NotFoundError):
        client.messages.count_tokens(model="Nobody", messages=fields["messages"])  # type: ignore[arg-type]


def test_a_schema_that_cannot_be_kept_is_named_as_it_was_sent(client: anthropic.Anthropic) -> None:
    tool: Any = {"name": "odd", "input_schema": {"type": "object", "properties": {"a": 5}}}
    with pytest.raises(anthropic.BadRequestError, match=r"tools\.1\.input_schema") as bad:
        client.messages.create(
            model="Tiny",
            max_tokens=50,
            messages=[{"role": "user", "content": "x"}],
            tools=[WEATHER, tool],
            tool_choice={"type": "any"},
        )
    assert bad.value.body["error"]["param"].startswith("tools[1].input_schema")  # type: ignore[index]


# What Claude Code does besides.


def test_models_are_listed_in_anthropics_form(house: Server, client: anthropic.Anthropic) -> None:
    expected = [row["id"] for row in house.get("/v1/models")["data"]]
    assert [model.id for model in client.models.list(limit=2)] == expected
    found = client.models.retrieve("Tiny")
    assert (found.type, found.id, found.lifecycle) == ("model", "Tiny", "active")
    with pytest.raises(anthropic.NotFoundError):
        client.models.retrieve("Nobody")


def test_a_request_of_claude_code_is_answered(house: Server) -> None:
    body = {
        "model": "Tiny",
        "max_tokens": 300,
        "stream": True,
        "temperature": 0,
        "system": [
            {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1.7; cch=00000;"},
            {"type": "text", "text": "Answer.", "cache_control": {"type": "ephemeral"}},
        ],
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": PARIS, "cache_control": {"type": "ephemeral"}}
                ],
            },
            {"role": "system", "content": [{"type": "text", "text": "There are no agents."}]},
        ],
        "tools": [WEATHER],
        "thinking": {"type": "enabled", "budget_tokens": 299},
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        "metadata": {"user_id": "user_1_account__session_2"},
    }
    headers = {
        "x-api-key": "none",
        "anthropic-version": "2023-06-01",
        "anthropic-beta": "claude-code-20250219,interleaved-thinking-2025-05-14",
    }
    with httpx.stream(
        "POST", f"{house.url}/v1/messages?beta=true", json=body, headers=headers, timeout=PATIENCE
    ) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        sent = answer.read().decode()
    assert sent.startswith("event: message_start\ndata: ")
    assert sent.endswith('event: message_stop\ndata: {"type":"message_stop"}\n\n')
    assert httpx.head(f"{house.url}/", timeout=PATIENCE).status_code == 200


# Images.


def image(data: bytes) -> Any:
    source = {"type": "base64", "media_type": "image/png", "data": text(data)}
    return {"type": "image", "source": source}


def test_an_image_for_a_text_model_is_refused_by_name(client: anthropic.Anthropic) -> None:
    content = [{"type": "text", "text": "What?"}, image(png(1, 2, 3))]
    with pytest.raises(anthropic.BadRequestError, match=r"messages\.0\.content\.1\.source"):
        client.messages.create(
            model="Count",
            max_tokens=5,
            messages=[{"role": "user", "content": content}],
        )


def test_images_are_seen_in_messages_and_in_results_of_tools(
    start_server: StartServer, tiny: Path
) -> None:
    projector = tiny.parent / "tiny-mmproj-f16.gguf"
    server = start_server({"a/see/See.gguf": tiny, "a/see/mmproj-See.gguf": projector})
    question = {"type": "text", "text": "What color is this image?"}
    red, blue = image(png(220, 30, 30)), image(png(35, 60, 220))
    with anthropic.Anthropic(base_url=server.url, api_key="none", max_retries=0) as client:
        fields: dict[str, Any] = {"model": "See", "thinking": CALM, "max_tokens": 30}
        messages: Any = [{"role": "user", "content": [red, question]}]
        message = client.messages.create(messages=messages, extra_body=GREEDY, **fields)
        assert said(message) == "The color is red."
        del fields["max_tokens"]
        assert client.messages.count_tokens(
            messages=messages, **fields
        ).input_tokens == read_tokens(message)
        call = {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {}}
        result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": [blue, question]}
        looked: Any = [
            {"role": "user", "content": "Look."},
            {"role": "assistant", "content": [call]},
            {"role": "user", "content": [result]},
        ]
        shown = client.messages.create(
            messages=looked, tools=[WEATHER], max_tokens=30, extra_body=GREEDY, **fields
        )
        assert shown.content
        assert read_tokens(shown) > 36
