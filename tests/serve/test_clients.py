"""OpenAI's official client and LangChain's, as their users use them: only `base_url` is ours."""

from __future__ import annotations

import asyncio
import json
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import openai
import pytest
import tiktoken
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool as langchain_tool
from langchain_openai import ChatOpenAI, OpenAI, OpenAIEmbeddings
from pydantic import BaseModel

from harness import random_pooled
from harness.prompts import CLEAR, THOUGHTS
from harness.random_pooled import MEAN, WIDTH
from harness.routes import CHAT, EMBED
from harness.server import SMALL, Server, running_server
from harness.waiting import PATIENCE

PARIS, ALICE = "What is the capital of France?", "Give me JSON for a person called Alice aged 30."
NYC = "What is the weather in NYC?"
# Fields of ours go where the client lets them through.
CALM = {"enable_thinking": False}
FOX, DOG = "red fox", "old dog"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("models")
    files = {
        f"test/tiny/{CHAT}.gguf": random_pooled.CHAT,
        f"test/tiny/{EMBED}.gguf": random_pooled.encoder(folder / "mean.gguf", MEAN),
    }
    config: dict[str, Any] = {CHAT: SMALL, EMBED: {"n_threads": 1}}
    base = tmp_path_factory.mktemp("clients")
    with running_server(base, files, config, "--cache-ttl=0", "--models-in-cache=9") as server:
        yield server
        assert server.alarms() == []


@pytest.fixture(scope="module")
def client(server: Server) -> openai.OpenAI:
    return server.openai()


def said(text: str) -> Any:
    return [{"role": "user", "content": text}]


class Person(BaseModel):
    name: str
    age: int


class GetWeather(BaseModel):
    """The weather at a place."""

    location: str


WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather at a place.",
        "parameters": {
            "type": "object",
            "properties": {"location": {"type": "string"}},
            "required": ["location"],
            "additionalProperties": False,
        },
        "strict": True,
    },
}


# OpenAI's client.


def test_an_answer_has_what_the_client_reads_from_it(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model=CHAT,
        messages=said(PARIS),
        temperature=0,
        user="ann",
        store=True,
        metadata={"a": "b"},
        service_tier="auto",
        prompt_cache_key="k",
    )
    (choice,) = answer.choices
    assert choice.message.content == CLEAR[PARIS]
    assert choice.message.role == "assistant"
    assert choice.finish_reason == "stop"
    assert (answer.object, answer.model, answer.service_tier) == (
        "chat.completion",
        CHAT,
        "default",
    )
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    # From the header.
    assert answer._request_id


def test_the_stream_helper_puts_an_answer_together(client: openai.OpenAI) -> None:
    with client.chat.completions.stream(
        model=CHAT,
        messages=said(PARIS),
        temperature=0,
        stream_options={"include_usage": True, "include_obfuscation": True},
    ) as stream:
        deltas = [event.delta for event in stream if event.type == "content.delta"]
        final = stream.get_final_completion()
    assert "".join(deltas) == CLEAR[PARIS] == final.choices[0].message.content
    assert final.choices[0].message.reasoning_content.strip() == THOUGHTS[PARIS]  # type: ignore[attr-defined]
    assert final.usage is not None


def test_a_stream_can_be_left_in_the_middle(client: openai.OpenAI) -> None:
    with client.chat.completions.create(
        model=CHAT, messages=said("Count from 1 to 50"), stream=True, max_tokens=300
    ) as stream:
        next(iter(stream))
    # The connection is given up, and the client is as good as before.
    assert client.chat.completions.create(model=CHAT, messages=said(PARIS), max_tokens=1).choices


def test_a_class_is_parsed_from_an_answer(client: openai.OpenAI) -> None:
    answer = client.chat.completions.parse(
        model=CHAT, messages=said(ALICE), response_format=Person, max_tokens=200, temperature=0
    )
    assert answer.choices[0].message.parsed == Person(name="Alice", age=30)


def test_a_tools_arguments_are_parsed_from_an_answer(client: openai.OpenAI) -> None:
    answer = client.chat.completions.parse(
        model=CHAT,
        messages=said(NYC),
        tools=[openai.pydantic_function_tool(GetWeather, name="get_weather")],
        max_tokens=200,
        temperature=0,
    )
    (call,) = answer.choices[0].message.tool_calls or []
    assert call.function.parsed_arguments == GetWeather(location="NYC")


