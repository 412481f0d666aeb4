"""POST /api/chat: from the body's bytes to a `Job`."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from pydantic import ConfigDict, WithJsonSchema

from kronk.gateway.dialects.fields import load_object
from kronk.gateway.dialects.media import MediaCollector
from kronk.gateway.dialects.residency import ttl
from kronk.gateway.dialects.tools import TOOLS_SCHEMA, toolbox
from kronk.gateway.job import Job, generate, load
from kronk.shared.wire.values import Json, Prompt

from .body import Asked, GeneratingBody, answer, read, thinking
from .messages import SCHEMA, plain_messages
from .options import options


class ChatBody(GeneratingBody):
    """The fields of a request."""

    model_config = ConfigDict(title="OllamaChatRequest")

    messages: Annotated[Any, WithJsonSchema(SCHEMA)] = None
    tools: Annotated[Any, WithJsonSchema(TOOLS_SCHEMA)] = None


def parse(body: bytes) -> Asked:
    """The request in `body`; `InvalidArgument` names the first field that is not acceptable."""
    fields = read(ChatBody, load_object(body))
    form = answer(fields)
    job = replace(_job(fields), ttl=ttl(fields))
    return Asked(job, fields.stream is not False, form.logprobs is not None)


def _job(fields: ChatBody) -> Job:
    box, limits, form = toolbox(fields.tools, None), options(fields.options), answer(fields)
    whether, effort = thinking(fields.think)
    media = MediaCollector()
    said = plain_messages(fields.messages, media)
    if not said:
        return load(fields.model)
    prefill = _beginning(said) if not whether and form.constraint is None else None
    prompt = Prompt(
        messages=said if prefill is None else said[:-1],
        prefill=prefill,
        media=media.media,
        tools=box.tools,
        enable_thinking=whether if prefill is None else False,
        reasoning_effort=effort,
    )
    return generate(fields.model, prompt, limits.sampling, form, limits.max_tokens, limits.stop)


def _beginning(said: tuple[Json, ...]) -> str | None:
    """What the answer begins with, where the chat ends with words of the assistant's: as in Ollama
    the model goes on from there."""
    last = said[-1]
    is_words = last["role"] == "assistant" and not last.keys() - {"role", "content"}
    return last["content"] or None if is_words and len(said) > 1 else None
