"""OpenAI's Embeddings: from the body's bytes to a `Job`, and from vectors to the answer's bytes."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

import pydantic_core
from pydantic import BaseModel, ConfigDict, Field, ValidationError, WithJsonSchema

from kronk.gateway.dialects import token_ids
from kronk.gateway.dialects.fields import first_error, kind, load_object, path
from kronk.gateway.dialects.generation import ModelName
from kronk.gateway.dialects.residency import Span, ttl
from kronk.gateway.dialects.truncation import Truncate, truncates
from kronk.gateway.job import Job, embed
from kronk.gateway.run import Event
from kronk.shared.errors import InvalidArgument
from kronk.shared.wire.to_gateway import Done, Vectors

# OpenAI's limit.
MOST_INPUTS = 2048
_TEXT = {"type": "string", "minLength": 1}
_INPUT_SCHEMA = {
    "anyOf": [
        _TEXT,
        {"type": "array", "items": _TEXT, "minItems": 1, "maxItems": MOST_INPUTS},
        token_ids.SCHEMA,
        {"type": "array", "items": token_ids.SCHEMA, "minItems": 1, "maxItems": MOST_INPUTS},
    ]
}


Instruction = Annotated[
    Any,
    WithJsonSchema(
        {
            "type": "null",
            "description": "Nothing is put before a text: what the model was trained to see there "
            "belongs into the input.",
        }
    ),
]


class EmbeddingsBody(BaseModel):
    """The fields of a request."""

    model_config = ConfigDict(strict=True, extra="forbid", title="EmbeddingsRequest")

    model: ModelName
    # Checked by hand: a union's errors name all branches.
    input: Annotated[Any, WithJsonSchema(_INPUT_SCHEMA)]
    encoding_format: Literal["float", "base64"] | None = None
    # Leading numbers of each embedding to keep; it has length 1 again after that.
    dimensions: int | None = Field(default=None, ge=1, lt=2**31)
    truncate: Truncate = None
    # Jina's name for `encoding_format`, and what it calls that which is always so here.
    embedding_type: Literal["float", "base64"] | None = None
    normalized: Literal[True] | None = None
    late_chunking: Literal[False] | None = None
    # Cohere's and Jina's names for what they put before a text.
    input_type: Instruction = None
    task: Instruction = None
    # How long the model stays loaded.
    keep_alive: Span = None
    ttl: Span = None
    # Taken and not acted on.
    user: str | None = None


@dataclass(frozen=True, slots=True)
class EmbeddingsRequest:
    """What to run, and in which form the caller wants the answer."""

    job: Job
    encoding: Literal["float", "base64"]


def parse(body: bytes) -> EmbeddingsRequest:
    """The request in `body`; `InvalidArgument` names the first field that is not acceptable."""
    try:
        fields = EmbeddingsBody.model_validate(load_object(body))
    except ValidationError as error:
        raise first_error(error) from None
    _check_instructions(fields)
    job = embed(fields.model, _inputs(fields.input), fields.dimensions, truncates(fields.truncate))
    return EmbeddingsRequest(replace(job, ttl=ttl(fields)), _encoding(fields))


def _check_instructions(fields: EmbeddingsBody) -> None:
    for name in ("input_type", "task"):
        if getattr(fields, name) is not None:
            raise InvalidArgument(
                f"'{name}' is not supported: nothing is put before a text here; write what the "
                "model was trained to see there into 'input'",
                param=name,
            )


def _encoding(fields: EmbeddingsBody) -> Literal["float", "base64"]:
    ours, jinas = fields.encoding_format, fields.embedding_type
    if ours is not None and jinas is not None and ours != jinas:
        raise InvalidArgument(
            "'encoding_format' and 'embedding_type' are two names of the same thing and differ",
            param="embedding_type",
        )
    return ours or jinas or "float"


def _inputs(value: object) -> tuple[str | list[int], ...]:
    if isinstance(value, str):
        return (_text(value, "input"),)
    if not isinstance(value, list):
        raise InvalidArgument(
            "'input' must be a string, an array of strings, an array of token ids or an array of"
            f" such arrays, got {kind(value)}",
            param="input",
        )
    if not value:
        raise InvalidArgument("'input' must not be empty", param="input")
    if type(value[0]) is int:
        return (_tokens(value, "input"),)
    if len(value) > MOST_INPUTS:
        raise InvalidArgument(
            f"'input' takes {MOST_INPUTS} texts at most, got {len(value)}", param="input"
        )
    check = _text if isinstance(value[0], str) else _tokens
    return tuple(check(item, path("input", number)) for number, item in enumerate(value))


def _text(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise InvalidArgument(f"'{where}' must be a string, got {kind(value)}", param=where)
    if not value:
        raise InvalidArgument(f"'{where}': input cannot be an empty string", param=where)
    return value


def _tokens(value: object, where: str) -> list[int]:
    return list(token_ids.token_ids(value, where))


class EmbeddingsWhole:
    """The answer as bytes, written vector by vector as they come: a large one takes a second to
    turn into JSON, in which nobody else's stream would move."""

    def __init__(self, model: str, encoding: Literal["float", "base64"]) -> None:
        self._model = model
        self._write = _base64 if encoding == "base64" else numbers
        self._data: list[bytes] = []

    def add(self, event: Event) -> None:
        """Write the vectors of a message."""
        assert isinstance(event, Vectors), event
        for index, vector in enumerate(split(event), event.first):
            self._data.append(
                b'{"object":"embedding","index":%d,"embedding":%b}' % (index, self._write(vector))
            )

    def body(self, done: Done) -> bytes:
        """The whole object."""
        tokens = done.usage.prompt_tokens
        rest = {
            "model": self._model,
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        }
        end = json.dumps(rest, separators=(",", ":")).encode()[1:]
        return b'{"object":"list","data":[%b],%b' % (b",".join(self._data), end)


def split(vectors: Vectors) -> Iterator[bytes]:
    """Each embedding of a message, as little-endian float32."""
    size = 4 * vectors.dimensions
    return (vectors.values[at : at + size] for at in range(0, len(vectors.values), size))


def _base64(vector: bytes) -> bytes:
    return b'"%b"' % base64.b64encode(vector)


def numbers(vector: bytes) -> bytes:
    """An embedding as a JSON array."""
    # Twelve times as fast as the standard library's.
    return pydantic_core.to_json(struct.unpack(f"<{len(vector) // 4}f", vector))
