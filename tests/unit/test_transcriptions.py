"""Requests for transcripts, and what becomes of a worker's events."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from harness import golden
from harness.events import DONE, SCRIPTS
from harness.media_files import FLAC, MP3_BARE, png, wav
from kronk.gateway.dialects.openai.transcriptions import (
    SpeechRequest,
    TranscriptionBody,
    TranslationBody,
    parse_transcription,
    parse_translation,
    schema,
)
from kronk.gateway.dialects.openai.transcriptions_answer import SpeechChunks, SpeechWhole
from kronk.gateway.dialects.schemas import TRANSCRIPT
from kronk.shared.errors import Internal, InvalidArgument, ModelCrashed
from kronk.shared.wire.to_worker import Submit
from kronk.shared.wire.values import Media

WAV = wav(300, seconds=0.001)
SAID = ["text", "empty", "cut", "stop_string", "thinking", "only_thinking", "logprobs"]


def ask(file: bytes = WAV, **fields: str) -> SpeechRequest:
    return parse_transcription({"model": "m", **fields}, file)


def submit(asked: SpeechRequest) -> Submit:
    assert isinstance(asked.job.ask, Submit)
    return asked.job.ask


def instruction(asked: SpeechRequest) -> str:
    messages = submit(asked).prompt.messages
    assert messages is not None
    (message,) = messages
    recording, text = message["content"]
    assert recording == {"type": "audio", "media": 0}
    assert text["type"] == "text"
    return str(text["text"])


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("least", {}),
        (
            "most",
            {
                "language": "de",
                "prompt": "Names: Ötzi, Gödel.",
                "temperature": "0.4",
                "seed": "7",
                "max_tokens": "50",
                "response_format": "text",
                "stream": "true",
                "ttl": "5m",
            },
        ),
    ],
)
def test_a_form_comes_to_the_job_approved(name: str, fields: dict[str, str]) -> None:
    golden.check(f"openai/transcription_{name}.json", golden.job_text(ask(**fields).job))


@pytest.mark.parametrize("file", [WAV, FLAC, MP3_BARE])
def test_the_recording_is_all_the_model_gets_but_for_an_instruction(file: bytes) -> None:
    asked = ask(file)
    assert submit(asked).prompt.media == (Media("audio", file, "file"),)
    assert submit(asked).prompt.enable_thinking is False
    assert submit(asked).sampling.temperature == 0.0
    assert "Transcribe" in instruction(asked)
    assert (asked.form, asked.stream) == ("json", False)


def test_language_and_prompt_are_in_the_instruction() -> None:
    assert instruction(ask(language="pt-BR")).endswith("with the code pt-BR.")
    assert instruction(ask(prompt="It is about Kronk.")).endswith("Context: It is about Kronk.")
    assert instruction(ask(prompt="")) == instruction(ask())


def test_log_probabilities_are_asked_for_where_they_are_wanted() -> None:
    assert submit(ask()).answer.logprobs is None
    assert submit(ask(**{"include[]": "logprobs"})).answer.logprobs == 0


def test_a_translation_asks_for_english() -> None:
    asked = parse_translation({"model": "m", "prompt": "A film."}, WAV)
    assert "into English" in instruction(asked)
    assert "A film." in instruction(asked)


@pytest.mark.parametrize(
    ("fields", "form", "stream"),
    [
        ({}, "json", False),
        ({"response_format": "json", "stream": "false"}, "json", False),
        ({"response_format": "text"}, "text", False),
        ({"stream": "true"}, "json", True),
        ({"stream": "True", "response_format": "text"}, "text", True),
    ],
)
def test_the_form_of_the_answer_is_what_was_asked_for(
    fields: dict[str, str], form: str, stream: bool
) -> None:
    asked = ask(**fields)
    assert (asked.form, asked.stream) == (form, stream)


WRONG: list[tuple[dict[str, str], str, str]] = [
    ({"model": ""}, "model", "1 character"),
    ({"response_format": "srt"}, "response_format", "use json or text"),
    ({"response_format": "vtt"}, "response_format", "times"),
    ({"response_format": "verbose_json"}, "response_format", "times"),
    ({"response_format": "diarized_json"}, "response_format", "speakers"),
    ({"response_format": "xml"}, "response_format", "expected json or text, got 'xml'"),
    ({"temperature": "hot"}, "temperature", "number"),
    ({"temperature": "-1"}, "temperature", "0"),
    ({"temperature": "2.5"}, "temperature", "2"),
    ({"temperature": "nan"}, "temperature", "number"),
    ({"language": "Klingon, please"}, "language", "pattern"),
    ({"language": ""}, "language", "pattern"),
    ({"stream": "perhaps"}, "stream", "boolean"),
    ({"max_tokens": "0"}, "max_tokens", "1"),
    ({"seed": "-1"}, "seed", "0"),
    ({"ttl": "soon"}, "ttl", "seconds"),
    ({"ttl": "1m", "keep_alive": "1m"}, "ttl", "two names"),
    ({"timestamp_granularities[]": "word"}, "timestamp_granularities", "when a word"),
    ({"include[]": "words"}, "include[]", "logprobs"),
    ({"include[]": "logprobs", "response_format": "text"}, "include", "json"),
    ({"include": "logprobs"}, "include", "Unrecognized"),
    ({"chunking_strategy": "auto"}, "chunking_strategy", "all of it"),
    ({"keywords[]": "Kronk"}, "keywords", "'prompt'"),
    ({"known_speaker_names[]": "Ann"}, "known_speaker_names", "speakers apart"),
    ({"user": "x"}, "user", "Unrecognized"),
]


@pytest.mark.parametrize(("fields", "param", "words"), WRONG)
def test_a_wrong_form_is_refused_by_the_name_of_its_field(
    fields: dict[str, str], param: str, words: str
) -> None:
    with pytest.raises(InvalidArgument) as caught:
        ask(**fields)
    assert caught.value.param == param
    assert words in caught.value.message


def test_a_model_must_be_named_and_a_translation_has_no_language() -> None:
    for fields, param in (({}, "model"), ({"model": "m", "language": "de"}, "language")):
        with pytest.raises(InvalidArgument) as caught:
            parse_translation(fields, WAV)
        assert caught.value.param == param


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (b"", "empty"),
        (png(1, 2, 3), "but the file is PNG"),
        (b"OggS" + bytes(40), "but the file is Ogg"),
        (b"\0\0\0\x20ftypM4A ", "but the file is MP4, M4A"),
        (b"hello, world", "WAV, MP3 or FLAC, but the file is none"),
    ],
)
def test_a_file_that_is_no_recording_is_refused(file: bytes, words: str) -> None:
    with pytest.raises(InvalidArgument, match=words) as caught:
        ask(file)
    assert caught.value.param == "file"


@pytest.mark.parametrize("body", [TranscriptionBody, TranslationBody])
def test_the_schema_of_a_form_has_its_file(body: type[TranslationBody]) -> None:
    said = schema(body)
    assert said["required"] == ["file", "model"]
    assert "file" in said["properties"]
    jsonschema.Draft202012Validator.check_schema(said)


@pytest.mark.parametrize("script", SAID)
def test_events_become_the_stream_approved(script: str) -> None:
    chunks = SpeechChunks()
    sent = chunks.opening() + b"".join(map(chunks.event, SCRIPTS[script])) + chunks.closing(DONE)
    golden.check(f"openai/transcription_{script}.stream.txt", sent.decode())


@pytest.mark.parametrize("script", SAID)
def test_events_become_the_object_approved(script: str) -> None:
    whole, bare = SpeechWhole("json"), SpeechWhole("text")
    for event in SCRIPTS[script]:
        whole.add(event)
        bare.add(event)
    body: Any = whole.body(DONE)
    jsonschema.validate(body, TRANSCRIPT)
    golden.check(
        f"openai/transcription_{script}.json", json.dumps(body, indent=1, ensure_ascii=False) + "\n"
    )
    assert bare.body(DONE) == f"{body['text']}\n".encode()


def test_an_answer_that_fails_ends_with_the_error() -> None:
    chunks = SpeechChunks()
    sent = chunks.failure(ModelCrashed("the process of m died: SIGKILL"))
    assert sent.startswith(b'data: {"error":{"message":"the process of m died')
    assert b"DONE" not in sent


def test_what_a_recording_never_comes_to_is_a_bug() -> None:
    with pytest.raises(Internal, match="ToolCallDelta"):
        for event in SCRIPTS["call"]:
            SpeechWhole("json").add(event)
    with pytest.raises(Internal, match="unfinished"):
        SpeechWhole("json").body(DONE)
