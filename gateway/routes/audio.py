"""POST /v1/audio/transcriptions and /v1/audio/translations: speech to text on models that hear."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from kronk.gateway.access.router import Router
from kronk.gateway.access.rules import inference
from kronk.gateway.answer import respond
from kronk.gateway.body import parse_body
from kronk.gateway.dialects.openai import transcriptions
from kronk.gateway.dialects.openai.transcriptions import (
    SpeechRequest,
    TranscriptionBody,
    TranslationBody,
)
from kronk.gateway.dialects.schemas import TEXT, TRANSCRIPT, Schema
from kronk.gateway.form import Form
from kronk.gateway.operations import speech_operation
from kronk.gateway.services import services_of

from .documents import answer_documents, request_document

router = Router()

# A prompt is the longest of them.
_LONGEST_FIELD = 64 * 1024

Parse = Callable[[Mapping[str, str], bytes], SpeechRequest]


def _document(body: type[TranslationBody]) -> Schema:
    return request_document(partial(transcriptions.schema, body), media_type="multipart/form-data")


@router.post(
    "/v1/audio/transcriptions",
    access=inference("audio"),
    openapi_extra=_document(TranscriptionBody),
    responses=answer_documents(
        TRANSCRIPT,
        "The transcript; bare with the response format `text`.",
        also={"text/plain": TEXT},
        events="`transcript.text.delta` objects, then a `transcript.text.done`.",
    ),
    summary="Transcribe speech",
)
async def transcribe(request: Request) -> Response:
    """The text of a recording, streamed or whole."""
    return await _answer(request, transcriptions.parse_transcription)


@router.post(
    "/v1/audio/translations",
    access=inference("audio"),
    openapi_extra=_document(TranslationBody),
    responses=answer_documents(
        TRANSCRIPT,
        "The text; bare with the response format `text`.",
        also={"text/plain": TEXT},
    ),
    summary="Translate speech into English",
)
async def translate(request: Request) -> Response:
    """The text of a recording in English."""
    return await _answer(request, transcriptions.parse_translation)


async def _answer(request: Request, parse: Parse) -> Response:
    content_type = request.headers.get("content-type", "")

    def read(body: bytes) -> SpeechRequest:
        file = bytearray()
        form = Form(content_type, file.extend, _LONGEST_FIELD)
        form.feed(body)
        return parse(form.end(), bytes(file))

    asked = await parse_body(request, read)
    return respond(services_of(request), speech_operation(asked))
