"""The manual's Rerank (8.5), which is Jina's and Cohere's: body to `Job`, and scores to answer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, WithJsonSchema

from kronk.gateway.job import Job, rank
from kronk.gateway.run import Event
from kronk.shared.errors import InvalidArgument
from kronk.shared.wire.to_gateway import Done, Scores

from .fields import first_error, kind, load_object, path
from .generation import ModelName
from .residency import Span, ttl

# As many as there may be texts to embed.
MOST_DOCUMENTS = 2048
_DOCUMENT_SCHEMA = {
    "anyOf": [
        {"type": "string"},
        {
            "type": "object",
            "properties": {"text": {"type": "string"}},
            "required": ["text"],
            "additionalProperties": False,
        },
    ]
}


class RerankBody(BaseModel):
    """The fields of a request."""

    model_config = ConfigDict(strict=True, extra="forbid", title="RerankRequest")

    model: ModelName
    query: Annotated[str, Field(min_length=1)]
    documents: Annotated[
        list[Annotated[Any, WithJsonSchema(_DOCUMENT_SCHEMA)]],
        Field(min_length=1, max_length=MOST_DOCUMENTS),
    ]
    # Results to return, the best first; all when not said or more than there are.
    top_n: int | None = Field(default=None, ge=1)
    # As the manual's example has it: documents come back unless the caller says no.
    return_documents: bool | None = None
    # An extension of ours: cut documents that are too long instead of refusing them.
    truncate: bool | None = None
    # How long the model stays loaded.
    keep_alive: Span = None
    ttl: Span = None
    # Taken and not acted on.
    user: str | None = None


@dataclass(frozen=True, slots=True)
class RerankRequest:
    """What to run, and what the caller wants to see of it."""

    job: Job
    # As they were sent; None when the answer shall not have them.
    documents: tuple[Any, ...] | None
    top_n: int


def parse(body: bytes) -> RerankRequest:
    """The request in `body`; `InvalidArgument` names the first field that is not acceptable."""
    try:
        fields = RerankBody.model_validate(load_object(body))
    except ValidationError as error:
        raise first_error(error) from None
    texts = tuple(
        _text(document, path("documents", number))
        for number, document in enumerate(fields.documents)
    )
    job = rank(fields.model, fields.query, texts, bool(fields.truncate))
    wants_documents = fields.return_documents is not False
    return RerankRequest(
        replace(job, ttl=ttl(fields)),
        tuple(fields.documents) if wants_documents else None,
        fields.top_n or len(texts),
    )


def _text(document: object, where: str) -> str:
    if isinstance(document, str):
        return document
    if not isinstance(document, dict):
        raise InvalidArgument(
            f"'{where}' must be a string or an object with a 'text', got {kind(document)}",
            param=where,
        )
    for key in document:
        if key != "text":
            raise InvalidArgument(
                f"Unrecognized request argument supplied: {where}.{key[:100]}", param=where
            )
    text = document.get("text")
    if not isinstance(text, str):
        raise InvalidArgument(f"'{where}.text' must be a string, got {kind(text)}", param=where)
    return text


class RerankWhole:
    """The answer: documents by falling relevance, equal ones in the order they were sent."""

    def __init__(self, request: RerankRequest) -> None:
        self._request = request
        self._scores: tuple[float, ...] = ()

    def add(self, event: Event) -> None:
        """Take the scores."""
        assert isinstance(event, Scores), event
        self._scores = event.scores

    def body(self, done: Done) -> dict[str, Any]:
        """The whole object."""
        order = sorted(range(len(self._scores)), key=lambda index: -self._scores[index])
        tokens = done.usage.prompt_tokens
        return {
            "object": "list",
            "results": [self._result(index) for index in order[: self._request.top_n]],
            "model": self._request.job.model,
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        }

    def _result(self, index: int) -> dict[str, Any]:
        result: dict[str, Any] = {"index": index, "relevance_score": self._scores[index]}
        if self._request.documents is not None:
            result["document"] = self._request.documents[index]
        return result
