"""JSON schemas of what Anthropic's requests hold and of its answers, for the OpenAPI document."""

from __future__ import annotations

from typing import Any

from kronk.gateway.dialects.schemas import COUNT, TEXT, TRUTH, Schema, array, closed, nullable

_ANY_OBJECT: Schema = {"type": "object"}
_CACHED = {"cache_control": nullable(_ANY_OBJECT)}
_TITLED = {"title": nullable(TEXT), "context": nullable(TEXT)}
_UNCITED = {"citations": nullable(closed({}, {"enabled": {"enum": [False, None]}}))}

_BASE64: Schema = TEXT | {"contentEncoding": "base64", "minLength": 4}
_URL: Schema = TEXT | {
    "pattern": "^(data:image/|https?://)",
    "description": "A data URL in base64, or an http(s) URL where the server's settings allow it.",
}


def _block(kind: str, optional: dict[str, Schema], **required: Schema) -> Schema:
    return closed({"type": {"const": kind}, **required}, optional)


def _any_of(*schemas: Schema) -> Schema:
    return {"anyOf": list(schemas)}


def _some(items: Schema) -> Schema:
    return array(items) | {"minItems": 1}


_TEXT = _block("text", {"citations": {}, **_CACHED}, text=TEXT)
_IMAGE = _block(
    "image",
    {"transformations": nullable(_ANY_OBJECT | {"maxProperties": 0}), **_CACHED},
    source=_any_of(
        _block("base64", {}, media_type=TEXT, data=_BASE64), _block("url", {}, url=_URL)
    ),
)
_DOCUMENT = _block(
    "document",
    {**_TITLED, **_UNCITED, **_CACHED},
    source=_any_of(
        _block("text", {"media_type": TEXT}, data=TEXT),
        _block("content", {}, content=_any_of(TEXT, array(_any_of(_TEXT, _IMAGE)))),
    ),
)
_SEARCH_RESULT = _block(
    "search_result", {**_UNCITED, **_CACHED}, source=TEXT, title=TEXT, content=array(_TEXT)
)
_PARTS = (_TEXT, _IMAGE, _DOCUMENT, _SEARCH_RESULT)
_TOOL_RESULT = _block(
    "tool_result",
    {"content": nullable(_any_of(TEXT, array(_any_of(*_PARTS)))), "is_error": TRUTH, **_CACHED},
    tool_use_id=TEXT,
)
_TOOL_USE = _block("tool_use", {"caller": {}, **_CACHED}, id=TEXT, name=TEXT, input=_ANY_OBJECT)
_THINKING = _block("thinking", {"signature": TEXT}, thinking=TEXT)
_REDACTED = _block("redacted_thinking", {}, data=TEXT)

SYSTEM_SCHEMA: dict[str, Any] = nullable(_any_of(TEXT, array(_TEXT)))
_BLOCKS = {
    "user": (*_PARTS, _TOOL_RESULT),
    "assistant": (_TEXT, _THINKING, _REDACTED, _TOOL_USE),
    "system": (_TEXT,),
}
MESSAGES_SCHEMA: dict[str, Any] = _some(
    _any_of(
        *(
            closed({"role": {"const": role}, "content": _any_of(TEXT, _some(_any_of(*blocks)))})
            for role, blocks in _BLOCKS.items()
        )
    )
)

_CONTENT = _any_of(
    closed({"type": {"const": "text"}, "text": TEXT}),
    closed({"type": {"const": "thinking"}, "thinking": TEXT, "signature": TEXT}),
    closed({"type": {"const": "tool_use"}, "id": TEXT, "name": TEXT, "input": _ANY_OBJECT}),
)
_USAGE = closed(
    {
        "input_tokens": COUNT,
        "cache_creation_input_tokens": COUNT,
        "cache_read_input_tokens": COUNT,
        "output_tokens": COUNT,
        "output_tokens_details": closed({"thinking_tokens": COUNT}),
        "service_tier": {"const": "standard"},
    }
)
MESSAGE = closed(
    {
        "id": TEXT,
        "type": {"const": "message"},
        "role": {"const": "assistant"},
        "model": TEXT,
        "content": array(_CONTENT),
        "stop_reason": {
            "enum": [
                "end_turn",
                "max_tokens",
                "model_context_window_exceeded",
                "stop_sequence",
                "tool_use",
            ]
        },
        "stop_sequence": nullable(TEXT),
        "usage": _USAGE,
    }
)
TOKENS = closed({"input_tokens": COUNT})
