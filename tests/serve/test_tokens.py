"""Tokens, texts and templates of a running model, and completions that begin with their prompt."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from harness.server import Server

HELLO = [{"role": "user", "content": "Hello!"}]
RENDERED = "<|im_start|>user\nHello!<|im_end|>\n<|im_start|>assistant\n"


@pytest.fixture(scope="module")
def http(house: Server) -> httpx.Client:
    return house.http()


def ask(http: httpx.Client, route: str, **fields: Any) -> Any:
    answer = http.post(f"/v1/{route}", json={"model": "Tiny", **fields})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_text_becomes_tokens_and_the_tokens_that_text(http: httpx.Client) -> None:
    text = "Grüße, 媽 and 🕰!"
    found = ask(http, "tokenize", content=text)
    assert found["count"] == len(found["tokens"])
    assert found["max_model_len"] == 1024
    assert ask(http, "detokenize", tokens=found["tokens"]) == {"content": text, "prompt": text}


def test_pieces_put_together_are_the_text(http: httpx.Client) -> None:
    pieces = [
        token["piece"] for token in ask(http, "tokenize", content="ä🕰", with_pieces=True)["tokens"]
    ]
    assert any(isinstance(piece, list) for piece in pieces)
    data = b"".join(piece.encode() if isinstance(piece, str) else bytes(piece) for piece in pieces)
    assert data.decode() == "ä🕰"


def test_a_chat_is_counted_as_it_is_answered(http: httpx.Client) -> None:
    assert ask(http, "apply-template", messages=HELLO) == {"prompt": RENDERED}
    found = ask(http, "tokenize", messages=HELLO)
    assert ask(http, "tokenize", prompt=RENDERED)["tokens"] == found["tokens"]
    answered = ask(http, "chat/completions", messages=HELLO, max_tokens=1)
    assert answered["usage"]["prompt_tokens"] == found["count"]


def test_what_does_not_fit_is_counted_all_the_same(http: httpx.Client) -> None:
    found = ask(http, "tokenize", messages=[{"role": "user", "content": "word " * 3000}])
    assert found["count"] > 3 * found["max_model_len"] // 2


def test_many_tokens_arrive_whole(http: httpx.Client) -> None:
    text = "".join(f"{number} " for number in range(20_000))
    found = ask(http, "tokenize", content=text)
    assert len(found["tokens"]) == found["count"] > 20_000
    assert ask(http, "detokenize", tokens=found["tokens"])["content"] == text


@pytest.mark.parametrize(
    ("route", "fields", "param"),
    [
        ("tokenize", {}, "prompt"),
        ("tokenize", {"content": "x", "model": "Nobody"}, "model"),
        ("detokenize", {"tokens": [5, 2048]}, "tokens[1]"),
        ("apply-template", {"messages": []}, "messages"),
    ],
)
def test_what_is_wrong_is_named(
    http: httpx.Client, route: str, fields: dict[str, Any], param: str
) -> None:
    answer = http.post(f"/v1/{route}", json={"model": "Tiny", **fields})
    assert answer.status_code in (400, 404)
    assert answer.json()["error"]["param"] == param


@pytest.mark.parametrize("stream", [False, True])
def test_the_text_of_prompts_of_tokens_is_echoed(house: Server, stream: bool) -> None:
    http, client = house.http(), house.openai()
    texts = ["Hello there", "Grüße 🕰"]
    prompts = [ask(http, "tokenize", content=text)["tokens"] for text in texts]
    options: Any = {"max_tokens": 3, "n": 2, "temperature": 0, "echo": True}
    said = ["", "", "", ""]
    if stream:
        for chunk in client.completions.create(
            model="Tiny", prompt=prompts, stream=True, **options
        ):
            for choice in chunk.choices:
                said[choice.index] += choice.text
    else:
        answer = client.completions.create(model="Tiny", prompt=prompts, **options)
        for choice in answer.choices:
            said[choice.index] = choice.text
    plain = client.completions.create(model="Tiny", prompt=texts, **options)
    assert said == [choice.text for choice in plain.choices]
    assert [text.startswith(texts[at // 2]) for at, text in enumerate(said)] == [True] * 4


@pytest.mark.parametrize("stream", [False, True])
def test_a_request_may_have_more_prompts_than_the_queue_has_places(
    house: Server, stream: bool
) -> None:
    # Two slots, and a queue of four.
    numbers = range(100, 120)
    options: Any = {"max_tokens": 8, "temperature": 0, "stream": stream}
    found = house.openai().completions.create(
        model="Tiny/FAST", prompt=[f"from {number}" for number in numbers], **options
    )
    ends = [
        choice.index
        for answer in (found if stream else [found])
        for choice in answer.choices
        if choice.finish_reason
    ]
    assert sorted(ends) == list(range(len(numbers)))


def test_counting_waits_for_no_slot(house: Server) -> None:
    # It has one slot, and one place to wait for it.
    model = "Slow/NARROW"
    with house.stream(model, "from 7", max_tokens=4000) as running, ThreadPoolExecutor(1) as pool:
        running.wait_for_pieces(1)
        waiting = pool.submit(house.chat, model, "from 500", max_tokens=5)
        house.wait_for_row(model, active_streams=1, queued=1)
        found = house.http().post("/v1/tokenize", json={"model": model, "content": "from 7"})
        assert running.ended_at is None
        assert waiting.result().status_code == 503
    assert found.status_code == 200, found.text
    assert found.json()["count"] > 0
