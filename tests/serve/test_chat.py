"""Chat completions through the official client: text, ends, counts, sampling."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest

from harness.counting_model import SILENCE, UTF8_CYCLE, counted
from harness.error_shape import Refusal, assert_refused
from harness.prompts import CLEAR
from harness.server import Server, chat_body

# Answers that depend on the seed: no truncation, and as flat as sampling goes.
WARM: dict[str, Any] = {"temperature": 2.0, "top_p": 1.0, "extra_body": {"top_k": 0}}


@pytest.fixture(scope="module")
def client(house: Server) -> openai.OpenAI:
    return house.openai()


def ask(client: openai.OpenAI, model: str, prompt: str, **options: Any) -> Any:
    messages: list[Any] = [{"role": "user", "content": prompt}]
    arguments = {"temperature": 0} | options
    return client.chat.completions.create(model=model, messages=messages, **arguments)


def chunks(client: openai.OpenAI, model: str, prompt: str, **options: Any) -> list[Any]:
    with ask(client, model, prompt, stream=True, **options) as stream:
        return list(stream)


def text_of(found: list[Any]) -> str:
    return "".join(c.delta.content or "" for chunk in found for c in chunk.choices)


def reason_of(found: list[Any]) -> str | None:
    reasons = (c.finish_reason for chunk in found for c in chunk.choices)
    return next((str(reason) for reason in reasons if reason), None)


@pytest.mark.parametrize("prompt", CLEAR)
def test_the_tiny_model_gives_its_known_answers(client: openai.OpenAI, prompt: str) -> None:
    choice = ask(client, "Tiny", prompt).choices[0]
    assert choice.message.content == CLEAR[prompt]
    assert choice.message.role == "assistant"
    assert choice.finish_reason == "stop"


@pytest.mark.parametrize("prompt", CLEAR)
def test_a_streamed_answer_is_the_whole_answer_in_pieces(
    client: openai.OpenAI, prompt: str
) -> None:
    found = chunks(client, "Tiny", prompt)
    assert text_of(found) == CLEAR[prompt]
    assert reason_of(found) == "stop"
    assert len({chunk.id for chunk in found}) == 1


def test_an_answer_can_be_json(client: openai.OpenAI) -> None:
    text = ask(client, "Tiny", "Give me JSON for a person called Alice aged 30.")
    assert json.loads(text.choices[0].message.content) == {"name": "Alice", "age": 30}


def test_a_conversation_is_read_as_a_whole(client: openai.OpenAI) -> None:
    # The counting model continues the last message, and that alone if earlier ones were lost.
    messages: list[Any] = [
        {"role": "system", "content": "one"},
        {"role": "user", "content": "two"},
        {"role": "assistant", "content": "three"},
        {"role": "user", "content": [{"type": "text", "text": " 41"}]},
    ]
    answer = client.chat.completions.create(model="Count", messages=messages, max_tokens=3)
    assert answer.choices[0].message.content == counted(41, 3)
    # A token per byte of the words, and one for the number.
    assert answer.usage is not None
    assert answer.usage.prompt_tokens == len("onetwothree") + 1


def test_usage_counts_prompt_and_answer(client: openai.OpenAI) -> None:
    usage = ask(client, "Count", "from 7", max_tokens=20).usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (5, 20, 25)


def test_a_stream_says_its_usage_last_when_asked(client: openai.OpenAI) -> None:
    plain = chunks(client, "Count", "from 7", max_tokens=20)
    assert all(chunk.usage is None for chunk in plain)
    asked = chunks(client, "Count", "from 7", max_tokens=20, stream_options={"include_usage": True})
    *before, last = asked
    assert all(chunk.usage is None for chunk in before)
    assert last.choices == []
    usage = last.usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (5, 20, 25)


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
@pytest.mark.parametrize("limit", [1, 2, 17])
def test_an_answer_ends_at_the_limit_of_its_tokens(
    client: openai.OpenAI, name: str, limit: int
) -> None:
    answer = ask(client, "Count", "from 7", **{name: limit})
    assert answer.choices[0].message.content == counted(7, limit)
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage.completion_tokens == limit


def test_an_answer_may_end_before_it_begins(client: openai.OpenAI) -> None:
    answer = ask(client, "Count", SILENCE)
    assert answer.choices[0].message.content == ""
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.completion_tokens == 0
    assert text_of(chunks(client, "Count", SILENCE)) == ""


def test_an_answer_ends_with_the_context_window(client: openai.OpenAI) -> None:
    answer = ask(client, "Count", "from 7")
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage.total_tokens == 1024
    assert answer.choices[0].message.content == counted(7, 1024 - 5)


@pytest.mark.parametrize(
    ("stop", "text"),
    [
        (" 25", " 24"),
        # Over the end of one token and the beginning of the next.
        ("5 2", " 24 2"),
        ("24 25 26 27", " "),
        # Looks like one for two tokens, and is none.
        (["24 25 9", " 29"], " 24 25 26 27 28"),
        # The one that is complete first, not the first of the list.
        (["28", "26 2", "26"], " 24 25 "),
        (["27", " 26 27"], " 24 25"),
        (" 24", ""),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
def test_a_stop_string_ends_the_answer_and_is_never_seen(
    client: openai.OpenAI, stop: str | list[str], text: str, streamed: bool
) -> None:
    if streamed:
        found = chunks(client, "Count", "from 23", stop=stop, max_tokens=50)
        assert (text_of(found), reason_of(found)) == (text, "stop")
    else:
        choice = ask(client, "Count", "from 23", stop=stop, max_tokens=50).choices[0]
        assert (choice.message.content, choice.finish_reason) == (text, "stop")


def test_a_stop_string_that_does_not_come_changes_nothing(client: openai.OpenAI) -> None:
    found = chunks(client, "Count", "from 23", stop=["24 26", "43 44 45"], max_tokens=21)
    # The end is held back, as it could have become a stop string, and is sent in the end.
    assert (text_of(found), reason_of(found)) == (counted(23, 21), "length")


@pytest.mark.parametrize("temperature", [0.8, 2.0])
def test_a_seed_repeats_an_answer(client: openai.OpenAI, temperature: float) -> None:
    def sample() -> str:
        warm = WARM | {"temperature": temperature, "seed": 7}
        return str(ask(client, "Tiny", "Hello!", **warm).choices[0].message.content)

    assert sample() == sample()


def test_other_seeds_give_other_answers(client: openai.OpenAI) -> None:
    answers = {
        ask(client, "Tiny", "Hello!", **WARM, seed=seed).choices[0].message.content
        for seed in range(6)
    }
    assert len(answers) > 1


def test_no_seed_means_another_answer_each_time(client: openai.OpenAI) -> None:
    answers = {ask(client, "Tiny", "Hello!", **WARM).choices[0].message.content for _ in range(8)}
    assert len(answers) > 1


def test_temperature_zero_is_greedy_and_not_the_default(client: openai.OpenAI) -> None:
    prompt = "What is the capital of France?"
    answer = ask(client, "Tiny", prompt, **WARM | {"temperature": 0}, seed=3)
    assert answer.choices[0].message.content == CLEAR[prompt]


def test_a_character_of_several_tokens_arrives_whole(client: openai.OpenAI) -> None:
    # Ten bytes, each a token of its own, make four characters.
    length = len(UTF8_CYCLE.encode())
    found = chunks(client, "Count", "a", max_tokens=3 * length)
    assert text_of(found) == (UTF8_CYCLE * 4)[1:][: 3 * len(UTF8_CYCLE)]
    assert "\N{REPLACEMENT CHARACTER}" not in text_of(found)


@pytest.mark.parametrize("limit", range(1, 10))
def test_half_a_character_at_the_end_is_dropped(client: openai.OpenAI, limit: int) -> None:
    said = (UTF8_CYCLE * 2).encode()[1 : 1 + limit].decode(errors="ignore")
    answer = ask(client, "Count", "a", max_tokens=limit)
    assert answer.choices[0].message.content == said
    assert answer.usage.completion_tokens == limit
    assert text_of(chunks(client, "Count", "a", max_tokens=limit)) == said


def test_a_stop_string_may_have_characters_of_several_tokens(client: openai.OpenAI) -> None:
    answer = ask(client, "Count", "a", stop="€😀a", max_tokens=100)
    assert answer.choices[0].message.content == "é"


# Too much.


@pytest.mark.parametrize("streamed", [False, True])
def test_a_prompt_over_the_context_window_is_told_both_numbers(
    house: Server, streamed: bool
) -> None:
    # A token per byte, and one for the number.
    body = chat_body("Count", "x" * 2000 + " 7", stream=streamed)
    answer = house.http().post("/v1/chat/completions", json=body)
    message = assert_refused(answer, Refusal(400, "context_length_exceeded", "messages"))
    assert "1024" in message
    assert "2001" in message


def test_a_prompt_that_just_fits_is_answered_with_one_token(house: Server) -> None:
    answer = house.chat("Count", "x" * 1022 + " 7").json()
    assert answer["usage"] == answer["usage"] | {"prompt_tokens": 1023, "completion_tokens": 1}
    assert answer["choices"][0]["message"]["content"] == " 8"
    assert house.chat("Count", "x" * 1023 + " 7").status_code == 400
