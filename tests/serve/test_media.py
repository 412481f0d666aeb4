"""Images and recordings through the whole server, from OpenAI's client to the projector."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from harness.media_files import data_url, png, text, wav
from harness.server import SMALL, Server, running_server

RED, BLUE = png(220, 30, 30), png(35, 60, 220)
QUESTION = "What color is this image?"
CALM = {"enable_thinking": False}


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, tiny: Path, counting: Path
) -> Iterator[Server]:
    projector = tiny.with_name("tiny-mmproj-f16.gguf")
    files = {
        "test/eyes/Eyes-Q8_0.gguf": tiny,
        "test/eyes/mmproj-Eyes-F16.gguf": projector,
        "test/eyes/Count.gguf": counting,
    }
    config = {"Eyes-Q8_0/BLIND": SMALL | {"projector": "none"}, "Eyes-Q8_0": SMALL}
    base = tmp_path_factory.mktemp("media")
    with running_server(base, files, config, "--cache-ttl=0", "--models-in-cache=3") as running:
        yield running


@pytest.fixture(scope="module")
def client(server: Server) -> openai.OpenAI:
    return server.openai()


def image(data: bytes) -> Any:
    return {"type": "image_url", "image_url": {"url": data_url(data)}}


def ask(client: openai.OpenAI, *parts: Any, model: str = "Eyes-Q8_0", **options: Any) -> Any:
    content = [{"type": "text", "text": part} if isinstance(part, str) else part for part in parts]
    return client.chat.completions.create(
        model=model,
        messages=[{"role": "user", "content": content}],
        temperature=0,
        max_tokens=40,
        extra_body=CALM,
        **options,
    )


@pytest.mark.parametrize(("file", "colour"), [(RED, "red"), (BLUE, "blue")])
def test_an_image_is_answered(client: openai.OpenAI, file: bytes, colour: str) -> None:
    answer = ask(client, image(file), QUESTION)
    assert answer.choices[0].message.content == f"The color is {colour}."
    assert answer.usage.prompt_tokens > 36


def test_an_image_is_answered_in_a_stream(client: openai.OpenAI) -> None:
    chunks = list(ask(client, image(RED), QUESTION, stream=True))
    said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert said == "The color is red."


def test_a_recording_is_answered(client: openai.OpenAI) -> None:
    audio = {"type": "input_audio", "input_audio": {"data": text(wav(200, 2.0)), "format": "wav"}}
    answer = ask(client, audio, "What do you hear?")
    assert answer.choices[0].message.content == "I hear a low tone."


def test_a_second_question_about_an_image_is_cheap(client: openai.OpenAI) -> None:
    # Below the least that is kept, without so many words.
    words = " ".join(f"{number}" for number in range(100))
    ask(client, words, image(BLUE), QUESTION)
    again = ask(client, words, image(BLUE), "Describe this image.")
    cached = again.usage.prompt_tokens_details.cached_tokens
    assert cached > again.usage.prompt_tokens - 30
    other = ask(client, words, image(RED), QUESTION)
    assert other.usage.prompt_tokens_details.cached_tokens == cached - 36


def test_an_image_beside_streams_changes_none_of_them(client: openai.OpenAI) -> None:
    def count() -> Any:
        return client.chat.completions.create(
            model="Eyes-Q8_0",
            messages=[{"role": "user", "content": "Count from 1 to 50"}],
            temperature=0,
            max_tokens=80,
            stream=True,
        )

    alone = [chunk.choices[0].delta for chunk in count() if chunk.choices]
    streams = [count() for _ in range(3)]
    begun = [list(itertools.islice(stream, 3)) for stream in streams]
    assert ask(client, image(RED), QUESTION).choices[0].message.content == "The color is red."
    for first, stream in zip(begun, streams, strict=True):
        said = [chunk.choices[0].delta for chunk in (*first, *stream) if chunk.choices]
        assert _text(said) == _text(alone)


def _text(deltas: list[Any]) -> str:
    return "".join(delta.content or "" for delta in deltas)


@pytest.mark.parametrize(
    ("model", "part", "words"),
    [
        ("Count", image(RED), "this model does not take images"),
        ("Eyes-Q8_0/BLIND", image(RED), "this model does not take images"),
        ("Eyes-Q8_0", image(RED[:70]), "damaged"),
        ("Eyes-Q8_0", image(png(1, 2, 3)[:16] + b"\0\0\xff\xff" * 2 + RED[24:]), "pixels are more"),
    ],
    ids=["no projector", "switched off", "cut off", "huge"],
)
def test_what_cannot_be_answered_is_a_400_that_names_the_part(
    client: openai.OpenAI, model: str, part: Any, words: str
) -> None:
    with pytest.raises(openai.BadRequestError, match=words) as caught:
        ask(client, "Hello!", part, model=model)
    assert caught.value.param == "messages[0].content[1].image_url.url"


def test_the_projector_is_no_model_and_the_model_says_what_it_takes(server: Server) -> None:
    models = {model["id"] for model in server.get("/v1/models")["data"]}
    assert models == {"Eyes-Q8_0", "Eyes-Q8_0/BLIND", "Count"}
    server.text("Eyes-Q8_0", "Hello!", max_tokens=1)
    [row] = [row for row in server.status()["data"] if row["model"] == "Eyes-Q8_0"]
    assert row["fitted"]["modalities"] == ["image", "audio"]
