"""JSON schemas of OpenAI's answers and ours, for the OpenAPI document; a test holds real answers
against them."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer"}
COUNT: Schema = {"type": "integer", "minimum": 0}
NUMBER: Schema = {"type": "number"}
TRUTH: Schema = {"type": "boolean"}


def closed(required: dict[str, Schema], optional: dict[str, Schema] | None = None) -> Schema:
    """An object with these members and no others."""
    return {
        "type": "object",
        "required": list(required),
        "properties": required | (optional or {}),
        "additionalProperties": False,
    }


def array(items: Schema) -> Schema:
    """An array of those."""
    return {"type": "array", "items": items}


def nullable(schema: Schema) -> Schema:
    """That or null."""
    return {"anyOf": [schema, {"type": "null"}]}


def listed(items: Schema, **more: Schema) -> Schema:
    """OpenAI's list object."""
    return closed({"object": {"const": "list"}, "data": array(items), **more})


_CACHED = closed({"cached_tokens": COUNT})
_REASONED = closed({"reasoning_tokens": COUNT})
USAGE = closed(
    {
        "prompt_tokens": COUNT,
        "completion_tokens": COUNT,
        "total_tokens": COUNT,
        "prompt_tokens_details": _CACHED,
        "completion_tokens_details": _REASONED,
    }
)
TIMINGS = closed(
    {
        "queued_ms": NUMBER,
        "prefill_ms": NUMBER,
        "decode_ms": NUMBER,
        "tokens_per_second": NUMBER,
        "cache": TEXT,
        "drafted_tokens": COUNT,
        "accepted_tokens": COUNT,
    }
)
_HEAD: dict[str, Schema] = {
    "id": TEXT,
    "created": WHOLE,
    "model": TEXT,
    "system_fingerprint": TEXT,
}
_FIGURES: dict[str, Schema] = {"usage": USAGE, "timings": TIMINGS}

_TOKEN: dict[str, Schema] = {"token": TEXT, "logprob": NUMBER, "bytes": array(COUNT)}
_LOGPROBS = closed(
    {
        "content": array(closed({**_TOKEN, "top_logprobs": array(closed(_TOKEN))})),
        "refusal": {"type": "null"},
    }
)
_CALL = closed(
    {
        "id": TEXT,
        "type": {"const": "function"},
        "function": closed({"name": TEXT, "arguments": TEXT}),
    }
)
_MESSAGE = closed(
    {"role": {"const": "assistant"}, "content": nullable(TEXT), "refusal": {"type": "null"}},
    {"reasoning_content": TEXT, "tool_calls": array(_CALL)},
)
_CHAT_CHOICE = closed(
    {
        "index": COUNT,
        "message": _MESSAGE,
        "logprobs": nullable(_LOGPROBS),
        "finish_reason": {"enum": ["stop", "length", "tool_calls"]},
    }
)
CHAT = closed(
    {"object": {"const": "chat.completion"}, **_HEAD, "choices": array(_CHAT_CHOICE), **_FIGURES},
    {"service_tier": TEXT},
)

_LEGACY_LOGPROBS = closed(
    {
        "tokens": array(TEXT),
        "token_logprobs": array(NUMBER),
        "top_logprobs": array({"type": "object", "additionalProperties": NUMBER}),
        "text_offset": array(COUNT),
    }
)
_TEXT_CHOICE = closed(
    {
        "index": COUNT,
        "text": TEXT,
        "logprobs": nullable(_LEGACY_LOGPROBS),
        "finish_reason": {"enum": ["stop", "length"]},
    }
)
COMPLETION = closed(
    {"object": {"const": "text_completion"}, **_HEAD, "choices": array(_TEXT_CHOICE), **_FIGURES}
)

_INPUT_USAGE = closed({"prompt_tokens": COUNT, "total_tokens": COUNT})
# Numbers, or in base64 their bytes as little-endian float32.
_EMBEDDING = closed(
    {
        "object": {"const": "embedding"},
        "index": COUNT,
        "embedding": {"anyOf": [array(NUMBER), TEXT]},
    }
)
EMBEDDINGS = listed(_EMBEDDING, model=TEXT, usage=_INPUT_USAGE)

_RESULT = closed(
    {"index": COUNT, "relevance_score": NUMBER},
    {"document": {"anyOf": [TEXT, {"type": "object", "required": ["text"]}]}},
)
RERANKED = closed(
    {
        "id": TEXT,
        "object": {"const": "list"},
        "results": array(_RESULT),
        "model": TEXT,
        "usage": _INPUT_USAGE,
        "meta": closed(
            {
                "billed_units": closed({"search_units": COUNT}),
                "tokens": closed({"input_tokens": COUNT, "output_tokens": COUNT}),
            }
        ),
    }
)

# A piece that is no text by itself, being a part of a character, is its bytes.
_PIECE = closed(
    {"id": COUNT, "piece": {"anyOf": [TEXT, array({"type": "integer", "maximum": 255})]}}
)
TOKENS = closed(
    {
        "tokens": {"anyOf": [array(COUNT), array(_PIECE)]},
        "count": COUNT,
        "max_model_len": COUNT,
    },
    {"token_strs": array(TEXT)},
)
DETOKENIZED = closed({"content": TEXT, "prompt": TEXT})
PROMPT = closed({"prompt": TEXT})
_SPEECH_USAGE = closed(
    {
        "type": {"const": "tokens"},
        "input_tokens": COUNT,
        "output_tokens": COUNT,
        "total_tokens": COUNT,
    }
)
TRANSCRIPT = closed(
    {"text": TEXT, "usage": _SPEECH_USAGE, "finish_reason": {"enum": ["stop", "length"]}},
    {"logprobs": array(closed(_TOKEN))},
)

MODEL = closed({"id": TEXT, "object": {"const": "model"}, "created": WHOLE, "owned_by": TEXT})
MODELS = listed(MODEL)
