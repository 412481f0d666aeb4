"""Ollama's routes that run a model: /api/chat, /api/generate, /api/embed, /api/embeddings."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from starlette.requests import Request
from starlette.responses import Response

from kronk.gateway.access.router import Router
from kronk.gateway.access.rules import inference
from kronk.gateway.answer import respond
from kronk.gateway.body import parse_body
from kronk.gateway.dialects.ollama import chat, embed, generate
from kronk.gateway.dialects.ollama.answer import (
    NDJSON,
    Form,
    OllamaChunks,
    OllamaLoaded,
    OllamaWhole,
    chat_form,
    generate_form,
)
from kronk.gateway.dialects.ollama.body import Asked
from kronk.gateway.dialects.ollama.name import LATEST
from kronk.gateway.dialects.ollama.schemas import CHAT, EMBED, EMBEDDINGS, GENERATE
from kronk.gateway.operation import Chunks, Operation, Whole
from kronk.gateway.operations import new_name
from kronk.gateway.services import Services, services_of
from kronk.shared.models import index

from .documents import answer_documents, request_document
from .models import scan

router = Router()

_EVENTS = "such objects, a line each; the last one has `done`."


@router.post(
    "/api/chat",
    access=inference("chat-completions"),
    openapi_extra=request_document(chat.ChatBody.model_json_schema),
    responses=answer_documents(CHAT, events=_EVENTS, media_type=NDJSON),
    summary="Ollama's chat",
)
async def answer_chat(request: Request) -> Response:
    """Answer a chat in Ollama's form; without messages, load the model or let it go."""
    return await _generate(request, chat.parse, chat_form)


@router.post(
    "/api/generate",
    access=inference("completions"),
    openapi_extra=request_document(generate.GenerateBody.model_json_schema),
    responses=answer_documents(GENERATE, events=_EVENTS, media_type=NDJSON),
    summary="Ollama's completion",
)
async def answer_prompt(request: Request) -> Response:
    """Answer a prompt in Ollama's form; without one, load the model or let it go."""
    return await _generate(request, generate.parse, generate_form)


@router.post(
    "/api/embed",
    access=inference("embeddings"),
    openapi_extra=request_document(embed.EmbedBody.model_json_schema),
    responses=answer_documents(EMBED),
    summary="Ollama's embeddings",
)
async def answer_texts(request: Request) -> Response:
    """Turn texts into vectors of length 1, in Ollama's form."""
    return await _embed(request, embed.parse)


@router.post(
    "/api/embeddings",
    access=inference("embeddings"),
    openapi_extra=request_document(embed.EmbeddingsBody.model_json_schema),
    responses=answer_documents(EMBEDDINGS),
    summary="Ollama's older embeddings",
)
async def answer_text(request: Request) -> Response:
    """Turn one text into a vector of length 1, in Ollama's older form."""
    return await _embed(request, embed.parse_single)


async def _generate(request: Request, parse: Callable[[bytes], Asked], form: Form) -> Response:
    services, asked = services_of(request), await parse_body(request, parse)
    # The answer names the model as the caller does.
    model, clock = asked.job.model, time.time_ns
    job = replace(asked.job, model=await meant(services, model))
    sink: Chunks | Whole
    if job.ask is None:
        sink = OllamaLoaded(model, form, clock, job.ttl)
    elif asked.stream:
        sink = OllamaChunks(model, form, clock)
    else:
        sink = OllamaWhole(model, form, clock)
    return respond(services, Operation(new_name("ollama-"), [job], sink))


async def _embed(request: Request, parse: Callable[[bytes], embed.EmbedRequest]) -> Response:
    services, asked = services_of(request), await parse_body(request, parse)
    sink = embed.EmbedWhole(asked, time.time_ns)
    job = replace(asked.job, model=await meant(services, asked.job.model))
    return respond(services, Operation(new_name("ollama-"), [job], sink))


async def meant(services: Services, model: str) -> str:
    """`NAME:latest`, which Ollama's tools make of NAME, is NAME unless there is such a model."""
    if not model.endswith(LATEST):
        return model
    known = {entry.id for entry in index.listed(await scan(services))}
    return model if model in known else model.removesuffix(LATEST)
