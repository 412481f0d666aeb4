"""JSON schemas of Ollama's answers, for the OpenAPI document; a test holds real answers against
them."""

from __future__ import annotations

from kronk.gateway.dialects.schemas import (
    COUNT,
    NUMBER,
    TEXT,
    TRUTH,
    Schema,
    array,
    closed,
)

_OBJECT: Schema = {"type": "object"}
_CALL = closed(
    {
        "id": TEXT,
        "function": closed({"index": COUNT, "name": TEXT, "arguments": _OBJECT}),
    }
)
_TOKEN: dict[str, Schema] = {"token": TEXT, "logprob": NUMBER, "bytes": array(COUNT)}
_HEAD: dict[str, Schema] = {"model": TEXT, "created_at": TEXT, "done": TRUTH, "done_reason": TEXT}
_LOADED: dict[str, Schema] = {"total_duration": COUNT, "load_duration": COUNT}
# What a model that is only loaded says nothing of.
_MORE: dict[str, Schema] = {
    "prompt_eval_count": COUNT,
    "prompt_eval_duration": COUNT,
    "eval_count": COUNT,
    "eval_duration": COUNT,
    "logprobs": array(closed({**_TOKEN, "top_logprobs": array(closed(_TOKEN))})),
}
_SAID: dict[str, Schema] = {"thinking": TEXT, "tool_calls": array(_CALL)}
_MESSAGE = closed({"role": {"const": "assistant"}, "content": TEXT}, _SAID)

CHAT = closed({**_HEAD, "message": _MESSAGE, **_LOADED}, _MORE)
GENERATE = closed({**_HEAD, "response": TEXT, **_LOADED}, {**_SAID, **_MORE})
EMBED = closed(
    {"model": TEXT, "embeddings": array(array(NUMBER)), **_LOADED, "prompt_eval_count": COUNT}
)
EMBEDDINGS = closed({"embedding": array(NUMBER)})

_DETAILS = closed(
    {
        "parent_model": TEXT,
        "format": TEXT,
        "family": TEXT,
        "families": array(TEXT),
        "parameter_size": TEXT,
        "quantization_level": TEXT,
    }
)
_MODEL: dict[str, Schema] = {
    "name": TEXT,
    "model": TEXT,
    "size": COUNT,
    "digest": TEXT,
    "details": _DETAILS,
}
TAGS = closed({"models": array(closed({**_MODEL, "modified_at": TEXT}))})
RUNNING = closed(
    {
        "models": array(
            closed({**_MODEL, "expires_at": TEXT, "size_vram": COUNT, "context_length": COUNT})
        )
    }
)
SHOWN = closed(
    {
        "modelfile": TEXT,
        "parameters": TEXT,
        "template": TEXT,
        "details": _DETAILS,
        "model_info": _OBJECT,
        "capabilities": array(TEXT),
        "modified_at": TEXT,
    },
    {"license": TEXT, "projector_info": _OBJECT},
)
VERSION = closed({"version": TEXT, "kronk": TEXT})
PULLED = closed({"status": TEXT}, {"digest": TEXT, "total": COUNT, "completed": COUNT})
