"""POST /api/generate: from the body's bytes to a `Job`.

A prompt goes through the chat template as a user's message, unless it is `raw` or there is a
`suffix`, which makes it what stands before a gap.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from pydantic import ConfigDict, WithJsonSchema

from kronk.gateway.dialects.fields import load_object
from kronk.gateway.dialects.media import MediaCollector, content_of, text_part
from kronk.gateway.dialects.residency import ttl
from kronk.gateway.job import Job, generate, load
from kronk.shared.errors import InvalidArgument
from kronk.shared.wire.values import Json, Prompt

from .body import Asked, GeneratingBody, NotBuilt, answer, read, refuse, thinking
from .messages import image_parts
from .options import options

_IMAGES = {
    "anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "null"}],
    "default": None,
    "description": "Images in base64.",
}


class GenerateBody(GeneratingBody):
    """The fields of a request."""

    model_config = ConfigDict(title="OllamaGenerateRequest")

    prompt: str | None = None
    suffix: str | None = None
    system: str | None = None
    raw: bool | None = None
    images: Annotated[Any, WithJsonSchema(_IMAGES)] = None
    # Another template than the model's, token ids of what was said before, and the size of
    # pictures to draw: not built.
    template: NotBuilt[str] = None
    context: NotBuilt[list[int]] = None
    width: NotBuilt[int] = None
    height: NotBuilt[int] = None
    steps: NotBuilt[int] = None


def parse(body: bytes) -> Asked:
    """The request in `body`; `InvalidArgument` names the first field that is not acceptable."""
    fields = read(GenerateBody, load_object(body))
    refuse(
        {
            name: getattr(fields, name)
            for name in ("template", "context", "width", "height", "steps")
        }
    )
    form = answer(fields)
    job = replace(_job(fields), ttl=ttl(fields))
    return Asked(job, fields.stream is not False, form.logprobs is not None)


def _job(fields: GenerateBody) -> Job:
    limits, form = options(fields.options), answer(fields)
    media = MediaCollector()
    images = image_parts(fields.images, "images", media)
    text = fields.prompt or ""
    if fields.raw or fields.suffix:
        _check_plain(fields)
        prompt = Prompt(text=text, suffix=fields.suffix or None)
    else:
        content = content_of([*images, text_part(text)] if text or not images else images)
        system = [{"role": "system", "content": fields.system}] if fields.system else []
        said: tuple[Json, ...] = (*system, {"role": "user", "content": content})
        whether, effort = thinking(fields.think)
        prompt = Prompt(
            messages=said,
            media=media.media,
            enable_thinking=whether,
            reasoning_effort=effort,
            param="prompt",
        )
    if not text and not fields.suffix and not images:
        return load(fields.model)
    return generate(fields.model, prompt, limits.sampling, form, limits.max_tokens, limits.stop)


def _check_plain(fields: GenerateBody) -> None:
    """Without a template there is nowhere to put these."""
    because = "'raw'" if fields.raw else "a 'suffix'"
    for name in ("system", "images", "think"):
        if getattr(fields, name):
            raise InvalidArgument(
                f"'{name}' cannot be together with {because}, with which no template is used",
                param=name,
            )
