"""The routes whose requests may come in a batch."""

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

_RESPONSES = "/v1/responses"
_OTHERS: Mapping[str, Callable[[bytes], Operation]] = {
    "/v1/chat/completions": chat_operation,
    "/v1/completions": completion_operation,
    "/v1/embeddings": embedding_operation,
    # Not in OpenAI's API.
    "/v1/rerank": rerank_operation,
}
ENDPOINTS = (*_OTHERS, _RESPONSES)


def operation_maker(services: Services, endpoint: str) -> Callable[[bytes], Operation]:
    """What makes the body of a line the operation that answers it."""
    if endpoint == _RESPONSES:
        return partial(responses_operation, store=services.responses)
    return _OTHERS[endpoint]
