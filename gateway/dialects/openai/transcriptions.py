"""OpenAI's transcriptions and translations of speech: from a form to a `Job`.

What runs is a chat: the recording and an instruction, on a model that takes audio. What only a
speech recogniser knows, such as the times of words, is refused and not guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, WithJsonSchema

from kronk.gateway.dialects.fields import NOT_SUPPORTED, first_error, unrecognized
from kronk.gateway.dialects.generation import MOST_TOKENS
from kronk.gateway.dialects.media import MediaCollector, content_of, text_part
from kronk.gateway.dialects.residency import Span, ttl
from kronk.gateway.job import Job, generate
from kronk.shared.errors import InvalidArgument
from kronk.shared.wire.values import Answer, Prompt, Sampling

FILE = "file"

# Of OpenAI's API, and what cannot be done about each.
_NOT_TAKEN = {
    "timestamp_granularities": "the models that Kronk runs do not say when a word was spoken",
    "known_speaker_names": "the models that Kronk runs do not tell speakers apart",
    "known_speaker_references": "the models that Kronk runs do not tell speakers apart",
    "chunking_strategy": f"cutting recordings is {NOT_SUPPORTED}; the model gets all of it",
    "keywords": f"{NOT_SUPPORTED}; name the words in 'prompt'",
    "languages": f"{NOT_SUPPORTED}; name the language in 'language', or several in 'prompt'",
}
_FORMATS = ("json", "text")
_TIMED = ("srt", "verbose_json", "vtt", "diarized_json")

_TRANSCRIBE = (
    "Transcribe the speech in this recording word for word. "
    "Answer with the transcript and nothing else."
)
_TRANSLATE = (
    "Translate the speech in this recording into English. "
    "Answer with the English text and nothing else."
)


class TranslationBody(BaseModel):
    """The fields of a translation's form, beside the file."""

    # Not strict: in a form everything is text.
    model_config = ConfigDict(extra="forbid", title="TranslationRequest")

    model: Annotated[str, Field(min_length=1, max_length=1024)]
    prompt: str | None = None
    # Checked by hand, for what each of the others would need.
    response_format: Annotated[str | None, WithJsonSchema({"enum": list(_FORMATS)})] = None
    temperature: float | None = Field(default=None, ge=0, le=2, allow_inf_nan=False)
    # Extensions of ours.
    max_tokens: int | None = Field(default=None, ge=1, le=MOST_TOKENS)
    seed: int | None = Field(default=None, ge=0, lt=2**64)
    keep_alive: Span = None
    ttl: Span = None


class TranscriptionBody(TranslationBody):
    """The fields of a transcription's form, beside the file."""

    model_config = ConfigDict(title="TranscriptionRequest")

    # OpenAI's own list has one member; the client writes it as `include[]`.
    include: Literal["logprobs"] | None = Field(default=None, alias="include[]")
    # A code of ISO 639, with a region if need be.
    language: str | None = Field(default=None, pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$")
    stream: bool | None = None


@dataclass(frozen=True, slots=True)
class SpeechRequest:
    """What to run, and in which form the caller wants the text."""

    job: Job
    form: Literal["json", "text"]
    stream: bool


def parse_transcription(given: Mapping[str, str], file: bytes) -> SpeechRequest:
    """POST /v1/audio/transcriptions: the request in a form's fields and its file."""
    fields = _read(TranscriptionBody, given)
    instruction = _TRANSCRIBE
    if fields.language:
        instruction += f" Its language is the one with the code {fields.language}."
    if fields.include and fields.response_format == "text":
        raise InvalidArgument(
            "'include': log-probabilities need the response format json", param="include"
        )
    logprobs = None if fields.include is None else 0
    return _request(fields, instruction, file, Answer(logprobs=logprobs), bool(fields.stream))


def parse_translation(given: Mapping[str, str], file: bytes) -> SpeechRequest:
    """POST /v1/audio/translations: the request in a form's fields and its file."""
    return _request(_read(TranslationBody, given), _TRANSLATE, file, Answer(), stream=False)


def schema(body: type[TranslationBody]) -> dict[str, Any]:
    """The JSON schema of a form."""
    schema = body.model_json_schema()
    schema["properties"] = {
        FILE: {"type": "string", "contentMediaType": "application/octet-stream"},
        **schema["properties"],
    }
    schema["required"] = [FILE, *schema["required"]]
    return schema


Body = TypeVar("Body", bound=TranslationBody)


def _read(body: type[Body], given: Mapping[str, str]) -> Body:
    known = {field.alias or name for name, field in body.model_fields.items()}
    for key in given:
        # Clients write lists as `include[]`.
        name = key.removesuffix("[]")
        if name in _NOT_TAKEN:
            raise InvalidArgument(f"'{name}': {_NOT_TAKEN[name]}", param=name)
        if key not in known:
            raise unrecognized(key[:100])
    try:
        fields = body.model_validate(given)
    except ValidationError as error:
        raise first_error(error) from None
    _check_format(fields.response_format)
    return fields


def _check_format(form: str | None) -> None:
    if form in _TIMED:
        raise InvalidArgument(
            f"'response_format': {form} has the times or the speakers of what was said, which the "
            f"models that Kronk runs do not tell; use {' or '.join(_FORMATS)}",
            param="response_format",
        )
    if form is not None and form not in _FORMATS:
        raise InvalidArgument(
            f"'response_format': expected {' or '.join(_FORMATS)}, got {form[:40]!r}",
            param="response_format",
        )


def _request(
    fields: TranslationBody, instruction: str, file: bytes, answer: Answer, stream: bool
) -> SpeechRequest:
    if fields.prompt:
        # OpenAI's meaning of it: what came before, or how things are spelled.
        instruction += f" Context: {fields.prompt}"
    media = MediaCollector()
    content = content_of([media.file(file, "audio", FILE), text_part(instruction)])
    prompt = Prompt(
        messages=({"role": "user", "content": content},),
        media=media.media,
        # Nobody would see the thoughts.
        enable_thinking=False,
    )
    # OpenAI's default: what was said is not a matter of chance.
    temperature = 0.0 if fields.temperature is None else fields.temperature
    sampling = Sampling(temperature=temperature, seed=fields.seed)
    job = generate(fields.model, prompt, sampling, answer, fields.max_tokens, ())
    form: Literal["json", "text"] = "text" if fields.response_format == "text" else "json"
    return SpeechRequest(replace(job, ttl=ttl(fields)), form, stream)
