"""Chat requests with a NUL in one of their texts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

# A request with most of the texts that one can have.
RICH: dict[str, Any] = {
    "messages": [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "name": "ann", "content": [{"type": "text", "text": "Hello!"}]},
        {
            "role": "assistant",
            "content": "",
            "reasoning_content": "hm",
            "tool_calls": [
                {
                    "id": "call_1",
                    "type": "function",
                    "function": {"name": "f", "arguments": '{"a": "b"}'},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "x"},
    ],
    "tools": [
        {
            "type": "function",
            "function": {
                "name": "f",
                "description": "d",
                "parameters": {
                    "type": "object",
                    "properties": {"a": {"type": "string", "description": "e", "enum": ["b"]}},
                    "required": ["a"],
                },
            },
        }
    ],
    "tool_choice": "auto",
    "stop": ["x"],
    "user": "u",
    "metadata": {"k": "v"},
    "imc_id": "i",
    "reasoning_effort": "low",
    "prompt_cache_key": "p",
    "service_tier": "auto",
    "chat_template_kwargs": {"k": "v"},
    "dry_sequence_breakers": ["y"],
    "response_format": {"type": "text"},
}
NULS: list[dict[str, Any]] = [
    {"regex": "a\0b"},
    {"grammar": 'root ::= "a\0b"'},
    {"json_schema": {"const": "a\0b"}},
    {"json_schema": {"type": "string", "pattern": "a\0b"}},
    {"json_schema": {"type": "object", "properties": {"a\0b": {}}, "required": ["a\0b"]}},
]


def with_nuls(value: Any) -> Iterator[Any]:
    """The value with a NUL in one of its texts, for each of them."""
    if isinstance(value, str):
        yield f"{value}\0x"
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            for changed in with_nuls(inner):
                yield [*value[:at], changed, *value[at + 1 :]]
    elif isinstance(value, dict):
        for key, inner in value.items():
            for changed in with_nuls(inner):
                yield {**value, key: changed}
