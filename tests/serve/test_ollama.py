"""Ollama's API through its official client, on a running server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import ollama
import pydantic
import pytest

from harness import random_pooled
from harness.counting_model import counted
from harness.prompts import CLEAR, THOUGHTS
from harness.server import SMALL, Server, running_server
from harness.waiting import PATIENCE, wait_until
from kronk.gateway.dialects.ollama import schemas

PARIS = "What is the capital of France?"
ALICE = "Give me JSON for a person called Alice aged 30."
NYC = "What is the weather in NYC?"
GREEDY = {"temperature": 0, "num_predict": 400, "num_ctx": 4096}


class Person(pydantic.BaseModel):
    name: str
    age: int


def get_weather(location: str) -> str:
    """The weather at a place.

    Args:
        location: City name
    """
    return f"It rains in {location}."


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, tiny: Path, counting: Path, slow: Path
) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("models")
    files = {
        "test/tiny/Tiny.gguf": tiny,
        "test/tiny/mmproj.gguf": tiny.with_name("tiny-mmproj-f16.gguf"),
        "Count.gguf": counting,
        "Slow.gguf": slow,
        "Mean.gguf": random_pooled.encoder(folder / "mean.gguf", random_pooled.MEAN),
        "Rank.gguf": random_pooled.RERANKER,
    }
    config: dict[str, Any] = {
        "Mean": {"n_threads": 1},
        "Rank": {"n_threads": 1},
        "Tiny": SMALL | {"sampling-parameters": {"top_k": 20}},
        "Tiny/FAST": SMALL | {"n_seq_max": 2},
    }
    base = tmp_path_factory.mktemp("ollama")
    with running_server(base, files, config, "--cache-ttl=1h", "--models-in-cache=9") as server:
        yield server
        assert server.alarms() == []


@pytest.fixture(scope="module")
def client(server: Server) -> Iterator[ollama.Client]:
    with ollama.Client(server.url, timeout=PATIENCE) as client:
        yield client


def user(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def loaded(client: ollama.Client) -> list[str]:
    return sorted(model.model or "" for model in client.ps().models)


# Chats.


@pytest.mark.parametrize("name", ["Tiny", "Tiny:latest", "Tiny/FAST", "test/tiny/Tiny"])
def test_a_chat_is_answered_under_the_name_it_was_asked_by(
    client: ollama.Client, name: str
) -> None:
    answer = client.chat(name, user(PARIS), options=GREEDY)
    assert answer.model == name
    assert answer.message.content == CLEAR[PARIS]
    assert (answer.message.thinking or "").strip() == THOUGHTS[PARIS]
    assert (answer.done, answer.done_reason) == (True, "stop")


def test_a_stream_has_the_same_answer_and_ends_with_its_figures(client: ollama.Client) -> None:
    parts = list(client.chat("Tiny", user(PARIS), options=GREEDY, stream=True))
    assert "".join(part.message.content or "" for part in parts) == CLEAR[PARIS]
    assert "".join(part.message.thinking or "" for part in parts).strip() == THOUGHTS[PARIS]
    assert {part.message.role for part in parts} == {"assistant"}
    *before, last = parts
    assert len(before) > 10
    assert not any(part.done for part in before)
    assert (last.done, last.done_reason) == (True, "stop")
    assert last.eval_count
    assert last.prompt_eval_count
    assert last.total_duration is not None
    assert last.eval_duration is not None
    assert last.load_duration is not None
    assert 0 < last.eval_duration <= last.total_duration
    assert 0 <= last.load_duration <= last.total_duration


def test_the_async_client_streams_too(server: Server) -> None:
    async def ask() -> str:
        async with ollama.AsyncClient(server.url, timeout=PATIENCE) as client:
            parts = await client.chat("Tiny", user(PARIS), options=GREEDY, think=False, stream=True)
            text = "".join([part.message.content or "" async for part in parts])
            whole = await client.chat("Tiny", user(PARIS), options=GREEDY, think=False)
            assert (text, whole.message.thinking) == (whole.message.content, None)
            return text

    assert asyncio.run(ask()) == CLEAR[PARIS]


def test_an_answer_that_is_cut_says_so(client: ollama.Client) -> None:
    answer = client.generate("Count", "from 7", options=GREEDY | {"num_predict": 3})
    assert (answer.response, answer.done_reason, answer.eval_count) == (counted(7, 3), "length", 3)


def test_a_stop_string_ends_an_answer(client: ollama.Client) -> None:
    answer = client.generate("Count", "from 7", options=GREEDY | {"stop": " 12"})
    assert (answer.response, answer.done_reason) == (counted(7, 4), "stop")


@pytest.mark.parametrize("stream", [False, True])
def test_log_probabilities_stand_beside_their_text(client: ollama.Client, stream: bool) -> None:
    asked: Any = client.chat(
        "Tiny",
        user(PARIS),
        options=GREEDY,
        think=False,
        stream=stream,
        top_logprobs=2,
        logprobs=True,
    )
    parts = list(asked) if stream else [asked]
    scores = [score for part in parts for score in part.logprobs or ()]
    assert "".join(score.token for score in scores) == CLEAR[PARIS]
    assert all(score.logprob <= 0 and len(score.top_logprobs or ()) == 2 for score in scores)


@pytest.mark.parametrize("stream", [False, True])
def test_a_tool_is_called_and_its_result_is_read(client: ollama.Client, stream: bool) -> None:
    messages: list[Any] = user(NYC)
    asked: Any = client.chat(
        "Tiny", messages, tools=[get_weather], options=GREEDY, think=False, stream=stream
    )
    parts = list(asked) if stream else [asked]
    (call,) = [call for part in parts for call in part.message.tool_calls or ()]
    assert (call.function.name, call.function.arguments) == ("get_weather", {"location": "NYC"})
    assert parts[-1].done_reason == "stop"
    messages += [
        ollama.Message(role="assistant", tool_calls=[call]),
        ollama.Message(role="tool", content=get_weather("NYC"), tool_name="get_weather"),
    ]
    answer = client.chat("Tiny", messages, tools=[get_weather], options=GREEDY, think=False)
    assert answer.message.content
    assert not answer.message.tool_calls


@pytest.mark.parametrize("think", [False, True])
def test_an_answer_follows_a_schema(client: ollama.Client, think: bool) -> None:
    schema = Person.model_json_schema()
    answer = client.chat("Tiny", user(ALICE), format=schema, options=GREEDY, think=think)
    assert Person.model_validate_json(answer.message.content or "") == Person(name="Alice", age=30)
    prompted = client.generate("Tiny", ALICE, format="json", options=GREEDY, think=think)
    assert json.loads(prompted.response or "") == {"name": "Alice", "age": 30}


# Prompts.


def test_a_prompt_goes_through_the_template_unless_it_is_raw(client: ollama.Client) -> None:
    answer = client.generate("Tiny", PARIS, options=GREEDY)
    assert answer.response == CLEAR[PARIS]
    assert (answer.thinking or "").strip() == THOUGHTS[PARIS]
    written = f"<|im_start|>user\n{PARIS}<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
    raw = client.generate("Tiny", written, raw=True, options=GREEDY)
    assert raw.response == CLEAR[PARIS]


def test_the_parts_of_a_streamed_prompt_make_the_whole(client: ollama.Client) -> None:
    parts = list(client.generate("Tiny", PARIS, system="", options=GREEDY, stream=True))
    assert "".join(part.response or "" for part in parts) == CLEAR[PARIS]
    assert [part.done for part in parts].index(True) == len(parts) - 1


# Embeddings.


def test_texts_become_vectors(client: ollama.Client) -> None:
    one, two = client.embed("Mean", ["a red fox", "an old dog"]).embeddings
    assert len(one) == len(two) == random_pooled.WIDTH
    assert sum(number**2 for number in one) == pytest.approx(1, abs=1e-3)
    (alone,) = client.embed("Mean:latest", "a red fox").embeddings
    assert alone == pytest.approx(one, abs=1e-3)
    assert client.embeddings("Mean", "a red fox").embedding == pytest.approx(one, abs=1e-3)
    assert client.embed("Mean", "a red fox").prompt_eval_count == 5
    assert client.embed("Mean", []).embeddings == []


def test_texts_that_are_too_long_are_cut_unless_the_caller_says_no(client: ollama.Client) -> None:
    long = "fox " * 2000
    assert client.embed("Mean", long).embeddings
    with pytest.raises(ollama.ResponseError) as caught:
        client.embed("Mean", long, truncate=False)
    assert caught.value.status_code == 400


# Models.


def test_models_are_listed_and_described(client: ollama.Client) -> None:
    found = {model.model: model for model in client.list().models}
    assert set(found) == {"Tiny", "Tiny/FAST", "Count", "Slow", "Mean", "Rank"}
    facts = found["Tiny"].details
    assert facts is not None
    assert (facts.format, facts.family) == ("gguf", "llama")
    assert (facts.parameter_size, facts.quantization_level) == ("3.48M", "Q8_0")

    shown = client.show("Tiny:latest")
    assert shown.capabilities == ["completion", "tools", "thinking", "vision", "audio"]
    assert shown.parameters == "top_k 20"
    assert shown.modelinfo is not None
    assert shown.modelinfo["llama.context_length"] == 8192
    assert "enable_thinking" in (shown.template or "")
    assert client.show("Mean").capabilities == ["embedding"]
    assert client.show("Rank").capabilities == []


def test_answers_are_as_the_document_says(server: Server) -> None:
    http = server.http()
    options = {"options": {"num_predict": 2}, "stream": False}
    chat = http.post("/api/chat", json={"model": "Count", "messages": user("from 7"), **options})
    jsonschema.validate(chat.json(), schemas.CHAT)
    prompt = http.post("/api/generate", json={"model": "Count", "prompt": "from 7", **options})
    jsonschema.validate(prompt.json(), schemas.GENERATE)
    jsonschema.validate(http.get("/api/tags").json(), schemas.TAGS)
    jsonschema.validate(http.get("/api/ps").json(), schemas.RUNNING)
    jsonschema.validate(http.get("/api/version").json(), schemas.VERSION)
    shown = http.post("/api/show", json={"name": "Tiny", "verbose": True})
    jsonschema.validate(shown.json(), schemas.SHOWN)
    assert http.head("/").status_code == 200


def test_without_a_prompt_a_model_is_loaded_and_let_go(
    server: Server, client: ollama.Client
) -> None:
    client.generate("Count", keep_alive=0)
    assert "Count" not in loaded(client)
    assert client.generate("Count").done_reason == "load"
    assert "Count" in loaded(client)
    assert server.row("Count")["expires_in"] > 3000
    assert client.chat("Count", keep_alive="5m").done_reason == "load"
    assert 200 < server.row("Count")["expires_in"] <= 300
    client.chat("Count", user("from 7"), options={"num_predict": 1}, keep_alive=-1)
    assert server.row("Count")["expires_in"] is None
    assert client.chat("Count", [], keep_alive=0).done_reason == "unload"
    assert "Count" not in loaded(client)
    wait_until(lambda: server.row("Count") is None, "the process to end")
    loads = len(server.events("load started", model="Count"))
    assert client.generate("Count:latest", keep_alive="0s").done_reason == "unload"
    assert len(server.events("load started", model="Count")) == loads
    assert client.embed("Mean", "", keep_alive=60).embeddings == []
    assert server.row("Mean")["expires_in"] <= 60


def test_a_model_in_use_is_let_go_when_it_is_free(server: Server, client: ollama.Client) -> None:
    parts = client.generate("Slow", "from 7", options={"num_predict": 100}, stream=True)
    next(iter(parts))
    assert client.generate("Slow", keep_alive=0).done_reason == "unload"
    assert server.row("Slow")["state"] == "ready"
    rest = list(parts)
    assert rest[-1].done_reason == "length"
    wait_until(lambda: server.row("Slow") is None, "the model to leave")


# What goes wrong.


def refused(act: Any) -> tuple[int, str]:
    with pytest.raises(ollama.ResponseError) as caught:
        act()
    return caught.value.status_code, caught.value.error


def test_a_model_that_is_not_there_is_a_404_everywhere(client: ollama.Client) -> None:
    acts = [
        lambda: client.chat("Nope", user("a")),
        lambda: list(client.chat("Nope:latest", user("a"), stream=True)),
        lambda: client.generate("Nope", "a"),
        lambda: client.generate("Nope"),
        lambda: client.generate("Nope", keep_alive=0),
        lambda: client.embed("Nope", "a"),
        lambda: client.show("Nope"),
        lambda: client.pull("Nope"),
    ]
    for act in acts:
        status, words = refused(act)
        assert status == 404
        assert "'Nope'" in words


def test_a_pull_of_a_model_that_is_there_succeeds(client: ollama.Client) -> None:
    assert client.pull("Tiny:latest").status == "success"
    assert [part.status for part in client.pull("Tiny", stream=True)] == ["success"]


def test_routes_that_change_models_say_what_to_do_instead(client: ollama.Client) -> None:
    acts = [
        lambda: client.push("Tiny"),
        lambda: client.create("b", from_="Tiny"),
        lambda: client.copy("Tiny", "b"),
    ]
    for act in acts:
        status, words = refused(act)
        assert status == 400
        assert "not supported by Kronk" in words


def test_what_is_wrong_with_a_request_is_named(client: ollama.Client) -> None:
    status, words = refused(lambda: client.chat("Tiny", user("a"), options={"top_p": 1.5}))
    assert status == 400
    assert "'options.top_p'" in words
    status, words = refused(lambda: client.generate("Tiny", "a", suffix="b"))
    assert status == 400
    assert "'suffix'" in words
    status, words = refused(lambda: client.chat("Tiny", user("word " * 5000)))
    assert status == 400
    assert "1024 tokens" in words
    status, words = refused(lambda: client.chat("Mean", user("a")))
    assert status == 400
    status, words = refused(lambda: client.embed("Tiny", "a"))
    assert status == 400


def test_a_stream_whose_model_dies_ends_with_the_error(start_server: Any, slow: Path) -> None:
    server = start_server({"Slow.gguf": slow}, {}, "--resume=false")
    body = {"model": "Slow", "prompt": "from 7", "options": {"num_predict": 2000}}
    with httpx.stream("POST", f"{server.url}/api/generate", json=body, timeout=PATIENCE) as answer:
        assert answer.headers["content-type"] == "application/x-ndjson"
        lines = answer.iter_lines()
        assert json.loads(next(lines))["done"] is False
        server.kill(server.row("Slow")["pid"])
        last = [json.loads(line) for line in lines][-1]
    assert last["code"] == "model_crashed"
    assert "SIGKILL" in last["error"]
