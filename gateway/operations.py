"""From the body of a request to the operation that answers it, for OpenAI's and Anthropic's routes.

Pure but for the clock and the random part of a name; batches use the same functions.
"""

from __future__ import annotations

import secrets
import time

from .dialects import chat, completions, embeddings, rerank
from .dialects.anthropic import request as messages
from .dialects.anthropic.stream import MessageChunks
from .dialects.anthropic.whole import CountWhole, MessageWhole
from .dialects.chat_answer import ChatChunks
from .dialects.chat_whole import ChatWhole
from .dialects.completions_answer import CompletionChunks, CompletionWhole
from .dialects.padding import PaddedChunks
from .operation import Chunks, Operation, Whole


def new_name(prefix: str) -> str:
    """A name that no other request has: `chatcmpl-` and 24 hexadecimal digits."""
    return f"{prefix}{secrets.token_hex(12)}"


def chat_operation(body: bytes, imc_header: str | None = None) -> Operation:
    """POST /v1/chat/completions."""
    asked = chat.parse(body, imc_header)
    name, created, model = new_name("chatcmpl-"), int(time.time()), asked.job.model
    sink: Chunks | Whole
    if asked.stream:
        chunks = ChatChunks(
            name,
            model,
            created,
            choices=asked.choices,
            include_usage=asked.include_usage,
            tier=asked.tier,
        )
        sink = PaddedChunks(chunks) if asked.padded else chunks
    else:
        sink = ChatWhole(
            name, model, created, choices=asked.choices, scored=asked.scored, tier=asked.tier
        )
    return Operation(name, [asked.job], sink)


def completion_operation(body: bytes, imc_header: str | None = None) -> Operation:
    """POST /v1/completions."""
    asked = completions.parse(body, imc_header)
    name, created, model = new_name("cmpl-"), int(time.time()), asked.jobs[0].model
    sink: Chunks | Whole
    if asked.stream:
        chunks = CompletionChunks(name, model, created, asked.openings, asked.include_usage)
        sink = PaddedChunks(chunks) if asked.padded else chunks
    else:
        scored = asked.logprobs is not None
        sink = CompletionWhole(name, model, created, asked.openings, scored)
    return Operation(name, asked.jobs, sink)


def embedding_operation(body: bytes) -> Operation:
    """POST /v1/embeddings."""
    asked = embeddings.parse(body)
    sink = embeddings.EmbeddingsWhole(asked.job.model, asked.encoding)
    return Operation(new_name("embd-"), [asked.job], sink)


def rerank_operation(body: bytes) -> Operation:
    """POST /v1/rerank."""
    asked = rerank.parse(body)
    return Operation(new_name("rank-"), [asked.job], rerank.RerankWhole(asked))


def message_operation(
    body: bytes, imc_header: str | None = None, betas: str | None = None
) -> Operation:
    """POST /v1/messages."""
    asked = messages.parse(body, imc_header, betas)
    name, model = new_name("msg_"), asked.job.model
    sink: Chunks | Whole
    if asked.stream:
        sink = MessageChunks(
            name, model, shown=asked.shown, calls_are_certain=asked.calls_are_certain
        )
    else:
        sink = MessageWhole(name, model, shown=asked.shown)
    return Operation(name, [asked.job], sink)


def message_count_operation(body: bytes) -> Operation:
    """POST /v1/messages/count_tokens."""
    return Operation(new_name("count_"), [messages.parse_count(body)], CountWhole())
