"""What makes a line of a batch the operation that answers it, and what its maker needs for that."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from kronk.gateway.access.rules import Gate, inference
from kronk.gateway.operation import Operation
from kronk.gateway.operations import (
    chat_operation,
    completion_operation,
    embedding_operation,
    rerank_operation,
    responses_operation,
)
from kronk.gateway.services import Services
from kronk.shared.security.identity import Identity

Maker = Callable[[bytes], Operation]

# Those of the routes themselves.
GATES: Mapping[str, Gate] = {
    path: Gate(inference(endpoint), "POST", path)
    for path, endpoint in (
        ("/v1/chat/completions", "chat-completions"),
        ("/v1/completions", "completions"),
        ("/v1/embeddings", "embeddings"),
        ("/v1/responses", "responses"),
        ("/v1/rerank", "rerank"),
    )
}


def operation_makers(services: Services, identity: Identity) -> Mapping[str, Maker]:
    """By endpoint; each takes the body of a line, which is `identity`'s."""
    store = services.responses.of(identity)
    return {
        "/v1/chat/completions": chat_operation,
        "/v1/completions": completion_operation,
        "/v1/embeddings": embedding_operation,
        "/v1/responses": partial(responses_operation, store=store),
        "/v1/rerank": rerank_operation,
    }
