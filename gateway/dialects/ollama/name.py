"""Requests that only name a model: /api/show and /api/pull."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from kronk.gateway.dialects.fields import load_object
from kronk.shared.errors import InvalidArgument

from .body import read

_Name = Annotated[str, Field(min_length=1, max_length=1024)]


class NameBody(BaseModel):
    """The fields of both requests; `name` is Ollama's older word for `model`."""

    model_config = ConfigDict(strict=True, extra="forbid", title="OllamaNameRequest")

    model: _Name | None = None
    name: _Name | None = None
    # Taken and not acted on: vocabularies are never returned, and nothing is fetched.
    verbose: bool | None = None
    insecure: bool | None = None
    stream: bool | None = None


@dataclass(frozen=True, slots=True)
class Named:
    """A model's name, and whether the answer is to be lines."""

    model: str
    stream: bool


def parse(body: bytes) -> Named:
    """The request in `body`; `InvalidArgument` names the first field that is not acceptable."""
    fields = read(NameBody, load_object(body))
    if fields.model is not None and fields.name is not None and fields.model != fields.name:
        raise InvalidArgument("'model' and 'name' differ; send one of them", param="name")
    model = fields.model or fields.name
    if model is None:
        raise InvalidArgument("missing model field", param="model")
    return Named(model, fields.stream is not False)
