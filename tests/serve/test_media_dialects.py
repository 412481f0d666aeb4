"""What each dialect does with images and sound on a real server, with its official client."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import ollama
import openai
import pytest

from harness.file_server import FileServer, answer
from harness.media_files import data_url, png, text, wav
from harness.server import SMALL, Server, running_server

MODELS = Path(__file__).parents[1] / "models"
SEES, BLIND = "tiny-chat-q8_0", "blind"
RED, BLUE, GREEN = png(220, 30, 30), png(35, 60, 220), png(30, 170, 50)
COLOUR = "What color is this image?"
# The tiny model answers at once, and does not go on for ever when it fails to end.
CALM: dict[str, Any] = {
    "temperature": 0,
    "max_tokens": 30,
    "extra_body": {"enable_thinking": False},
}


@pytest.fixture(scope="module")
def files() -> Iterator[FileServer]:
    with FileServer({"/blue.png": answer(BLUE, "Content-Type: image/png")}) as files:
        yield files


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, files: FileServer) -> Iterator[Server]:
    model = MODELS / "tiny-chat-q8_0.gguf"
    found = {
        f"tiny/sees/{SEES}.gguf": model,
        "tiny/sees/mmproj-f16.gguf": MODELS / "tiny-mmproj-f16.gguf",
        f"tiny/blind/{BLIND}.gguf": model,
    }
    base = tmp_path_factory.mktemp("media")
    config = {SEES: SMALL, BLIND: SMALL}
    with running_server(base, found, config, f"--media-urls={files.host}") as server:
        yield server


@pytest.fixture(scope="module")
def client(server: Server) -> openai.OpenAI:
    return server.openai()


def image(url: str) -> Any:
    return {"type": "image_url", "image_url": {"url": url}}


def test_chat_sees_what_a_url_names(client: openai.OpenAI, files: FileServer) -> None:
    content: Any = [image(f"{files.url}/blue.png"), {"type": "text", "text": COLOUR}]
    done = client.chat.completions.create(
        model=SEES, messages=[{"role": "user", "content": content}], **CALM
    )
    assert done.choices[0].message.content == "The color is blue."


def test_a_message_that_is_a_file_in_base64_is_seen(client: openai.OpenAI) -> None:
    messages: Any = [
        {"role": "user", "content": text(GREEN)},
        {"role": "user", "content": COLOUR},
    ]
    done = client.chat.completions.create(model=SEES, messages=messages, **CALM)
    plain = client.chat.completions.create(model=SEES, messages=messages[1:], **CALM)
    assert done.usage is not None and plain.usage is not None
    # Its 36 tokens and a turn's frame, and not the two hundred of a text in base64.
    assert 36 <= done.usage.prompt_tokens - plain.usage.prompt_tokens < 60
    assert done.choices[0].message.content


def test_images_are_counted_among_the_tokens(server: Server, client: openai.OpenAI) -> None:
    content: Any = [image(data_url(GREEN)), {"type": "text", "text": COLOUR}]
    body = {"model": SEES, "messages": [{"role": "user", "content": content}]}
    done = client.chat.completions.create(**body, max_tokens=1)
    counted = server.http().post("/v1/tokenize", json=body).json()
    assert done.usage is not None
    assert counted["count"] == done.usage.prompt_tokens
    # An image has no words.
    assert len(counted["tokens"]) < counted["count"]
    assert COLOUR in server.http().post("/v1/apply-template", json=body).json()["prompt"]


def test_anthropics_messages_see(server: Server) -> None:
    source = {"type": "base64", "media_type": "image/png", "data": text(BLUE)}
    content: Any = [{"type": "image", "source": source}, {"type": "text", "text": COLOUR}]
    with anthropic.Anthropic(base_url=server.url, api_key="none", max_retries=0) as client:
        done = client.messages.create(
            model=SEES,
            max_tokens=30,
            extra_body={"temperature": 0},
            thinking={"type": "disabled"},
            messages=[{"role": "user", "content": content}],
        )
    assert [block.text for block in done.content if block.type == "text"] == ["The color is blue."]


def test_responses_see(client: openai.OpenAI) -> None:
    content: Any = [
        {"type": "input_image", "image_url": data_url(GREEN), "detail": "auto"},
        {"type": "input_text", "text": COLOUR},
    ]
    done = client.responses.create(
        model=SEES,
        input=[{"role": "user", "content": content}],
        reasoning={"effort": "none"},
        temperature=0,
        max_output_tokens=30,
        store=False,
    )
    assert done.output_text == "The color is green."


def test_ollamas_chat_sees(server: Server) -> None:
    message = {"role": "user", "content": COLOUR, "images": [text(RED)]}
    options = {"temperature": 0, "num_predict": 30}
    with ollama.Client(server.url) as client:
        done = client.chat(model=SEES, messages=[message], think=False, options=options)
    assert done.message.content == "The color is red."


@pytest.mark.parametrize("stream", [False, True])
def test_a_recording_is_transcribed(client: openai.OpenAI, stream: bool) -> None:
    # What the tiny model makes of an instruction it never saw is its own affair.
    done: Any = client.audio.transcriptions.create(
        model=SEES,
        file=("a.wav", wav(200, 2.0)),
        temperature=0,
        stream=stream,
        extra_body={"max_tokens": 20},
    )
    if stream:
        *pieces, last = done
        assert "".join(piece.delta for piece in pieces) == last.text
        assert last.type == "transcript.text.done"
        done = last
    assert done.text
    assert done.usage.input_tokens > 30
    assert 0 < done.usage.output_tokens <= 20


@pytest.mark.parametrize(("model", "file"), [(BLIND, wav(200)), (SEES, wav(200)[:30])])
def test_a_recording_that_cannot_be_heard_is_refused_as_the_forms_file(
    client: openai.OpenAI, model: str, file: bytes
) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.audio.transcriptions.create(model=model, file=("a.wav", file))
    assert caught.value.param == "file"