def test_a_conversation_with_a_tool_goes_round(client: openai.OpenAI) -> None:
    messages: list[Any] = said(NYC)
    first = client.chat.completions.create(
        model=CHAT, messages=messages, tools=[WEATHER], max_tokens=200, temperature=0
    )
    message = first.choices[0].message
    assert first.choices[0].finish_reason == "tool_calls"
    (call,) = message.tool_calls or []
    assert call.type == "function"
    assert json.loads(call.function.arguments) == {"location": "NYC"}
    # The message goes back as it came, which is how users do it.
    messages += [message, {"role": "tool", "tool_call_id": call.id, "content": "sunny, 18"}]
    second = client.chat.completions.create(
        model=CHAT, messages=messages, tools=[WEATHER], max_tokens=50, temperature=0
    )
    assert second.choices[0].finish_reason in ("stop", "length", "tool_calls")


def test_log_probabilities_are_read(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model=CHAT,
        messages=said("Hello!"),
        logprobs=True,
        top_logprobs=2,
        temperature=0,
        extra_body=CALM,
    )
    scores = answer.choices[0].logprobs
    assert scores is not None
    assert "".join(one.token for one in scores.content or []) == CLEAR["Hello!"]
    assert all(len(one.top_logprobs) == 2 for one in scores.content or [])


def test_a_completion_is_read(client: openai.OpenAI) -> None:
    answer = client.completions.create(model=CHAT, prompt="Hello", max_tokens=3, logprobs=1)
    (choice,) = answer.choices
    assert choice.finish_reason == "length"
    assert choice.logprobs is not None
    assert len(choice.logprobs.tokens or []) == 3
    chunks = list(client.completions.create(model=CHAT, prompt="Hello", max_tokens=3, stream=True))
    assert chunks[-1].choices[0].finish_reason == "length"


def test_embeddings_are_read_as_the_client_asks_for_them(client: openai.OpenAI) -> None:
    # Base64 unless told otherwise, which the client turns into numbers.
    packed = client.embeddings.create(model=EMBED, input=[FOX, DOG])
    plain = client.embeddings.create(model=EMBED, input=[FOX, DOG], encoding_format="float")
    assert [item.index for item in packed.data] == [0, 1]
    assert [len(item.embedding) for item in packed.data] == [WIDTH, WIDTH]
    for one, other in zip(packed.data, plain.data, strict=True):
        assert one.embedding == pytest.approx(other.embedding, abs=1e-6)
    short = client.embeddings.create(model=EMBED, input=FOX, dimensions=16)
    assert len(short.data[0].embedding) == 16


def test_models_are_listed_and_found(client: openai.OpenAI) -> None:
    assert {model.id for model in client.models.list()} == {CHAT, EMBED}
    assert client.models.retrieve(CHAT).object == "model"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("nope")


ERRORS: list[tuple[dict[str, Any], type[openai.APIStatusError], str, str]] = [
    ({"temperature": 9}, openai.BadRequestError, "invalid_argument", "temperature"),
    ({"messages": []}, openai.BadRequestError, "invalid_argument", "messages"),
    (
        {"messages": said("word " * 3000)},
        openai.BadRequestError,
        "context_length_exceeded",
        "messages",
    ),
    ({"model": "nope"}, openai.NotFoundError, "not_found", "model"),
    ({"extra_body": {"wat": 1}}, openai.BadRequestError, "invalid_argument", "wat"),
]


@pytest.mark.parametrize(("fields", "kind", "code", "param"), ERRORS)
@pytest.mark.parametrize("stream", [False, True])
def test_errors_are_the_clients_own_classes(
    client: openai.OpenAI,
    fields: dict[str, Any],
    kind: type[openai.APIStatusError],
    code: str,
    param: str,
    stream: bool,
) -> None:
    create: Any = client.chat.completions.create
    with pytest.raises(kind) as caught:
        create(**{"model": CHAT, "messages": said("x"), "stream": stream, **fields})
    assert (caught.value.code, caught.value.param) == (code, param)
    assert caught.value.type == "invalid_request_error"
    assert caught.value.request_id


