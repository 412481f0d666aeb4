"""One conversation in four dialects on a real server: the same prompt, the same answer, whole and
streamed; and the same mistake is the same refusal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from harness import answered
from harness import conversations as said
from harness.answered import Answered
from harness.conversations import Asked, Assistant, Call, Result, System, Tool, User
from harness.media_files import png
from harness.prompts import CLEAR, THOUGHTS
from harness.server import SMALL, Server, running_server

MODELS = Path(__file__).parents[1] / "models"
MODEL = "tiny-chat-q8_0"
GREEDY = {"temperature": 0}
WEATHER = Tool(
    "get_weather",
    "The weather somewhere",
    {
        "type": "object",
        "properties": {"location": {"type": "string"}},
        "required": ["location"],
    },
)
CALL = Call("call00001", "get_weather", {"location": "Paris"})
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
}
JSON = "Give me JSON for a person called Alice aged 30."


def asks(*turns: Any, **more: Any) -> Asked:
    return Asked(turns, **{"max_tokens": 100, "sampling": GREEDY, **more})


CASES: dict[str, Asked] = {
    "plain": asks(User("Hello!")),
    "system": asks(System("You are terse."), User("Hello!")),
    "many turns": asks(
        User("Hello!"), Assistant("Hi.", "They greet."), User("What is the capital of France?")
    ),
    "no thinking": asks(User("Hello!"), thinks=False),
    "thinking": asks(User("Hello!"), thinks=True),
    "cut": asks(User("Count from 1 to 50"), max_tokens=30),
    "stopped": asks(User("Count from 1 to 50"), stop=("7,",)),
    "image": asks(User("What color is this image?", (png(35, 60, 220),)), thinks=False),
    "schema": asks(User(JSON), schema=PERSON, thinks=False),
    "tools": asks(User("What is the weather in Paris?"), tools=(WEATHER,), thinks=False),
    "a tool's result": asks(
        User("What is the weather in Paris?"),
        Assistant("", "I ask.", (CALL,)),
        Result(CALL, '{"celsius": 21}'),
        tools=(WEATHER,),
        thinks=False,
    ),
}
# What one of them has no words for.
MORE: dict[str, Asked] = {
    "a call is demanded": asks(
        User("What is the weather in Paris?"), tools=(WEATHER,), choice="required", thinks=False
    ),
    "this call is demanded": asks(
        User("Hello!"), tools=(WEATHER,), choice="get_weather", is_parallel=False, thinks=False
    ),
    "no call": asks(User("Hello!"), tools=(WEATHER,), choice="none"),
    "a budget": asks(User("Hello!"), thinks=True, budget=3),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    files = {
        f"tiny/sees/{MODEL}.gguf": MODELS / "tiny-chat-q8_0.gguf",
        "tiny/sees/mmproj-f16.gguf": MODELS / "tiny-mmproj-f16.gguf",
        "tiny/rerank.gguf": MODELS / "tiny-rerank-q8_0.gguf",
    }
    base = tmp_path_factory.mktemp("agree")
    with running_server(base, files, {MODEL: SMALL, "rerank": {}}) as server:
        yield server


@pytest.fixture(scope="module")
def http(server: Server) -> httpx.Client:
    return server.http()


def _post(http: httpx.Client, path: str, body: dict[str, Any]) -> bytes:
    answer = http.post(path, json=body)
    assert answer.status_code == 200, answer.text
    return answer.content


def _chat(http: httpx.Client, asked: Asked) -> Iterator[Answered]:
    path = "/v1/chat/completions"
    yield from answered.chat_whole(_post(http, path, said.chat(asked, MODEL)))
    body = said.chat(asked, MODEL, stream=True) | {"stream_options": {"include_usage": True}}
    yield from answered.chat_stream(_post(http, path, body))


def _responses(http: httpx.Client, asked: Asked) -> Iterator[Answered]:
    path = "/v1/responses"
    yield answered.responses_whole(_post(http, path, said.responses(asked, MODEL)))
    yield answered.responses_stream(_post(http, path, said.responses(asked, MODEL, stream=True)))


def _anthropic(http: httpx.Client, asked: Asked) -> Iterator[Answered]:
    path = "/v1/messages"
    yield answered.anthropic_whole(_post(http, path, said.anthropic(asked, MODEL)))
    yield answered.anthropic_stream(_post(http, path, said.anthropic(asked, MODEL, stream=True)))


def _ollama(http: httpx.Client, asked: Asked) -> Iterator[Answered]:
    path = "/api/chat"
    yield answered.ollama_whole(_post(http, path, said.ollama(asked, MODEL)))
    yield answered.ollama_stream(_post(http, path, said.ollama(asked, MODEL, stream=True)))


Dialect = Callable[[httpx.Client, Asked], Iterator[Answered]]


def _answers(http: httpx.Client, asked: Asked, *dialects: Dialect) -> list[Answered]:
    return [answer for dialect in dialects for answer in dialect(http, asked)]


@pytest.mark.parametrize("case", CASES)
def test_one_conversation_has_one_answer_in_all_dialects(http: httpx.Client, case: str) -> None:
    found = _answers(http, CASES[case], _chat, _responses, _anthropic, _ollama)
    assert len(found) == 8
    assert found == [found[0]] * 8


@pytest.mark.parametrize("case", MORE)
def test_what_ollama_has_no_words_for_is_the_same_in_the_others(
    http: httpx.Client, case: str
) -> None:
    found = _answers(http, MORE[case], _chat, _responses, _anthropic)
    assert found == [found[0]] * 6


def test_the_answers_are_what_the_model_says(http: httpx.Client) -> None:
    [plain, _] = _chat(http, CASES["plain"])
    assert (plain.text, plain.thinking) == (CLEAR["Hello!"], THOUGHTS["Hello!"])
    assert [answer.thinking for answer in _chat(http, CASES["no thinking"])] == ["", ""]
    assert next(_chat(http, CASES["cut"])).why == "length"
    assert next(_chat(http, CASES["image"])).text
    [demanded, _] = _chat(http, MORE["a call is demanded"])
    assert demanded.why == "tool_calls"
    assert demanded.calls[0][0] == "get_weather"


@pytest.mark.parametrize("case", CASES)
def test_every_way_to_count_a_prompt_counts_the_same(http: httpx.Client, case: str) -> None:
    asked = CASES[case]
    counts = {
        "answered": next(_chat(http, asked)).prompt_tokens,
        "count_tokens": _json(
            http, "/v1/messages/count_tokens", said.anthropic_count(asked, MODEL)
        )["input_tokens"],
        "input_tokens": _json(http, "/v1/responses/input_tokens", said.responses(asked, MODEL))[
            "input_tokens"
        ],
        "tokenize": _json(http, "/v1/tokenize", said.chat(asked, MODEL))["count"],
    }
    assert len(set(counts.values())) == 1, counts


def _json(http: httpx.Client, path: str, body: dict[str, Any]) -> Any:
    answer = http.post(path, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


# Mistakes.

HELLO = asks(User("Hello!"))
BAD_IMAGE = asks(User("What?", (b"\x89PNG\r\n\x1a\nno image",)))
LONG = asks(User("word " * 3000))
# The request, what is wrong with it beside that, and the refusal: its status and a word of it.
MISTAKES: dict[str, tuple[Asked, dict[str, Any], int, str]] = {
    "unknown model": (HELLO, {"model": "nope"}, 404, "nope"),
    "no model for chats": (HELLO, {"model": "rerank"}, 400, "/v1/rerank"),
    "no model": (HELLO, {"model": None}, 400, "model"),
    "unknown field": (HELLO, {"frobnicate": 1}, 400, "frobnicate"),
    "no text": (HELLO, {"stream": "yes"}, 400, "stream"),
    "too long": (LONG, {}, 400, "1024"),
    "no image": (BAD_IMAGE, {}, 400, "PNG"),
    "negative limit": (asks(User("Hello!"), max_tokens=-5), {}, 400, "-5"),
    "too hot": (asks(User("Hello!"), sampling={"temperature": 3}), {}, 400, "0 to 2"),
    "no schema": (asks(User("Hello!"), schema={"type": "frob"}), {}, 400, "null, boolean"),
    "twice one tool": (asks(User("Hello!"), tools=(WEATHER, WEATHER)), {}, 400, "get_weather"),
}
ROUTES: dict[str, tuple[str, Callable[..., dict[str, Any]]]] = {
    "chat": ("/v1/chat/completions", said.chat),
    "responses": ("/v1/responses", said.responses),
    "anthropic": ("/v1/messages", said.anthropic),
    "ollama": ("/api/chat", said.ollama),
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("mistake", MISTAKES)
def test_one_mistake_is_one_refusal_in_all_dialects(
    http: httpx.Client, mistake: str, stream: bool
) -> None:
    asked, wrong, status, word = MISTAKES[mistake]
    codes = set()
    for path, write in ROUTES.values():
        answer = http.post(path, json=write(asked, MODEL, stream=stream) | wrong)
        assert answer.status_code == status, answer.text
        error = answer.json()
        detail = error if isinstance(error["error"], str) else error["error"]
        assert word in (detail["error"] if detail is error else detail["message"])
        codes.add(detail["code"])
    assert len(codes) == 1, codes
