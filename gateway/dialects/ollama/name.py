"""Requests that only name a model: /api/show and /api/pull."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from kronk.gateway.dialects.fields import load_object
from kronk.shared.errors import InvalidArgument

from .body import NotBuilt, read, refuse

# What Ollama's tools put behind a name without a tag.
LATEST = ":latest"

_Name = Annotated[str, Field(max_length=1024)]


def _said(name: str) -> JsonDict:
    return {"required": [name], "properties": {name: {"type": "string", "minLength": 1}}}


class NameBody(BaseModel):
    """The fields of both requests; `name` is Ollama's older word for `model`.

    Ollama's own client sends all of them, empty where it has nothing to say.
    """

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        title="OllamaNameRequest",
        json_schema_extra={"anyOf": [_said("model"), _said("name")]},
    )

    model: _Name | None = None
    name: _Name | None = None
    # Taken and not acted on: vocabularies are never returned, and what is fetched is fetched as its
    # source allows.
    verbose: bool | None = None
    insecure: bool | None = None
    username: str | None = None
    password: str | None = None
    stream: bool | None = None
    # Another system prompt, template or options to describe the model with: not built.
    system: NotBuilt[str] = None
    template: NotBuilt[str] = None
    options: NotBuilt[dict[str, Any]] = None


@dataclass(frozen=True, slots=True)
class Named:
    """A model's name, and whether the answer is to be lines."""

    model: str
    stream: bool


def parse(body: bytes) -> Named:
    """The request in `body`; `InvalidArgument` names the first field that is not acceptable."""
    fields = read(NameBody, load_object(body))
    refuse({name: getattr(fields, name) for name in ("system", "template", "options")})
    if fields.model and fields.name and fields.model != fields.name:
        raise InvalidArgument("'model' and 'name' differ; send one of them", param="name")
    model = fields.model or fields.name
    if not model:
        raise InvalidArgument("missing model field", param="model")
    return Named(model, fields.stream is not False)
