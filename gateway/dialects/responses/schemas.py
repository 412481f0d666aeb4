"""JSON schemas for the OpenAPI document: of fields that are checked by hand, and of answers."""

from __future__ import annotations

from typing import Any

from kronk.gateway.dialects.constraints import NAME
from kronk.gateway.dialects.schemas import (
    COUNT,
    NUMBER,
    TEXT,
    TIMINGS,
    TRUTH,
    WHOLE,
    Schema,
    array,
    closed,
    listed,
    nullable,
)
from kronk.gateway.dialects.tools import MOST_TOOLS

_STRING: Schema = {"type": "string"}
_STATUS: Schema = {"enum": ["in_progress", "completed", "incomplete", None]}
_ID: Schema = {"type": ["string", "null"], "minLength": 1, "maxLength": 256}


def _object(*required: str, **properties: Any) -> Schema:
    return {
        "type": "object",
        "required": list(required),
        "additionalProperties": False,
        "properties": properties,
    }


_BREAKPOINT = _object("mode", mode={"const": "explicit"}, ttl={"enum": ["30m", "12h"]})
_INPUT_TEXT = _object(
    "type",
    "text",
    type={"const": "input_text"},
    text=_STRING,
    prompt_cache_breakpoint=_BREAKPOINT,
)
_INPUT_IMAGE = _object(
    "type",
    "image_url",
    type={"const": "input_image"},
    image_url={"type": "string", "pattern": "^(data:image/|https?://)"},
    detail={"enum": ["auto", "low", "high", "original", None]},
    prompt_cache_breakpoint=_BREAKPOINT,
)
_INPUT_AUDIO = _object(
    "type",
    "input_audio",
    type={"const": "input_audio"},
    input_audio=_object(
        "data",
        data={"type": "string", "contentEncoding": "base64", "minLength": 4},
        format={"enum": ["wav", "mp3", "flac", None]},
    ),
)
_OUTPUT_TEXT = _object(
    "type",
    "text",
    type={"const": "output_text"},
    text=_STRING,
    annotations={"type": ["array", "null"]},
    logprobs={"type": ["array", "null"]},
)
_REFUSAL = _object("type", "refusal", type={"const": "refusal"}, refusal=_STRING)


def _listed(*parts: Schema) -> Schema:
    return {"type": "array", "items": {"anyOf": list(parts)}}


_SHOWN = _listed(_INPUT_TEXT, _INPUT_IMAGE, _INPUT_AUDIO)


def _message(roles: list[str], parts: Schema) -> Schema:
    return _object(
        "role",
        "content",
        type={"const": "message"},
        id=_ID,
        role={"enum": roles},
        content={"anyOf": [_STRING, parts]},
        status=_STATUS,
        phase={"enum": ["commentary", "final_answer", None]},
    )


def _texts(name: str) -> Schema:
    return _listed(_object("type", "text", type={"const": name}, text=_STRING))


INPUT: Schema = {
    "anyOf": [
        _STRING,
        {
            "type": "array",
            "items": {
                "anyOf": [
                    _message(["user"], _SHOWN),
                    _message(["system", "developer"], _listed(_INPUT_TEXT)),
                    _message(["assistant"], _listed(_OUTPUT_TEXT, _REFUSAL, _INPUT_TEXT)),
                    _object(
                        "type",
                        "call_id",
                        "name",
                        "arguments",
                        type={"const": "function_call"},
                        id=_ID,
                        call_id=_STRING,
                        name=_STRING,
                        namespace={"type": ["string", "null"]},
                        arguments={"type": "string", "description": "A JSON object as text."},
                        status=_STATUS,
                    ),
                    _object(
                        "type",
                        "call_id",
                        "output",
                        type={"const": "function_call_output"},
                        id=_ID,
                        call_id=_STRING,
                        output={"anyOf": [_STRING, _SHOWN]},
                        status=_STATUS,
                        name={"type": ["string", "null"]},
                    ),
                    _object(
                        "type",
                        type={"const": "reasoning"},
                        id=_ID,
                        summary=_texts("summary_text"),
                        content=_texts("reasoning_text"),
                        encrypted_content={"type": ["string", "null"]},
                        status=_STATUS,
                    ),
                    _object("id", type={"const": "item_reference"}, id=_STRING),
                ]
            },
        },
        {"type": "null"},
    ]
}

