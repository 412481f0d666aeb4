"""What makes a line of a batch the operation that answers it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from kronk.gateway.operation import Operation
from kronk.gateway.operations import (
    chat_operation,
    completion_operation,
    embedding_operation,
    rerank_operation,
    responses_operation,
)
from kronk.gateway.services import Services

Maker = Callable[[bytes], Operation]


def operation_makers(services: Services) -> Mapping[str, Maker]:
    """By endpoint; each takes the body of a line."""
    return {
        "/v1/chat/completions": chat_operation,
        "/v1/completions": completion_operation,
        "/v1/embeddings": embedding_operation,
        "/v1/responses": partial(responses_operation, store=services.responses),
        "/v1/rerank": rerank_operation,
    }
