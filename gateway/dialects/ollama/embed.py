"""POST /api/embed and the older POST /api/embeddings: body to `Job`, and vectors to the answer."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Annotated, Any

from pydantic import ConfigDict, Field, WithJsonSchema

from kronk.gateway.dialects.fields import load_object, path, string, wrong
from kronk.gateway.dialects.openai.embeddings import MOST_INPUTS, numbers, split
from kronk.gateway.dialects.residency import ttl
from kronk.gateway.job import Job, embed, load
from kronk.gateway.run import Event
from kronk.shared.errors import InvalidArgument
from kronk.shared.wire.to_gateway import Done, Vectors

from .body import ModelBody, read
from .figures import Clock, Stopwatch
from .options import options

_INPUT = {
    "anyOf": [
        {"type": "string"},
        {"type": "array", "items": {"type": "string", "minLength": 1}, "maxItems": MOST_INPUTS},
        {"type": "null"},
    ],
    "default": None,
    "description": "One text or several; without any, the model is loaded.",
}


class EmbedBody(ModelBody):
    """The fields of a request to /api/embed."""

    model_config = ConfigDict(title="OllamaEmbedRequest")

    input: Annotated[Any, WithJsonSchema(_INPUT)] = None
    # Texts that are too long are cut unless the caller says no.
    truncate: bool | None = None
    dimensions: int | None = Field(default=None, ge=1, lt=2**31)


class EmbeddingsBody(ModelBody):
    """The fields of a request to /api/embeddings."""

    model_config = ConfigDict(title="OllamaEmbeddingsRequest")

    prompt: str | None = None


@dataclass(frozen=True, slots=True)
class EmbedRequest:
    """What to run, and whether the answer has the one vector of /api/embeddings."""

    job: Job
    is_single: bool


def parse(body: bytes) -> EmbedRequest:
    """A request to /api/embed; `InvalidArgument` names the first field that is not acceptable."""
    fields = read(EmbedBody, load_object(body))
    texts = _texts(fields.input)
    job = _job(fields, texts, fields.dimensions, truncate=fields.truncate is not False)
    return EmbedRequest(job, is_single=False)


def parse_single(body: bytes) -> EmbedRequest:
    """The same of /api/embeddings."""
    fields = read(EmbeddingsBody, load_object(body))
    texts = (fields.prompt,) if fields.prompt else ()
    return EmbedRequest(_job(fields, texts, None, truncate=True), is_single=True)


def _job(
    fields: ModelBody, texts: tuple[str, ...], dimensions: int | None, *, truncate: bool
) -> Job:
    # Nothing of them matters to an embedding.
    options(fields.options)
    job = embed(fields.model, texts, dimensions, truncate) if texts else load(fields.model)
    return replace(job, ttl=ttl(fields))


def _texts(value: object) -> tuple[str, ...]:
    if value is None or value == "":
        return ()
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list):
        raise wrong("input", "a string or an array of strings", value)
    if len(value) > MOST_INPUTS:
        raise InvalidArgument(
            f"'input' takes {MOST_INPUTS} texts at most, got {len(value)}", param="input"
        )
    return tuple([_text(item, path("input", at)) for at, item in enumerate(value)])


def _text(value: object, where: str) -> str:
    text = string(value, where)
    if not text:
        raise InvalidArgument(f"'{where}': input cannot be an empty string", param=where)
    return text


class EmbedWhole:
    """The answer as bytes, written vector by vector as they come."""

    def __init__(self, request: EmbedRequest, clock: Clock) -> None:
        self._request = request
        self._watch = Stopwatch(clock)
        self._vectors: list[bytes] = []

    def add(self, event: Event) -> None:
        """Write the vectors of a message."""
        assert isinstance(event, Vectors), event
        self._vectors += [numbers(vector) for vector in split(event)]

    def body(self, done: Done) -> bytes:
        """The whole object."""
        if self._request.is_single:
            return b'{"embedding":%b}' % (self._vectors[0] if self._vectors else b"[]")
        rest = {
            "model": self._request.job.model,
            **self._watch.load(done),
            "prompt_eval_count": done.usage.prompt_tokens,
        }
        end = json.dumps(rest, separators=(",", ":")).encode()[1:]
        return b'{"embeddings":[%b],%b' % (b",".join(self._vectors), end)
