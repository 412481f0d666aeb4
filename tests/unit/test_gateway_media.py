"""Files in requests over HTTP, as far as the wire: sent with the request, or fetched for it."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest

from fakes.gateway_house import House
from harness.file_server import SILENCE, FileServer, answer
from harness.media_files import data_url, png, wav
from harness.waiting import wait_until
from kronk.gateway.body import MAX_BODY_BYTES
from kronk.shared.wire.to_gateway import Failed
from kronk.shared.wire.to_supervisor import LeaseRequest
from kronk.shared.wire.to_worker import Submit
from kronk.shared.wire.values import Media

CHAT = "/v1/chat/completions"
PNG = png(255, 0, 0)
URL = "messages[0].content[0].image_url.url"


@pytest.fixture(scope="module")
def files() -> Iterator[FileServer]:
    with FileServer({"/a.png": answer(PNG), "/slow": SILENCE}) as files:
        yield files


@pytest.fixture(scope="module")
def shared_house(tmp_path_factory: pytest.TempPathFactory, files: FileServer) -> Iterator[House]:
    with House(tmp_path_factory.mktemp("h"), media_urls=files.host) as house:
        yield house


@pytest.fixture
def house(shared_house: House) -> House:
    shared_house.forget()
    return shared_house


@pytest.fixture
def http(house: House) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=house.url, timeout=20) as client:
        yield client


def ask(url: str, **more: Any) -> dict[str, Any]:
    content = [{"type": "image_url", "image_url": {"url": url}}]
    return {"model": "tiny", "messages": [{"role": "user", "content": content}], **more}


@pytest.mark.parametrize("stream", [False, True])
def test_a_file_arrives_at_the_worker_with_its_message(
    house: House, http: httpx.Client, files: FileServer, stream: bool
) -> None:
    for url in (data_url(PNG), f"{files.url}/a.png"):
        house.forget()
        assert http.post(CHAT, json=ask(url, stream=stream)).status_code == 200
        (submit,) = house.wait_for(Submit)
        assert submit.prompt.media == (Media("image", PNG, URL),)
        content = [{"type": "image", "media": 0}]
        assert submit.prompt.messages == ({"role": "user", "content": content},)


def test_the_largest_body_fits_through_to_the_worker(house: House, http: httpx.Client) -> None:
    image = PNG + bytes(23 * 1024 * 1024)
    assert http.post(CHAT, json=ask(data_url(image))).status_code == 200
    (submit,) = house.wait_for(Submit)
    assert submit.prompt.media[0].data == image


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", ["/missing", "/"])
def test_a_file_that_cannot_be_fetched_is_a_400_that_names_the_field(
    house: House, http: httpx.Client, files: FileServer, stream: bool, path: str
) -> None:
    refused = http.post(CHAT, json=ask(f"{files.url}{path}", stream=stream))
    assert refused.status_code == 400
    assert refused.json()["error"]["param"] == URL
    assert "status 404" in refused.json()["error"]["message"]
    assert not house.all(LeaseRequest)


def test_a_host_that_is_not_listed_is_a_400(house: House, http: httpx.Client) -> None:
    refused = http.post(CHAT, json=ask("http://localhost/a.png"))
    assert refused.status_code == 400
    assert "--media-urls" in refused.json()["error"]["message"]


def test_a_client_that_leaves_during_the_fetch_leaves_nothing_behind(
    house: House, http: httpx.Client, files: FileServer
) -> None:
    files.silent.clear()
    body = json.dumps(ask(f"{files.url}/slow")).encode()
    with socket.create_connection(("127.0.0.1", house.port)) as client:
        client.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
        )
        assert files.silent.wait(20)
    wait_until(lambda: house.logged("client_gone"), "the request to be given up")
    assert http.post(CHAT, json=ask(data_url(PNG))).status_code == 200
    # Only the request after it ever asked for a lease.
    assert len(house.all(LeaseRequest)) == 1


SPEECH = wav(300, seconds=0.01)


@pytest.fixture
def client(house: House) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{house.url}/v1", api_key="x", max_retries=0) as client:
        yield client


def test_a_transcript_through_the_official_client(house: House, client: openai.OpenAI) -> None:
    done = client.audio.transcriptions.create(
        model="tiny", file=("a.wav", SPEECH), language="en", prompt="Names.", temperature=0.5
    )
    assert done.text == "Hello world"
    assert done.usage is not None and done.usage.type == "tokens"
    assert (done.usage.input_tokens, done.usage.output_tokens) == (5, 2)
    (submit,) = house.wait_for(Submit)
    assert submit.prompt.media == (Media("audio", SPEECH, "file"),)
    assert submit.sampling.temperature == 0.5


def test_a_bare_transcript_is_plain_text(client: openai.OpenAI, http: httpx.Client) -> None:
    bare = client.audio.transcriptions.create(
        model="tiny", file=("a.wav", SPEECH), response_format="text"
    )
    assert bare == "Hello world\n"
    form = {"model": "tiny", "response_format": "text"}
    answer = http.post("/v1/audio/transcriptions", data=form, files={"file": ("a", SPEECH)})
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"


def test_a_streamed_transcript_through_the_official_client(client: openai.OpenAI) -> None:
    stream = client.audio.transcriptions.create(model="tiny", file=("a.wav", SPEECH), stream=True)
    first, second, last = stream
    assert first.type == second.type == "transcript.text.delta"
    assert (first.delta, second.delta) == ("Hello", " world")
    assert last.type == "transcript.text.done"
    assert last.text == "Hello world"
    assert last.usage is not None and last.usage.total_tokens == 7


def test_a_translation_has_the_form_of_a_transcript(http: httpx.Client) -> None:
    # By hand: the official client says that OpenAI has deprecated them.
    answer = http.post(
        "/v1/audio/translations", data={"model": "tiny"}, files={"file": ("a.wav", SPEECH)}
    )
    assert answer.json()["text"] == "Hello world"


def test_a_model_without_ears_refuses_the_file(house: House, client: openai.OpenAI) -> None:
    def deaf(submit: Submit) -> Iterator[Any]:
        yield Failed(submit.request, "invalid_argument", "no audio", submit.prompt.media[0].param)

    house.script = deaf
    for stream in (False, True):
        with pytest.raises(openai.BadRequestError) as caught:
            client.audio.transcriptions.create(model="tiny", file=("a.wav", SPEECH), stream=stream)
        assert caught.value.param == "file"


def test_what_is_wrong_with_a_form_is_a_400(client: openai.OpenAI, http: httpx.Client) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.audio.transcriptions.create(
            model="tiny", file=("a.wav", SPEECH), response_format="srt"
        )
    assert caught.value.param == "response_format"
    with pytest.raises(openai.BadRequestError) as caught:
        client.audio.transcriptions.create(model="tiny", file=("a.png", PNG))
    assert caught.value.param == "file"
    for path in ("/v1/audio/transcriptions", "/v1/audio/translations"):
        assert http.post(path, json={"model": "tiny"}).status_code == 400
        assert http.post(path, content=b"").status_code == 400


def test_a_recording_over_the_limit_is_a_413(http: httpx.Client) -> None:
    file = SPEECH + bytes(MAX_BODY_BYTES)
    answer = http.post(
        "/v1/audio/transcriptions", data={"model": "tiny"}, files={"file": ("a.wav", file)}
    )
    assert answer.status_code == 413
