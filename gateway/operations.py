"""From the body of a request to the operation that answers it, for OpenAI's and Anthropic's routes.

Pure but for the clock, the random part of a name and stored responses; batches use the same
functions.
"""

from __future__ import annotations

import secrets
import time

from .dialects import rerank, tokens
from .dialects.anthropic import request as messages
from .dialects.anthropic.stream import MessageChunks
from .dialects.anthropic.whole import CountWhole, MessageWhole
from .dialects.openai import chat, completions, embeddings
from .dialects.openai.chat_answer import ChatChunks
from .dialects.openai.chat_whole import ChatWhole
from .dialects.openai.completions_answer import CompletionChunks, CompletionWhole
from .dialects.openai.padding import PaddedChunks
from .dialects.openai.transcriptions import SpeechRequest
from .dialects.openai.transcriptions_answer import SpeechChunks, SpeechWhole
from .dialects.responses import request as responses
from .dialects.responses.ids import RANDOM_BYTES, response_name
from .dialects.responses.output import Output
from .dialects.responses.stored import Stored
from .dialects.responses.stream import ResponseChunks
from .dialects.responses.whole import InputTokensWhole, ResponseWhole
from .operation import JSON, Chunks, Operation, Whole
from .responses.store import OwnResponses


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
        chunks = CompletionChunks(
            name, model, created, asked.openings, asked.choices, asked.include_usage
        )
        sink = PaddedChunks(chunks) if asked.padded else chunks
    else:
        scored = asked.logprobs is not None
        sink = CompletionWhole(name, model, created, asked.openings, asked.choices, scored)
    return Operation(name, asked.jobs, sink)


def responses_operation(
    body: bytes, store: OwnResponses, imc_header: str | None = None
) -> Operation:
    """POST /v1/responses. What the request continues comes from `store`, and its end goes there."""
    now = _second()
    name = response_name(now, secrets.token_bytes(RANDOM_BYTES))
    asked = responses.parse(body, name, now, store.find, imc_header)
    output = Output(asked.names, asked.carried, asked.spaces)
    made = (ResponseChunks if asked.stream else ResponseWhole)(asked.born, output, _second)
    sink: Chunks | Whole = made
    if isinstance(made, ResponseChunks) and asked.padded:
        sink = PaddedChunks(made)
    kept = asked.kept
    if kept is not None:
        store.check_room(kept.size)

    async def settle() -> None:
        assert made.final is not None, "an answer is settled when it has ended"
        if kept is not None:
            await store.put(Stored(made.final, kept.items, kept.size))

    return Operation(name, [asked.job], sink, settle, asked.overlong)


def input_tokens_operation(body: bytes, store: OwnResponses) -> Operation:
    """POST /v1/responses/input_tokens."""
    now = _second()
    name = response_name(now, secrets.token_bytes(RANDOM_BYTES))
    return Operation(name, [responses.parse_count(body, name, now, store.find)], InputTokensWhole())


def _second() -> int:
    return int(time.time())


def embedding_operation(body: bytes) -> Operation:
    """POST /v1/embeddings."""
    asked = embeddings.parse(body)
    sink = embeddings.EmbeddingsWhole(asked.job.model, asked.encoding)
    return Operation(new_name("embd-"), [asked.job], sink)


def rerank_operation(body: bytes, style: rerank.Style = "manual") -> Operation:
    """POST /v1/rerank."""
    asked, name = rerank.parse(body, style), new_name("rank-")
    return Operation(name, [asked.job], rerank.RerankWhole(name, asked))


def message_operation(
    body: bytes, imc_header: str | None = None, betas: str | None = None
) -> Operation:
    """POST /v1/messages."""
    asked = messages.parse(body, imc_header, betas)
    name, model = new_name("msg_"), asked.job.model
    sink: Chunks | Whole
    if asked.stream:
        sink = MessageChunks(
            name,
            model,
            shown=asked.shown,
            limit=asked.limit,
            calls_are_certain=asked.calls_are_certain,
        )
    else:
        sink = MessageWhole(name, model, shown=asked.shown, limit=asked.limit)
    return Operation(name, [asked.job], sink)


def message_count_operation(body: bytes) -> Operation:
    """POST /v1/messages/count_tokens."""
    return Operation(new_name("count_"), [messages.parse_count(body)], CountWhole())


def tokenize_operation(body: bytes) -> Operation:
    """POST /v1/tokenize."""
    asked = tokens.parse_tokenize(body)
    return Operation(new_name("tok-"), [asked.job], tokens.TokensWhole(asked))


def detokenize_operation(body: bytes) -> Operation:
    """POST /v1/detokenize."""
    return Operation(new_name("tok-"), [tokens.parse_detokenize(body)], tokens.TextWhole())


def template_operation(body: bytes) -> Operation:
    """POST /v1/apply-template."""
    return Operation(new_name("tok-"), [tokens.parse_template(body)], tokens.PromptWhole())


def speech_operation(asked: SpeechRequest) -> Operation:
    """POST /v1/audio/transcriptions and /v1/audio/translations."""
    sink = SpeechChunks() if asked.stream else SpeechWhole(asked.form)
    media_type = "text/plain; charset=utf-8" if asked.form == "text" else JSON
    return Operation(new_name("transcript-"), [asked.job], sink, media_type=media_type)