def test_a_client_that_is_out_of_patience_raises_its_timeout(client: openai.OpenAI) -> None:
    with pytest.raises(openai.APITimeoutError):
        client.with_options(timeout=0.001).chat.completions.create(
            model=CHAT, messages=said(PARIS), max_tokens=900, extra_body={"ignore_eos": True}
        )


def test_the_raw_response_has_our_headers(client: openai.OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(
        model=CHAT, messages=said("Hello!"), max_tokens=1, extra_headers={"x-request-id": "mine-1"}
    )
    assert raw.headers["x-request-id"] == raw.headers["request-id"] == "mine-1"
    assert raw.parse()._request_id == "mine-1"


def test_the_asynchronous_client_does_the_same_at_once(server: Server) -> None:
    async def ask() -> None:
        async with openai.AsyncOpenAI(
            base_url=f"{server.url}/v1", api_key="none", max_retries=0, timeout=PATIENCE
        ) as client:
            whole, streamed, parsed, vectors, models = await asyncio.gather(
                client.chat.completions.create(model=CHAT, messages=said(PARIS), temperature=0),
                stream(client),
                client.chat.completions.parse(
                    model=CHAT,
                    messages=said(ALICE),
                    response_format=Person,
                    max_tokens=200,
                    temperature=0,
                ),
                client.embeddings.create(model=EMBED, input=FOX),
                client.models.list(),
            )
        assert whole.choices[0].message.content == CLEAR[PARIS]
        assert streamed == CLEAR["Hello!"]
        assert parsed.choices[0].message.parsed == Person(name="Alice", age=30)
        assert len(vectors.data[0].embedding) == WIDTH
        assert {model.id for model in models.data} == {CHAT, EMBED}

    async def stream(client: openai.AsyncOpenAI) -> str:
        chunks = await client.chat.completions.create(
            model=CHAT, messages=said("Hello!"), temperature=0, stream=True
        )
        return "".join([chunk.choices[0].delta.content or "" async for chunk in chunks])

    asyncio.run(ask())


# LangChain.


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@dataclass
class LangChain:
    """Its models, on connections that are closed in the end: its own stay open for ever."""

    server: Server
    sync: openai.DefaultHttpxClient
    asynchronous: openai.DefaultAsyncHttpxClient

    def given(self) -> dict[str, Any]:
        return {
            "base_url": f"{self.server.url}/v1",
            "api_key": "none",
            "max_retries": 0,
            "http_client": self.sync,
            "http_async_client": self.asynchronous,
        }

    def chat(self, **options: Any) -> ChatOpenAI:
        return ChatOpenAI(
            model=CHAT, **{"temperature": 0, "max_tokens": 300} | self.given() | options
        )


@pytest.fixture(scope="module")
def langchain(server: Server, runner: asyncio.Runner) -> Iterator[LangChain]:
    with openai.DefaultHttpxClient() as sync:
        asynchronous = openai.DefaultAsyncHttpxClient()
        yield LangChain(server, sync, asynchronous)
        runner.run(asynchronous.aclose())


@pytest.fixture(params=[False, True], ids=["chat", "responses"])
def chat(langchain: LangChain, request: pytest.FixtureRequest) -> ChatOpenAI:
    return langchain.chat(use_responses_api=request.param)


def test_langchain_invokes_and_streams(chat: ChatOpenAI) -> None:
    answer = chat.invoke([HumanMessage(PARIS)])
    assert answer.text == CLEAR[PARIS]
    assert answer.usage_metadata is not None
    assert answer.usage_metadata["output_tokens"] > 0
    assert "".join(chunk.text for chunk in chat.stream(PARIS)) == CLEAR[PARIS]


def test_langchain_invokes_asynchronously_and_in_batches(
    chat: ChatOpenAI, runner: asyncio.Runner
) -> None:
    assert runner.run(chat.ainvoke("Hello!")).text == CLEAR["Hello!"]
    answers = chat.batch([PARIS, "Hello!"])
    assert [answer.text for answer in answers] == [CLEAR[PARIS], CLEAR["Hello!"]]


@langchain_tool
def get_weather(location: str) -> str:
    """The weather at a place."""
    return f"sunny in {location}"


def test_langchain_binds_tools_and_gets_calls_back(chat: ChatOpenAI) -> None:
    bound = chat.bind_tools([get_weather])
    messages: list[Any] = [HumanMessage(NYC)]
    answer = bound.invoke(messages)
    assert isinstance(answer, AIMessage)
    (call,) = answer.tool_calls
    assert (call["name"], call["args"]) == ("get_weather", {"location": "NYC"})
    result = get_weather.invoke(call)
    assert isinstance(result, ToolMessage)
    assert bound.invoke([*messages, answer, result]).response_metadata
    # Put together from chunks.
    whole: Any = None
    for chunk in bound.stream(messages):
        whole = chunk if whole is None else whole + chunk
    assert [call["args"] for call in whole.tool_calls] == [{"location": "NYC"}]


def test_langchain_demands_a_tool(chat: ChatOpenAI) -> None:
    forced = chat.bind_tools([get_weather], tool_choice="get_weather")
    answer = forced.invoke("Hello!")
    assert [call["name"] for call in answer.tool_calls] == ["get_weather"]


@pytest.mark.parametrize("method", ["json_schema", "function_calling", "json_mode"])
def test_langchain_gets_structured_answers(chat: ChatOpenAI, method: Any) -> None:
    with warnings.catch_warnings():
        # Of pydantic, about the class that LangChain puts into the client's own message.
        warnings.simplefilter("ignore", UserWarning)
        answer = chat.with_structured_output(Person, method=method).invoke(ALICE)
    assert isinstance(answer, Person)
    if method != "function_calling":
        assert answer == Person(name="Alice", age=30)


def test_langchain_reads_log_probabilities_and_other_messages(langchain: LangChain) -> None:
    model = langchain.chat(logprobs=True, top_logprobs=2, extra_body=CALM)
    answer = model.invoke([SystemMessage("You are kind."), HumanMessage("Hello!", name="ann")])
    assert answer.response_metadata["logprobs"]["content"]
    assert answer.response_metadata["system_fingerprint"].startswith("kronk-")


def test_langchain_completes_texts(langchain: LangChain) -> None:
    model = OpenAI(model=CHAT, max_tokens=5, **langchain.given())
    assert model.invoke("Hello")
    assert "".join(model.stream("Hello"))


def test_langchain_raises_the_official_clients_errors(chat: ChatOpenAI) -> None:
    with pytest.raises(openai.BadRequestError):
        chat.invoke([HumanMessage("word " * 3000)])
    with pytest.raises(openai.BadRequestError):
        chat.invoke("x", temperature=9)


@dataclass
class ModelsEncoding:
    """What LangChain takes for OpenAI's tokenizer, with the tokens of the server's model."""

    url: str

    def encode_ordinary(self, text: str) -> list[int]:
        # An array of tokens is all that the model sees, so its special tokens belong to it.
        body = {"model": EMBED, "content": text, "add_special": True}
        answer = httpx.post(f"{self.url}/v1/tokenize", json=body)
        tokens: list[int] = answer.json()["tokens"]
        return tokens

    def encode(self, text: str, **_: Any) -> list[int]:
        return self.encode_ordinary(text)


def test_langchain_embeds_texts_and_by_default_tokens(
    langchain: LangChain, runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoding = ModelsEncoding(langchain.server.url)
    monkeypatch.setattr(tiktoken, "encoding_for_model", lambda _: encoding)
    given = langchain.given()
    as_tokens = OpenAIEmbeddings(model=EMBED, **given)
    as_texts = OpenAIEmbeddings(model=EMBED, **given, check_embedding_ctx_length=False)
    vectors = as_texts.embed_documents([FOX, DOG])
    assert [len(vector) for vector in vectors] == [WIDTH, WIDTH]
    for vector, other in zip(as_tokens.embed_documents([FOX, DOG]), vectors, strict=True):
        assert vector == pytest.approx(other, abs=1e-5)
    assert as_tokens.embed_query(FOX) == pytest.approx(vectors[0], abs=1e-5)
    assert runner.run(as_texts.aembed_query(DOG)) == pytest.approx(vectors[1], abs=1e-5)