_NAME: Schema = {"type": "string", "pattern": f"^{NAME.pattern}$"}
_FUNCTION = _object(
    "type",
    "name",
    type={"const": "function"},
    name=_NAME,
    description={"type": ["string", "null"]},
    parameters={"type": ["object", "null"]},
    strict={"type": ["boolean", "null"]},
)
_NAMESPACE = _object(
    "type",
    "name",
    "tools",
    type={"const": "namespace"},
    name=_NAME,
    description={"type": ["string", "null"]},
    tools={"type": "array", "items": _FUNCTION},
)
TOOLS: Schema = {
    "anyOf": [
        {
            "type": "array",
            "maxItems": MOST_TOOLS,
            "items": {"anyOf": [_FUNCTION, _NAMESPACE]},
        },
        {"type": "null"},
    ]
}
_NAMED = _object("type", "name", type={"const": "function"}, name=_STRING)
TOOL_CHOICE: Schema = {
    "anyOf": [
        {"type": "string", "enum": ["none", "auto", "required"]},
        _NAMED,
        _object(
            "type",
            "mode",
            "tools",
            type={"const": "allowed_tools"},
            mode={"enum": ["auto", "required"]},
            tools={"type": "array", "minItems": 1, "items": _NAMED},
        ),
        {"type": "null"},
    ]
}

FORMAT: Schema = {
    "anyOf": [
        _object("type", type={"enum": ["text", "json_object"]}),
        _object(
            "type",
            "name",
            "schema",
            type={"const": "json_schema"},
            name={"type": "string", "pattern": f"^{NAME.pattern}$"},
            description={"type": ["string", "null"]},
            schema={"type": "object"},
            strict={"type": ["boolean", "null"]},
        ),
        {"type": "null"},
    ]
}


_OUTPUT_PART = closed(
    {
        "type": {"const": "output_text"},
        "text": TEXT,
        "annotations": array({}),
        "logprobs": array({"type": "object"}),
    }
)
_OUTPUT_STATUS: Schema = {"enum": ["completed", "incomplete"]}
_OUTPUT_MESSAGE = closed(
    {
        "id": TEXT,
        "type": {"const": "message"},
        "status": _OUTPUT_STATUS,
        "role": {"const": "assistant"},
        "content": array(_OUTPUT_PART),
    }
)
_OUTPUT_REASONING = closed(
    {
        "id": TEXT,
        "type": {"const": "reasoning"},
        "status": _OUTPUT_STATUS,
        "summary": array({}),
        "content": array(closed({"type": {"const": "reasoning_text"}, "text": TEXT})),
    },
    {"encrypted_content": TEXT},
)
_OUTPUT_CALL = closed(
    {
        "id": TEXT,
        "type": {"const": "function_call"},
        "status": {"const": "completed"},
        "call_id": TEXT,
        "name": TEXT,
        "arguments": TEXT,
    },
    {"namespace": TEXT},
)
_USAGE = closed(
    {
        "input_tokens": COUNT,
        "input_tokens_details": closed({"cached_tokens": COUNT, "cache_write_tokens": COUNT}),
        "output_tokens": COUNT,
        "output_tokens_details": closed({"reasoning_tokens": COUNT}),
        "total_tokens": COUNT,
    }
)
_ERROR = closed({"code": TEXT, "message": TEXT, "param": nullable(TEXT), "type": TEXT})
_OBJECT: Schema = {"type": "object"}
RESPONSE = closed(
    {
        "id": TEXT,
        "object": {"const": "response"},
        "created_at": WHOLE,
        "status": {"enum": ["completed", "incomplete", "failed", "cancelled"]},
        "background": {"const": False},
        "completed_at": nullable(WHOLE),
        "error": nullable(_ERROR),
        "incomplete_details": nullable(closed({"reason": {"const": "max_output_tokens"}})),
        "instructions": nullable(TEXT),
        "max_output_tokens": nullable(COUNT),
        "max_tool_calls": nullable(COUNT),
        "metadata": _OBJECT,
        "model": TEXT,
        "output": array({"anyOf": [_OUTPUT_MESSAGE, _OUTPUT_REASONING, _OUTPUT_CALL]}),
        "parallel_tool_calls": TRUTH,
        "previous_response_id": nullable(TEXT),
        "prompt_cache_key": nullable(TEXT),
        "prompt_cache_retention": nullable(TEXT),
        "reasoning": closed({"effort": nullable(TEXT), "summary": nullable(TEXT)}),
        "safety_identifier": nullable(TEXT),
        "service_tier": TEXT,
        "store": TRUTH,
        "temperature": nullable(NUMBER),
        "text": closed({"format": _OBJECT, "verbosity": TEXT}),
        "tool_choice": {"anyOf": [TEXT, _OBJECT]},
        "tools": array(_OBJECT),
        "top_logprobs": COUNT,
        "top_p": nullable(NUMBER),
        "truncation": {"enum": ["auto", "disabled"]},
        "usage": nullable(_USAGE),
        "user": nullable(TEXT),
    },
    {"timings": TIMINGS},
)
DELETED = closed({"id": TEXT, "object": {"const": "response"}, "deleted": {"const": True}})
INPUT_TOKENS = closed({"object": {"const": "response.input_tokens"}, "input_tokens": COUNT})
INPUT_ITEMS = listed(_OBJECT, first_id=TEXT, last_id=TEXT, has_more=TRUTH)
