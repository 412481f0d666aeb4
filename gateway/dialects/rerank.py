"""The manual's Rerank (8.5), which is Jina's and Cohere's: body to `Job`, and scores to answer."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, WithJsonSchema

from kronk.gateway.job import Job, rank
from kronk.gateway.run import Event
from kronk.shared.errors import InvalidArgument
from kronk.shared.wire.to_gateway import Done, Scores

from .fields import carriable, first_error, kind, load_object, path
from .generation import ModelName
from .residency import Span, ttl
from .truncation import Truncate, truncates

# As many as there may be texts to embed.
MOST_DOCUMENTS = 2048
# Cohere's measure of what it bills: a query with so many documents.
_UNIT = 100
_DOCUMENT_SCHEMA = {
    "anyOf": [
        {"type": "string"},
        {
            "type": "object",
            "properties": {"text": {"type": "string"}},
            "required": ["text"],
        },
    ]
}
# Where the caller does not say: the manual's answers have documents as they were sent, Jina's have
# them as objects, Cohere's have none. Jina and Cohere cut what is too long.
Style = Literal["manual", "jina", "cohere"]


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
    # With true as objects with a `text`; not said depends on the route.
    return_documents: bool | None = None
    truncate: Truncate = None
    # Documents are cut to so many tokens.
    max_tokens_per_doc: int | None = Field(default=None, ge=1, lt=2**31)
    # A document is never more than one, so that any bound is kept.
    max_chunks_per_doc: int | None = Field(default=None, ge=1)
    # What of a document that is an object is read.
    rank_fields: Annotated[list[Literal["text"]], Field(min_length=1, max_length=1)] | None = None
    # Cohere's word for what everyone gets.
    priority: Literal[0] | None = None
    # How long the model stays loaded.
    keep_alive: Span = None
    ttl: Span = None
    # Taken and not acted on.
    user: str | None = None


@dataclass(frozen=True, slots=True)
class RerankRequest:
    """What to run, and what the caller wants to see of it."""

    job: Job
    # As the answer has them; None when it shall not have them.
    documents: tuple[Any, ...] | None
    top_n: int
    # How many were scored.
    count: int


def parse(body: bytes, style: Style = "manual") -> RerankRequest:
    """The request in `body`; `InvalidArgument` names the first field that is not acceptable."""
    try:
        fields = RerankBody.model_validate(load_object(body))
    except ValidationError as error:
        raise first_error(error) from None
    texts = tuple(
        _text(document, path("documents", number))
        for number, document in enumerate(fields.documents)
    )
    truncate = truncates(fields.truncate, default=style != "manual")
    job = rank(fields.model, fields.query, texts, truncate, fields.max_tokens_per_doc)
    return RerankRequest(
        replace(job, ttl=ttl(fields)),
        _shown(fields, style),
        fields.top_n or len(texts),
        len(texts),
    )


def _shown(fields: RerankBody, style: Style) -> tuple[Any, ...] | None:
    wanted = fields.return_documents
    if wanted is None and style == "manual":
        return tuple(fields.documents)
    if wanted is False or (wanted is None and style == "cohere"):
        return None
    return tuple(
        {"text": document} if isinstance(document, str) else document
        for document in fields.documents
    )


def _text(document: object, where: str) -> str:
    if isinstance(document, str):
        return document
    if not isinstance(document, dict):
        raise InvalidArgument(
            f"'{where}' must be a string or an object with a 'text', got {kind(document)}",
            param=where,
        )
    text = document.get("text")
    if not isinstance(text, str):
        raise InvalidArgument(f"'{where}.text' must be a string, got {kind(text)}", param=where)
    # It may come back in the answer.
    carriable(document, where)
    return text


class RerankWhole:
    """The answer: documents by falling relevance, equal ones in the order they were sent."""

    def __init__(self, name: str, request: RerankRequest) -> None:
        self._name = name
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
            "id": self._name,
            "object": "list",
            "results": [self._result(index) for index in order[: self._request.top_n]],
            "model": self._request.job.model,
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
            "meta": {
                "billed_units": {"search_units": math.ceil(self._request.count / _UNIT)},
                "tokens": {"input_tokens": tokens, "output_tokens": 0},
            },
        }

    def _result(self, index: int) -> dict[str, Any]:
        result: dict[str, Any] = {"index": index, "relevance_score": self._scores[index]}
        if self._request.documents is not None:
            result["document"] = self._request.documents[index]
        return result
